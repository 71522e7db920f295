//! The same bytes to other implementations. A difference is either on the list below, with the rule that decides
//! it, or a fault of ours.
//!
//! Compared: whether the header is accepted, its length, its IP addresses, its TLVs. Not compared: "incomplete" against
//! "refused", because we refuse on the first byte that no valid header can have, and others later.

use std::net::SocketAddr;

use proxy_proto::{Addresses, Header, Invalid, ParseError, Parsed, Reason, Version, parse};

/// A header as another implementation sees it.
#[derive(Debug)]
struct Peer {
    consumed: usize,
    ends: Option<(SocketAddr, SocketAddr)>,
    /// Types and values, as far as they could be read; `None` where the interface does not give them raw.
    tlvs: Option<Vec<(u8, Vec<u8>)>>,
}

/// A known difference. Sections are those of the specification.
struct Known {
    what: &'static str,
    decided_by: &'static str,
    applies: fn(bytes: &[u8], ours: &Result<Parsed<'_>, ParseError>) -> bool,
}

/// Where they accept and we refuse.
const LAXER: &[Known] = &[
    Known {
        what: "a port with a plus sign or a leading zero",
        decided_by: "2.1: decimal numbers, without leading zeros; a sign is not part of the form",
        applies: |bytes, ours| {
            let odd = bytes.windows(2).any(|pair| matches!(pair, b" +" | b" 0"));
            odd && matches!(reason(ours), Some(Reason::SourcePort | Reason::DestinationPort))
        },
    },
    Known {
        what: "LF ends the line without CR",
        decided_by: "2.1: the receiver must not tolerate a single CR or LF",
        applies: |_, ours| matches!(reason(ours), Some(Reason::BareLf | Reason::BareCr)),
    },
    Known {
        what: "LF without CR ends UNKNOWN",
        decided_by: "2.1: anything presented before the CRLF must be ignored, so the line goes on",
        applies: |bytes, ours| {
            bytes.starts_with(b"PROXY UNKNOWN ") && matches!(ours, Err(ParseError::Incomplete { .. }))
        },
    },
    Known {
        what: "the byte after PROXY is not looked at",
        decided_by: "2.1: exactly one space",
        applies: |bytes, ours| bytes.starts_with(b"PROXY") && fault(ours, Reason::NotProxy, 5),
    },
    Known {
        what: "UNKNOWN with text glued to it",
        decided_by: "2.1: a space or the CRLF follows the protocol",
        applies: |bytes, ours| bytes.starts_with(b"PROXY UNKNOWN") && fault(ours, Reason::Protocol, 13),
    },
    Known {
        what: "a line of more than 107 bytes",
        decided_by: "2.1: without CRLF in the first 107 bytes the line is invalid",
        applies: |_, ours| reason(ours) == Some(Reason::LineTooLong),
    },
    Known {
        what: "TLVs are split only when asked for, the checksum and the limits of types are not checked",
        decided_by: "2.2.3: a wrong checksum must make the connection invalid; 2.2.5, 2.2.6 for the others",
        applies: |_, ours| {
            matches!(
                reason(ours),
                Some(
                    Reason::StrayBytes
                        | Reason::TlvOverrun(_)
                        | Reason::ChecksumLength
                        | Reason::ChecksumMismatch
                        | Reason::ChecksumRepeated
                        | Reason::UniqueIdLength
                        | Reason::SslLength
                        | Reason::SslChain
                )
            )
        },
    },
];

/// Where we accept and they refuse, or wait for ever.
const STRICTER: &[Known] = &[
    Known {
        what: "LOCAL or an unspecified protocol with a block that is not the family's addresses",
        decided_by: "2.2: the family is ignored under LOCAL; the block is skipped by its length",
        applies: |_, ours| unaddressed(ours, Version::V2),
    },
    Known {
        what: "text after UNKNOWN: more than four words, or bytes that are not UTF-8",
        decided_by: "2.1: anything presented before the CRLF must be ignored",
        applies: |_, ours| unaddressed(ours, Version::V1),
    },
];

/// Where both accept, and read something else.
const READ_OTHERWISE: &[Known] = &[
    Known {
        what: "addresses or TLVs found in the block of LOCAL or of an unspecified protocol",
        decided_by: "2.2: the block is to be discarded, addresses in it ignored; TLVs are shown only where it is nothing else",
        applies: |_, ours| unaddressed(ours, Version::V2),
    },
    Known {
        what: "UNKNOWN ends at another CRLF, or its text is read as addresses",
        decided_by: "2.1: anything presented before the CRLF must be ignored",
        applies: |_, ours| unaddressed(ours, Version::V1),
    },
];

/// Parses the bytes with each implementation and checks that every difference is known.
pub fn differential(bytes: &[u8]) {
    compare("ppp", bytes, ppp(bytes).as_ref());
    compare("proxy-header", bytes, proxy_header(bytes).as_ref());
}

fn compare(name: &str, bytes: &[u8], theirs: Option<&Peer>) {
    let ours = parse(bytes);
    let known = match (&ours, theirs) {
        (Err(_), None) => return,
        (Ok(parsed), Some(peer)) if same(parsed, peer) => return,
        (Err(_), Some(_)) => LAXER,
        (Ok(_), None) => STRICTER,
        (Ok(_), Some(_)) => READ_OTHERWISE,
    };
    assert!(
        known.iter().any(|known| (known.applies)(bytes, &ours)),
        "{name} differs in a way that is not listed:\n  bytes  {}\n  ours   {ours:?}\n  theirs {theirs:?}\n  listed {:?}",
        bytes.escape_ascii(),
        known
            .iter()
            .map(|known| (known.what, known.decided_by))
            .collect::<Vec<_>>(),
    );
}

fn same(parsed: &Parsed<'_>, peer: &Peer) -> bool {
    let tlvs = |header: &Header<'_>| {
        header
            .tlvs()
            .map(|tlv| (tlv.kind().0, tlv.value().to_vec()))
            .collect::<Vec<_>>()
    };
    parsed.consumed == peer.consumed
        && parsed.header.socket_addrs() == peer.ends
        && peer
            .tlvs
            .as_ref()
            .is_none_or(|theirs| *theirs == tlvs(&parsed.header))
}

