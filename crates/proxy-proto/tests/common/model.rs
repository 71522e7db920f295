//! A second reading of the specification: a receiver as plain as can be, written from the text and sharing nothing with
//! the library, so that one misreading is not made twice.
//!
//! It copies, searches and computes bit by bit, and leans on the standard library's address parsers
//! where those are as strict as the specification.

#![expect(
    clippy::result_large_err,
    reason = "`?` on a verdict keeps the model readable; speed does not matter"
)]

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{End, Expect, Seen};

/// What a receiver of both versions makes of the bytes.
pub(crate) fn receive(bytes: &[u8]) -> Expect {
    match bytes.first() {
        None => Expect::Incomplete,
        Some(b'P') => version_1(bytes).unwrap_or_else(|verdict| verdict),
        Some(b'\r') => version_2(bytes).unwrap_or_else(|verdict| verdict),
        Some(_) => Expect::Error,
    }
}

/// CRC32C one bit at a time.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    let mut state = !0_u32;
    for byte in bytes {
        state ^= u32::from(*byte);
        for _ in 0..8 {
            state = (state >> 1) ^ (0x82F6_3B78 * (state & 1));
        }
    }
    !state
}

fn version_1(bytes: &[u8]) -> Result<Expect, Expect> {
    const KEYWORDS: [&[u8]; 4] = [
        b"PROXY TCP4 ",
        b"PROXY TCP6 ",
        b"PROXY UNKNOWN ",
        b"PROXY UNKNOWN\r\n",
    ];
    let Some(keyword) = KEYWORDS.iter().find(|keyword| bytes.starts_with(keyword)) else {
        let possible = KEYWORDS.iter().any(|keyword| keyword.starts_with(bytes));
        return Err(if possible {
            Expect::Incomplete
        } else {
            Expect::Error
        });
    };
    let unknown = keyword.starts_with(b"PROXY U");
    let window = &bytes[..bytes.len().min(107)];
    let crlf = window.windows(2).position(|pair| pair == b"\r\n");
    if !unknown {
        let body = &window[..crlf.unwrap_or(window.len())];
        let lone_lf = body.contains(&b'\n');
        // The last byte may be the CR of a CRLF still on its way.
        let settled = if crlf.is_none() && bytes.len() <= 107 {
            body.strip_suffix(b"\r").unwrap_or(body)
        } else {
            body
        };
        if lone_lf || settled.contains(&b'\r') {
            return Err(Expect::Error);
        }
    }
    let Some(crlf) = crlf else {
        let missing = if bytes.ends_with(b"\r") { 1 } else { 2 };
        return Err(if bytes.len() + missing <= 107 {
            Expect::Incomplete
        } else {
            Expect::Error
        });
    };
    let line = &bytes[..crlf];
    let mut seen = Seen {
        version: 1,
        command: "proxy".to_owned(),
        family: "unspec".to_owned(),
        transport: "unspec".to_owned(),
        source: None,
        destination: None,
        consumed: crlf + 2,
        tlvs: Vec::new(),
    };
    if !unknown {
        let line = std::str::from_utf8(line).map_err(|_| Expect::Error)?;
        let words: Vec<&str> = line.split(' ').collect();
        let [_, family, source, destination, source_port, destination_port] = words[..] else {
            return Err(Expect::Error);
        };
        let end = |ip: &str, port: &str| {
            let ip = match family {
                "TCP4" => ip.parse::<Ipv4Addr>().ok()?.into(),
                _ => ip.parse::<Ipv6Addr>().ok()?.into(),
            };
            let number: u16 = port.parse().ok()?;
            // Only the canonical text of a number has neither a sign nor a leading zero.
            (number.to_string() == port).then(|| End::Ip(SocketAddr::new(ip, number)))
        };
        (if family == "TCP4" { "inet" } else { "inet6" }).clone_into(&mut seen.family);
        "stream".clone_into(&mut seen.transport);
        seen.source = Some(end(source, source_port).ok_or(Expect::Error)?);
        seen.destination = Some(end(destination, destination_port).ok_or(Expect::Error)?);
    }
    Ok(Expect::Ok(seen))
}

