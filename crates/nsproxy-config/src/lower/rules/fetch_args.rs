//! What stands in the parentheses of a fetch. Where it is wrong, the error says what is needed.

use std::net::IpAddr;

use crate::model::{Fetch, PayloadFrom, Peer};

/// TLV types by their names in HAProxy.
const TLVS: &[(&str, u8)] = &[
    ("ALPN", 0x01),
    ("AUTHORITY", 0x02),
    ("CRC32C", 0x03),
    ("NOOP", 0x04),
    ("UNIQUE_ID", 0x05),
    ("SSL", 0x20),
    ("NETNS", 0x30),
];

pub(super) fn tlv(args: &[&str]) -> Result<Fetch, &'static str> {
    let [kind] = args else {
        return Err("the type of a TLV");
    };
    let named = TLVS
        .iter()
        .find(|(name, _)| name == kind)
        .map(|(_, number)| *number);
    let number = kind
        .strip_prefix("0x")
        .map_or_else(|| kind.parse().ok(), |digits| u8::from_str_radix(digits, 16).ok());
    named
        .or(number)
        .map(Fetch::ProxyTlv)
        .ok_or("the type of a TLV: a number from 0 to 255, `ALPN`, `AUTHORITY`, `CRC32C`, `NOOP`, `UNIQUE_ID`, `SSL` or `NETNS`")
}

pub(super) fn payload(peer: Peer, args: &[&str]) -> Result<Fetch, &'static str> {
    let numbers: Option<Vec<u32>> = args.iter().map(|arg| arg.parse().ok()).collect();
    match numbers.as_deref() {
        Some(&[offset, length]) => Ok(Fetch::Payload { peer, offset, length }),
        _ => Err("an offset and a length"),
    }
}

pub(super) fn payload_lv(peer: Peer, args: &[&str]) -> Result<Fetch, &'static str> {
    let needs = "an offset, the size of the length that is there, and perhaps where its bytes begin";
    let number = |text: &str| text.parse::<u32>().map_err(|_| needs);
    let (offset, size, from) = match args {
        [offset, size] => (offset, size, PayloadFrom::Behind(0)),
        [offset, size, from] if from.starts_with(['+', '-']) => (
            offset,
            size,
            PayloadFrom::Behind(from.parse().map_err(|_| needs)?),
        ),
        [offset, size, from] => (offset, size, PayloadFrom::At(number(from)?)),
        _ => return Err(needs),
    };
    let (offset, size) = (number(offset)?, number(size)?);
    if !(1..=4).contains(&size) {
        return Err("a length of 1 to 4 bytes");
    }
    Ok(Fetch::PayloadLv {
        peer,
        offset,
        size,
        from,
    })
}

pub(super) fn boolean(args: &[&str]) -> Result<Fetch, &'static str> {
    match args {
        ["true" | "1"] => Ok(Fetch::Bool(true)),
        ["false" | "0"] => Ok(Fetch::Bool(false)),
        _ => Err("`true` or `false`"),
    }
}

pub(super) fn integer(args: &[&str]) -> Result<Fetch, &'static str> {
    match args {
        [number] => number.parse().map(Fetch::Int).map_err(|_| "a whole number"),
        _ => Err("a whole number"),
    }
}

pub(super) fn text(args: &[&str]) -> Result<Fetch, &'static str> {
    match args {
        [text] if !text.is_empty() => Ok(Fetch::Str((*text).to_owned())),
        _ => Err("a text without commas"),
    }
}

pub(super) fn ipv4(args: &[&str]) -> Result<Fetch, &'static str> {
    match args {
        [ip] => ip
            .parse()
            .map(|ip| Fetch::Ip(IpAddr::V4(ip)))
            .map_err(|_| "an IPv4 address"),
        _ => Err("an IPv4 address"),
    }
}

pub(super) fn ipv6(args: &[&str]) -> Result<Fetch, &'static str> {
    match args {
        [ip] => ip
            .parse()
            .map(|ip| Fetch::Ip(IpAddr::V6(ip)))
            .map_err(|_| "an IPv6 address"),
        _ => Err("an IPv6 address"),
    }
}

pub(super) fn random(args: &[&str]) -> Result<Fetch, &'static str> {
    match args {
        [] => Ok(Fetch::Random(u32::MAX)),
        [below] => below
            .parse()
            .ok()
            .filter(|below| *below > 0)
            .map(Fetch::Random)
            .ok_or("a number above 0"),
        _ => Err("a number above 0"),
    }
}
