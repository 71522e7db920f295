//! Which fetches nsproxy understands: one row each, with what the reference says of it.

use std::net::IpAddr;

use super::expression::Kind;
use crate::model::{Fetch, PayloadFrom, ServerRef};
use crate::reference::FetchDoc;

/// One fetch.
pub(super) struct Row {
    pub(super) doc: FetchDoc,
    /// Older names of HAProxy for it.
    pub(super) aliases: &'static [&'static str],
    /// Of which kind its value is.
    pub(super) kind: Kind,
    /// It asks for what the client sends.
    pub(super) needs_contents: bool,
    pub(super) make: Make,
}

/// How its arguments become a fetch.
pub(super) enum Make {
    /// It has none.
    Plain(fn() -> Fetch),
    /// It has arguments, or may have: a message says what it needs.
    With(fn(&[&str]) -> Result<Fetch, &'static str>),
    /// It asks about a backend: that of the section when it names none.
    Backend(fn(String) -> Fetch),
    /// It asks about a server, of the section when it names no backend.
    Server(fn(ServerRef) -> Fetch),
}

macro_rules! row {
    ($syntax:literal, $kind:ident, $contents:literal, [$($alias:literal),*], $make:expr, $meaning:literal) => {
        Row {
            doc: FetchDoc { syntax: $syntax, kind: Kind::$kind.word(), meaning: $meaning },
            aliases: &[$($alias),*],
            kind: Kind::$kind,
            needs_contents: $contents,
            make: $make,
        }
    };
}

pub(super) static FETCHES: &[Row] = &[
    row!(
        "src",
        Address,
        false,
        ["fc_src"],
        Make::Plain(|| Fetch::Source),
        "The client's address: that of its PROXY header, once that was read."
    ),
    row!(
        "src_port",
        Number,
        false,
        ["fc_src_port"],
        Make::Plain(|| Fetch::SourcePort),
        "The client's port."
    ),
    row!(
        "dst",
        Address,
        false,
        ["fc_dst"],
        Make::Plain(|| Fetch::Destination),
        "The address that the client has connected to."
    ),
    row!(
        "dst_port",
        Number,
        false,
        ["fc_dst_port"],
        Make::Plain(|| Fetch::DestinationPort),
        "The port that the client has connected to."
    ),
    row!(
        "fc_rcvd_proxy",
        Bool,
        false,
        [],
        Make::Plain(|| Fetch::ProxyReceived),
        "Whether a PROXY header was received."
    ),
    row!(
        "fc_pp_tlv(TYPE)",
        Text,
        false,
        [],
        Make::With(tlv),
        "The TLVs of that type in it: a number, or a name such as `AUTHORITY`."
    ),
    row!(
        "fc_pp_authority",
        Text,
        false,
        [],
        Make::Plain(|| Fetch::ProxyTlv(0x02)),
        "Its host name."
    ),
    row!(
        "fc_pp_unique_id",
        Text,
        false,
        [],
        Make::Plain(|| Fetch::ProxyTlv(0x05)),
        "Its unique id."
    ),
    row!(
        "fc_pp_netns",
        Text,
        false,
        [],
        Make::Plain(|| Fetch::ProxyTlv(0x30)),
        "The namespace that it names, whether it may select it or not. Only in nsproxy."
    ),
    row!(
        "fc_netns",
        Text,
        false,
        [],
        Make::Plain(|| Fetch::Netns),
        "The namespace of the client's connection: the listener's, or the one that its header has selected. None in the namespace that nsproxy runs in. Only in nsproxy."
    ),
    row!(
        "req.ssl_sni",
        Text,
        true,
        ["req_ssl_sni"],
        Make::Plain(|| Fetch::SslSni),
        "The server name of a TLS ClientHello."
    ),
    row!(
        "req.ssl_alpn",
        Text,
        true,
        [],
        Make::Plain(|| Fetch::SslAlpn),
        "Its application protocols: each is compared."
    ),
    row!(
        "req.ssl_hello_type",
        Number,
        true,
        ["rep_ssl_hello_type", "req_ssl_hello_type"],
        Make::Plain(|| Fetch::SslHelloType),
        "The type of the first TLS handshake message: 1 is a ClientHello."
    ),
    row!(
        "req.ssl_ver",
        Version,
        true,
        ["req_ssl_ver"],
        Make::Plain(|| Fetch::SslVersion),
        "The version that a ClientHello says: 3.1 is TLS 1.0, 3.3 is TLS 1.2 or later."
    ),
    row!(
        "req.len",
        Number,
        true,
        ["req_len"],
        Make::Plain(|| Fetch::Length),
        "How many bytes the client has sent."
    ),
    row!(
        "req.payload(OFFSET,LENGTH)",
        Binary,
        true,
        ["payload"],
        Make::With(payload),
        "These bytes; with a length of 0, all from there on."
    ),
    row!(
        "req.payload_lv(OFFSET,SIZE[,[+|-]FROM])",
        Binary,
        true,
        ["payload_lv"],
        Make::With(payload_lv),
        "As many bytes as the number of SIZE bytes at OFFSET says: those right behind it, from FROM on, or so far from its end."
    ),
    row!(
        "wait_end",
        Bool,
        false,
        [],
        Make::Plain(|| Fetch::WaitEnd),
        "True once nothing more is waited for."
    ),
    row!(
        "always_true",
        Bool,
        false,
        [],
        Make::Plain(|| Fetch::Bool(true)),
        "True."
    ),
    row!(
        "always_false",
        Bool,
        false,
        [],
        Make::Plain(|| Fetch::Bool(false)),
        "False."
    ),
    row!(
        "bool(B)",
        Bool,
        false,
        [],
        Make::With(boolean),
        "`true` or `false`."
    ),
    row!("int(N)", Number, false, [], Make::With(integer), "That number."),
    row!("str(TEXT)", Text, false, [], Make::With(text), "That text."),
    row!("ipv4(IP)", Address, false, [], Make::With(ipv4), "That address."),
    row!("ipv6(IP)", Address, false, [], Make::With(ipv6), "That address."),
    row!(
        "rand(N)",
        Number,
        false,
        [],
        Make::With(random),
        "A random number below N, or below 4294967295."
    ),
    row!(
        "fe_name",
        Text,
        false,
        [],
        Make::Plain(|| Fetch::FrontendName),
        "The name of the frontend."
    ),
    row!(
        "fe_conn",
        Number,
        false,
        [],
        Make::Plain(|| Fetch::FrontendSessions),
        "The sessions of the frontend, this one included."
    ),
    row!(
        "nbsrv(BACKEND)",
        Number,
        false,
        [],
        Make::Backend(Fetch::UsableServers),
        "The servers of a backend that can be used. In `listen`, the argument may be left out."
    ),
    row!(
        "be_conn(BACKEND)",
        Number,
        false,
        [],
        Make::Backend(Fetch::BackendSessions),
        "Its sessions, waiting ones included."
    ),
    row!(
        "queue(BACKEND)",
        Number,
        false,
        [],
        Make::Backend(Fetch::BackendQueue),
        "Its sessions that wait."
    ),
    row!(
        "avg_queue(BACKEND)",
        Number,
        false,
        [],
        Make::Backend(Fetch::BackendAverageQueue),
        "Those, for each server that can be used."
    ),
    row!(
        "connslots(BACKEND)",
        Number,
        false,
        [],
        Make::Backend(Fetch::BackendSlots),
        "How many more sessions the servers of a backend would take, at once or waiting; -1 where one of them has no `maxconn` or no `maxqueue`."
    ),
    row!(
        "srv_is_up(BACKEND/SERVER)",
        Bool,
        false,
        [],
        Make::Server(Fetch::ServerIsUp),
        "Whether a server can be used. Without a backend, one of the section."
    ),
    row!(
        "srv_conn(BACKEND/SERVER)",
        Number,
        false,
        [],
        Make::Server(Fetch::ServerSessions),
        "Its sessions."
    ),
    row!(
        "srv_queue(BACKEND/SERVER)",
        Number,
        false,
        [],
        Make::Server(Fetch::ServerQueue),
        "Sessions that wait for it and for no other."
    ),
    row!(
        "so_id",
        Number,
        false,
        [],
        Make::Plain(|| Fetch::ListenerNumber),
        "The number of the socket that the client has come in by: the `id` of its `bind` line, or its place among the sockets of the frontend, from 1."
    ),
    row!(
        "so_name",
        Text,
        false,
        [],
        Make::Plain(|| Fetch::ListenerName),
        "The `name` of its `bind` line."
    ),
];

impl Row {
    /// What it is called.
    pub(super) fn name(&self) -> &'static str {
        self.doc.name()
    }
}