fn version_2(bytes: &[u8]) -> Result<Expect, Expect> {
    const SIGNATURE: [u8; 12] = [
        0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a,
    ];
    if bytes.iter().zip(SIGNATURE).any(|(byte, other)| *byte != other) {
        return Err(Expect::Error);
    }
    let byte = |at: usize| bytes.get(at).copied().ok_or(Expect::Incomplete);
    if byte(12)? >> 4 != 2 || byte(12)? & 0xf > 1 {
        return Err(Expect::Error);
    }
    let local = byte(12)? % 16 == 0;
    let (family, transport) = (byte(13)? >> 4, byte(13)? & 0xf);
    if !local && (family > 3 || transport > 2) {
        return Err(Expect::Error);
    }
    let addressed = !local && family != 0 && transport != 0;
    let block_len = if addressed {
        [0, 12, 36, 216][usize::from(family)]
    } else {
        0
    };
    let len = usize::from(byte(14)?) * 256 + usize::from(byte(15)?);
    if len < block_len {
        return Err(Expect::Error);
    }
    let header = bytes.get(..16 + len).ok_or(Expect::Incomplete)?;

    let chain = chain(&header[16 + block_len..]);
    let tlvs = match chain {
        Some(tlvs) if addressed || local || header[13] == 0 => tlvs,
        None if addressed => return Err(Expect::Error),
        _ => Vec::new(),
    };
    obey_their_rules(header, &tlvs, 16 + block_len).ok_or(Expect::Error)?;

    let port = |at: usize| u16::from(header[at]) * 256 + u16::from(header[at + 1]);
    let ends = match (addressed, family) {
        (false, _) => None,
        (_, 1) => {
            let ip = |at: usize| Ipv4Addr::new(header[at], header[at + 1], header[at + 2], header[at + 3]);
            Some((
                End::Ip((ip(16), port(24)).into()),
                End::Ip((ip(20), port(26)).into()),
            ))
        }
        (_, 2) => {
            let ip = |at: usize| Ipv6Addr::from(std::array::from_fn::<u8, 16, _>(|n| header[at + n]));
            Some((
                End::Ip((ip(16), port(48)).into()),
                End::Ip((ip(32), port(50)).into()),
            ))
        }
        _ => {
            let name = |at: usize| {
                let mut name = header[at..at + 108].to_vec();
                while name.last() == Some(&0) {
                    name.pop();
                }
                End::Unix(name)
            };
            Some((name(16), name(124)))
        }
    };
    let (source, destination) = ends.unzip();
    Ok(Expect::Ok(Seen {
        version: 2,
        command: if local { "local" } else { "proxy" }.to_owned(),
        family: ["unspec", "inet", "inet6", "unix"][if addressed { usize::from(family) } else { 0 }]
            .to_owned(),
        transport: ["unspec", "stream", "dgram"][if addressed { usize::from(transport) } else { 0 }]
            .to_owned(),
        source,
        destination,
        consumed: header.len(),
        tlvs,
    }))
}

/// The TLVs, or `None` when the bytes are anything else.
fn chain(bytes: &[u8]) -> Option<Vec<(u8, Vec<u8>)>> {
    let mut tlvs = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let len = usize::from(*bytes.get(at + 1)?) * 256 + usize::from(*bytes.get(at + 2)?);
        tlvs.push((bytes[at], bytes.get(at + 3..at + 3 + len)?.to_vec()));
        at += 3 + len;
    }
    Some(tlvs)
}

/// The rules of the checksum, the unique id and SSL.
fn obey_their_rules(header: &[u8], tlvs: &[(u8, Vec<u8>)], start: usize) -> Option<()> {
    let mut checksums = 0;
    let mut at = start;
    for (kind, value) in tlvs {
        match kind {
            3 => {
                checksums += 1;
                let mut zeroed = header.to_vec();
                zeroed.get_mut(at + 3..at + 7)?.fill(0);
                if value.len() != 4 || checksums > 1 || crc32c(&zeroed).to_be_bytes() != value[..] {
                    return None;
                }
            }
            5 if value.len() > 128 => return None,
            0x20 => drop(chain(value.get(5..)?)?),
            _ => {}
        }
        at += 3 + value.len();
    }
    Some(())
}