fn ppp(bytes: &[u8]) -> Option<Peer> {
    use ppp::{HeaderResult, v1, v2};

    match HeaderResult::parse(bytes) {
        HeaderResult::V1(Ok(header)) => {
            let ends = match header.addresses {
                v1::Addresses::Tcp4(ip) => Some((
                    (ip.source_address, ip.source_port).into(),
                    (ip.destination_address, ip.destination_port).into(),
                )),
                v1::Addresses::Tcp6(ip) => Some((
                    (ip.source_address, ip.source_port).into(),
                    (ip.destination_address, ip.destination_port).into(),
                )),
                v1::Addresses::Unknown => None,
            };
            Some(Peer {
                consumed: header.header.len(),
                ends,
                tlvs: None,
            })
        }
        HeaderResult::V2(Ok(header)) => {
            let ends = match header.addresses {
                v2::Addresses::IPv4(ip) => Some((
                    (ip.source_address, ip.source_port).into(),
                    (ip.destination_address, ip.destination_port).into(),
                )),
                v2::Addresses::IPv6(ip) => Some((
                    (ip.source_address, ip.source_port).into(),
                    (ip.destination_address, ip.destination_port).into(),
                )),
                v2::Addresses::Unix(_) | v2::Addresses::Unspecified => None,
            };
            let tlvs = header
                .tlvs()
                .map_while(Result::ok)
                .map(|tlv| (tlv.kind, tlv.value.to_vec()))
                .collect();
            Some(Peer {
                consumed: header.len(),
                ends,
                tlvs: Some(tlvs),
            })
        }
        HeaderResult::V1(Err(_)) | HeaderResult::V2(Err(_)) => None,
    }
}

fn proxy_header(bytes: &[u8]) -> Option<Peer> {
    use proxy_header::{ParseConfig, ProxyHeader};

    let (header, consumed) = ProxyHeader::parse(bytes, ParseConfig::default()).ok()?;
    let ends = header
        .proxied_address()
        .map(|address| (address.source, address.destination));
    Some(Peer {
        consumed,
        ends,
        tlvs: None,
    })
}

fn reason(ours: &Result<Parsed<'_>, ParseError>) -> Option<Reason> {
    match ours {
        Err(ParseError::Invalid(invalid)) => Some(invalid.reason),
        _ => None,
    }
}

fn fault(ours: &Result<Parsed<'_>, ParseError>, reason: Reason, offset: usize) -> bool {
    matches!(ours, Err(ParseError::Invalid(invalid)) if *invalid == Invalid { reason, offset })
}

fn unaddressed(ours: &Result<Parsed<'_>, ParseError>, version: Version) -> bool {
    ours.is_ok_and(|parsed| {
        parsed.header.version() == version && parsed.header.addresses() == Addresses::Unspec
    })
}