pub(super) fn find(name: &str) -> Option<&'static Row> {
    FETCHES
        .iter()
        .find(|row| row.name() == name || row.aliases.contains(&name))
}

/// What the reference has of each.
pub(crate) fn entries() -> impl Iterator<Item = &'static FetchDoc> {
    FETCHES.iter().map(|row| &row.doc)
}

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

fn tlv(args: &[&str]) -> Result<Fetch, &'static str> {
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

fn payload(args: &[&str]) -> Result<Fetch, &'static str> {
    let numbers: Option<Vec<u32>> = args.iter().map(|arg| arg.parse().ok()).collect();
    match numbers.as_deref() {
        Some(&[offset, length]) => Ok(Fetch::Payload { offset, length }),
        _ => Err("an offset and a length"),
    }
}

fn payload_lv(args: &[&str]) -> Result<Fetch, &'static str> {
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
    Ok(Fetch::PayloadLv { offset, size, from })
}

fn boolean(args: &[&str]) -> Result<Fetch, &'static str> {
    match args {
        ["true" | "1"] => Ok(Fetch::Bool(true)),
        ["false" | "0"] => Ok(Fetch::Bool(false)),
        _ => Err("`true` or `false`"),
    }
}

fn integer(args: &[&str]) -> Result<Fetch, &'static str> {
    match args {
        [number] => number.parse().map(Fetch::Int).map_err(|_| "a whole number"),
        _ => Err("a whole number"),
    }
}

fn text(args: &[&str]) -> Result<Fetch, &'static str> {
    match args {
        [text] if !text.is_empty() => Ok(Fetch::Str((*text).to_owned())),
        _ => Err("a text without commas"),
    }
}

fn ipv4(args: &[&str]) -> Result<Fetch, &'static str> {
    match args {
        [ip] => ip
            .parse()
            .map(|ip| Fetch::Ip(IpAddr::V4(ip)))
            .map_err(|_| "an IPv4 address"),
        _ => Err("an IPv4 address"),
    }
}

fn ipv6(args: &[&str]) -> Result<Fetch, &'static str> {
    match args {
        [ip] => ip
            .parse()
            .map(|ip| Fetch::Ip(IpAddr::V6(ip)))
            .map_err(|_| "an IPv6 address"),
        _ => Err("an IPv6 address"),
    }
}

fn random(args: &[&str]) -> Result<Fetch, &'static str> {
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
