//! Bytes for the property tests: valid headers put together by hand, and what damage makes of them.

use proptest::collection::vec;
use proptest::prelude::*;

use super::model;

/// A valid header of either version, with nothing after it.
pub(crate) fn header() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![line(), binary()]
}

/// Anything from a valid header to noise: cut, extended, with bytes changed, inserted or removed.
pub(crate) fn anything() -> impl Strategy<Value = Vec<u8>> {
    let damaged = (header(), vec(damage(), 0..4)).prop_map(|(mut bytes, damage)| {
        for (at, what, byte) in damage {
            let at = at.index(bytes.len() + 1);
            match what {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, byte),
                2 if at < bytes.len() => drop(bytes.remove(at)),
                3 if at < bytes.len() => bytes[at] = byte,
                4 if at < bytes.len() => bytes[at] ^= 1 << (byte % 8),
                _ => bytes.push(byte),
            }
        }
        bytes
    });
    prop_oneof![
        6 => damaged,
        2 => "PROXY (TCP4|TCP6|UNKNOWN)[ 0-9a-fA-F:.+\r\n]{0,110}".prop_map(String::into_bytes),
        2 => "PROXY TCP6 [0-9a-f:.]{1,12} [0-9a-f:]{1,24} [0-9]{1,5} [0-9]{1,5}\r\n".prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..40),
        1 => vec(any::<u8>(), 0..40).prop_map(|bytes| [b"\r\n\r\n\0\r\nQUIT\n", &bytes[..]].concat()),
    ]
}

fn damage() -> impl Strategy<Value = (prop::sample::Index, u8, u8)> {
    let byte = prop_oneof![
        any::<u8>(),
        prop::sample::select(&b"\r\n 0:.+\0\x03\x05\x20\x21\x30"[..])
    ];
    (any::<prop::sample::Index>(), 0_u8..6, byte)
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    let ports = any::<(u16, u16)>();
    let v4 = (any::<[std::net::Ipv4Addr; 2]>(), ports)
        .prop_map(|([source, destination], ports)| text("TCP4", source, destination, ports));
    let sparse = vec(prop_oneof![3 => Just(0_u16), 1 => any::<u16>()], 8).prop_map(|segments| {
        let segments: [u16; 8] = segments.try_into().expect("eight");
        std::net::Ipv6Addr::from(segments)
    });
    let v6 = (sparse, any::<std::net::Ipv6Addr>(), any::<(u16, u16)>())
        .prop_map(|(source, destination, ports)| text("TCP6", source, destination, ports));
    let unknown = "( [ -~\r\n]{0,80})?".prop_filter_map("holds a CRLF", |rest| {
        (!rest.contains("\r\n") && !rest.ends_with('\r')).then(|| format!("PROXY UNKNOWN{rest}\r\n"))
    });
    prop_oneof![v4, v6, unknown].prop_map(String::into_bytes)
}

fn text(
    family: &str,
    source: impl std::fmt::Display,
    destination: impl std::fmt::Display,
    (source_port, destination_port): (u16, u16),
) -> String {
    format!("PROXY {family} {source} {destination} {source_port} {destination_port}\r\n")
}

fn binary() -> impl Strategy<Value = Vec<u8>> {
    let family_and_block = prop_oneof![
        (prop::sample::select(&[0x11_u8, 0x12][..]), vec(any::<u8>(), 12)),
        (prop::sample::select(&[0x21_u8, 0x22][..]), vec(any::<u8>(), 36)),
        (prop::sample::select(&[0x31_u8, 0x32][..]), vec(any::<u8>(), 216)),
        Just((0x00, Vec::new())),
    ];
    let command = prop_oneof![1 => Just(0x20_u8), 4 => Just(0x21)];
    (command, family_and_block, vec(tlv(), 0..5), any::<bool>()).prop_map(
        |(command, (family, block), tlvs, checksum)| {
            let mut body = if command == 0x20 { Vec::new() } else { block };
            let mut checksum_at = None;
            for (n, (kind, value)) in tlvs.iter().enumerate() {
                if checksum && n == 1 {
                    checksum_at = Some(16 + body.len() + 3);
                    body.extend([3, 0, 4, 0, 0, 0, 0]);
                }
                body.push(*kind);
                body.extend(u16::try_from(value.len()).expect("short").to_be_bytes());
                body.extend(value);
            }
            let mut bytes = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
            bytes.extend([command, family]);
            bytes.extend(u16::try_from(body.len()).expect("short").to_be_bytes());
            bytes.extend(body);
            if let Some(at) = checksum_at {
                let crc = model::crc32c(&bytes);
                bytes[at..at + 4].copy_from_slice(&crc.to_be_bytes());
            }
            bytes
        },
    )
}

/// A TLV other than the checksum that keeps the rules of its type.
fn tlv() -> impl Strategy<Value = (u8, Vec<u8>)> {
    let sub = (0x21_u8..=0x28, vec(any::<u8>(), 0..6)).prop_map(|(kind, value)| {
        let mut sub = vec![kind, 0, u8::try_from(value.len()).expect("short")];
        sub.extend(value);
        sub
    });
    let ssl = (any::<[u8; 5]>(), vec(sub, 0..4))
        .prop_map(|(fixed, subs)| (0x20, [fixed.to_vec(), subs.concat()].concat()));
    let other = (any::<u8>(), vec(any::<u8>(), 0..130))
        .prop_filter("has rules of its own", |(kind, _)| !matches!(kind, 3 | 5 | 0x20));
    prop_oneof![
        other,
        ssl,
        vec(any::<u8>(), 0..=128).prop_map(|id| (5, id)),
        "[a-z]{1,15}".prop_map(|name| (0x30, name.into_bytes())),
    ]
}
