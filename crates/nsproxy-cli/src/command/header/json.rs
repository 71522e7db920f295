//! The answer of `nsproxy header decode --json`: one object a header. Every field is always there; one that has no value is null.

use proxy_proto::{Addresses, ParseError, Parsed, Transport, Version};
use serde::Serialize;

use super::hex;

/// What one input was.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    /// `ok`, `incomplete` or `error`.
    result: &'static str,
    /// Length of the header, in bytes.
    consumed: Option<usize>,
    version: Option<u8>,
    command: Option<&'static str>,
    family: Option<&'static str>,
    transport: Option<&'static str>,
    /// `ADDR:PORT`, or `unixhex:` and the name without the NUL bytes behind it.
    src: Option<String>,
    dst: Option<String>,
    tlvs: Vec<Tlv>,
    error: Option<String>,
    /// Where in the header the error is, in bytes.
    offset: Option<usize>,
}

#[derive(Debug, Serialize)]
struct Tlv {
    #[serde(rename = "type")]
    kind: u8,
    value_hex: String,
}

impl Line {
    /// An input that is not even bytes.
    pub(super) fn unreadable(error: &hex::NotHex) -> Self {
        Self {
            error: Some(error.to_string()),
            ..Self::nothing("error")
        }
    }

    pub(super) fn of(parsed: &Result<Parsed<'_>, ParseError>) -> Self {
        match parsed {
            Ok(parsed) => Self::header(parsed),
            Err(error @ ParseError::Incomplete { .. }) => Self {
                error: Some(error.to_string()),
                ..Self::nothing("incomplete")
            },
            Err(ParseError::Invalid(invalid)) => Self {
                error: Some(invalid.reason.to_string()),
                offset: Some(invalid.offset),
                ..Self::nothing("error")
            },
        }
    }

    fn header(Parsed { header, consumed }: &Parsed<'_>) -> Self {
        let (family, src, dst) = match header.addresses() {
            Addresses::Unspec => ("unspec", None, None),
            Addresses::Inet(_, ends) => (
                "inet",
                Some(ends.source().to_string()),
                Some(ends.destination().to_string()),
            ),
            Addresses::Inet6(_, ends) => (
                "inet6",
                Some(ends.source().to_string()),
                Some(ends.destination().to_string()),
            ),
            Addresses::Unix(_, ends) => (
                "unix",
                Some(unix_hex(ends.source)),
                Some(unix_hex(ends.destination)),
            ),
        };
        let tlvs = header.tlvs().map(|tlv| Tlv {
            kind: tlv.kind().0,
            value_hex: hex::write(tlv.value()),
        });
        Self {
            consumed: Some(*consumed),
            version: Some(match header.version() {
                Version::V1 => 1,
                Version::V2 => 2,
            }),
            command: Some(if header.is_local() { "local" } else { "proxy" }),
            family: Some(family),
            transport: Some(match header.transport() {
                None => "unspec",
                Some(Transport::Stream) => "stream",
                Some(Transport::Dgram) => "dgram",
            }),
            src,
            dst,
            tlvs: tlvs.collect(),
            ..Self::nothing("ok")
        }
    }

    const fn nothing(result: &'static str) -> Self {
        Self {
            result,
            consumed: None,
            version: None,
            command: None,
            family: None,
            transport: None,
            src: None,
            dst: None,
            tlvs: Vec::new(),
            error: None,
            offset: None,
        }
    }
}

/// The bytes of the field up to the last that is not NUL: an abstract name begins with one.
fn unix_hex(field: &[u8; 108]) -> String {
    let end = field
        .iter()
        .rposition(|&byte| byte != 0)
        .map_or(0, |last| last + 1);
    format!("unixhex:{}", hex::write(&field[..end]))
}
