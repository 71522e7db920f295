//! The vector file: reading it, and the observed result of a parse in its terms.
//!
//! Format: see the head of `tests/vectors.rs`.

#![allow(dead_code, reason = "each test binary uses its part")]

pub(crate) mod generate;
pub(crate) mod model;

use std::net::SocketAddr;

use proxy_proto::{Addresses, Parsed, Transport, Unix, Version};
use serde_json::Value;

/// One entry of `vectors.json`.
#[derive(Debug)]
pub(crate) struct Vector {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) expect: Expect,
    pub(crate) round_trips: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    Ok(Seen),
    Incomplete,
    Error,
}

/// A parsed header in the terms of the vector file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) version: u64,
    pub(crate) command: String,
    pub(crate) family: String,
    pub(crate) transport: String,
    pub(crate) source: Option<End>,
    pub(crate) destination: Option<End>,
    pub(crate) consumed: usize,
    pub(crate) tlvs: Vec<(u8, Vec<u8>)>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    Ip(SocketAddr),
    /// The field without its trailing NULs.
    Unix(Vec<u8>),
}

/// All vectors.
pub(crate) fn vectors() -> Vec<Vector> {
    let file: Value = serde_json::from_str(include_str!("../vectors.json")).expect("vectors.json is JSON");
    file.as_array()
        .expect("vectors.json is an array")
        .iter()
        .map(vector)
        .collect()
}

/// What the library reports.
pub(crate) fn seen(parsed: &Parsed<'_>) -> Seen {
    let header = &parsed.header;
    let (source, destination) = match header.addresses() {
        Addresses::Unix(_, Unix { source, destination }) => {
            (Some(End::Unix(trim(source))), Some(End::Unix(trim(destination))))
        }
        addresses => match addresses.socket_addrs() {
            Some((source, destination)) => (Some(End::Ip(source)), Some(End::Ip(destination))),
            None => (None, None),
        },
    };
    Seen {
        version: match header.version() {
            Version::V1 => 1,
            Version::V2 => 2,
        },
        command: if header.is_local() { "local" } else { "proxy" }.to_owned(),
        family: match header.addresses() {
            Addresses::Unspec => "unspec",
            Addresses::Inet(..) => "inet",
            Addresses::Inet6(..) => "inet6",
            Addresses::Unix(..) => "unix",
        }
        .to_owned(),
        transport: match header.transport() {
            None => "unspec",
            Some(Transport::Stream) => "stream",
            Some(Transport::Dgram) => "dgram",
        }
        .to_owned(),
        source,
        destination,
        consumed: parsed.consumed,
        tlvs: header
            .tlvs()
            .map(|tlv| (tlv.kind().0, tlv.value().to_vec()))
            .collect(),
    }
}

/// Bytes from hex digits.
pub(crate) fn unhex(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2), "{hex}");
    (0..hex.len() / 2)
        .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hex"))
        .collect()
}

fn vector(entry: &Value) -> Vector {
    let text = |key: &str| {
        entry[key]
            .as_str()
            .unwrap_or_else(|| panic!("{key} in {entry}"))
            .to_owned()
    };
    let expect = match text("expect").as_str() {
        "ok" => Expect::Ok(Seen {
            version: entry["version"].as_u64().expect("version"),
            command: text("command"),
            family: text("family"),
            transport: text("transport"),
            source: entry["src"].as_str().map(end),
            destination: entry["dst"].as_str().map(end),
            consumed: usize::try_from(entry["consumed"].as_u64().expect("consumed")).expect("usize"),
            tlvs: entry["tlvs"].as_array().expect("tlvs").iter().map(tlv).collect(),
        }),
        "incomplete" => Expect::Incomplete,
        "error" => Expect::Error,
        other => panic!("expect: {other}"),
    };
    Vector {
        name: text("name"),
        bytes: unhex(&text("hex")),
        expect,
        round_trips: entry["roundtrip"].as_bool().unwrap_or(false),
    }
}

fn tlv(entry: &Value) -> (u8, Vec<u8>) {
    let kind = entry["type"].as_u64().expect("type");
    (
        u8::try_from(kind).expect("a byte"),
        unhex(entry["value_hex"].as_str().expect("value_hex")),
    )
}

fn end(text: &str) -> End {
    match text.strip_prefix("unixhex:") {
        Some(hex) => End::Unix(unhex(hex)),
        None => End::Ip(text.parse().expect("a socket address")),
    }
}

fn trim(field: &[u8; 108]) -> Vec<u8> {
    let end = field
        .iter()
        .rposition(|&byte| byte != 0)
        .map_or(0, |last| last + 1);
    field[..end].to_vec()
}
