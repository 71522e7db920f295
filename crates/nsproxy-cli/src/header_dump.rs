//! A PROXY header, taken apart for a reader: offsets, bytes, field, meaning.

use std::fmt::Write as _;
use std::ops::Range;

use proxy_proto::{Addresses, Header, Parsed, Tlv, TlvType, Version};

/// Bytes in a row of the dump.
const ROW: usize = 12;
/// Length of a v2 header before the addresses.
const V2_FIXED: usize = 16;

/// The annotated dump of the header that `bytes` begin with.
///
/// # Errors
///
/// There is no whole and valid header.
pub(crate) fn annotate(bytes: &[u8]) -> anyhow::Result<String> {
    let Parsed { header, consumed } =
        proxy_proto::parse(bytes).map_err(|error| anyhow::anyhow!("{error}"))?;
    let bytes = &bytes[..consumed];
    let mut dump = Dump {
        bytes,
        text: String::new(),
    };
    match header.version() {
        Version::V1 => dump.field(0..consumed, &format!("text: {}", bytes.escape_ascii())),
        Version::V2 => v2(&mut dump, &header, consumed),
    }
    Ok(dump.text)
}

fn v2(dump: &mut Dump<'_>, header: &Header<'_>, consumed: usize) {
    let command = if header.is_local() {
        "LOCAL, the proxy's own connection"
    } else {
        "PROXY"
    };
    dump.field(0..12, "signature");
    dump.field(12..13, &format!("version 2, command {command}"));
    let (family, block) = match header.addresses() {
        Addresses::Unspec => ("family unspecified", 0),
        Addresses::Inet(..) => ("IPv4", 12),
        Addresses::Inet6(..) => ("IPv6", 36),
        Addresses::Unix(..) => ("unix", 216),
    };
    let transport = header
        .transport()
        .map(|transport| format!(", {transport:?}").to_lowercase())
        .unwrap_or_default();
    dump.field(13..14, &format!("{family}{transport}"));
    dump.field(14..V2_FIXED, &format!("{} bytes follow", consumed - V2_FIXED));
    let mut at = V2_FIXED;
    let ip = if block == 36 { 16 } else { 4 };
    if let Some((source, destination)) = header.socket_addrs() {
        dump.field(at..at + ip, &format!("source address {}", source.ip()));
        dump.field(
            at + ip..at + 2 * ip,
            &format!("destination address {}", destination.ip()),
        );
        dump.field(
            at + 2 * ip..at + 2 * ip + 2,
            &format!("source port {}", source.port()),
        );
        dump.field(
            at + 2 * ip + 2..at + block,
            &format!("destination port {}", destination.port()),
        );
    } else if block > 0 {
        dump.field(at..at + block, "source and destination path");
    }
    at += block;
    // A block that is not made of TLVs is skipped by every receiver.
    let length: usize = header.tlvs().map(|tlv| 3 + tlv.value().len()).sum();
    if at + length != consumed {
        return dump.field(at..consumed, "skipped");
    }
    for tlv in header.tlvs() {
        let end = at + 3 + tlv.value().len();
        dump.field(at..at + 1, &format!("TLV type {}", name(&tlv)));
        dump.field(at + 1..at + 3, &format!("{} bytes", tlv.value().len()));
        dump.field(at + 3..end, &meaning(&tlv));
        at = end;
    }
}

fn name(tlv: &Tlv<'_>) -> String {
    tlv.kind()
        .name()
        .map_or_else(|| format!("{:#04x}", tlv.kind().0), str::to_owned)
}

fn meaning(tlv: &Tlv<'_>) -> String {
    let text = tlv.value().escape_ascii();
    match tlv.kind() {
        TlvType::NETNS => format!("network namespace `{text}`"),
        TlvType::AUTHORITY => format!("host name `{text}`"),
        TlvType::ALPN => format!("protocol `{text}`"),
        TlvType::CRC32C => "checksum, verified".to_owned(),
        TlvType::NOOP => "padding".to_owned(),
        _ => "value".to_owned(),
    }
}

struct Dump<'a> {
    bytes: &'a [u8],
    text: String,
}

impl Dump<'_> {
    /// One field: its bytes in rows, its meaning behind the first.
    fn field(&mut self, range: Range<usize>, meaning: &str) {
        let start = range.start;
        for (row, bytes) in self.bytes[range].chunks(ROW).enumerate() {
            let hex: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let meaning = if row == 0 { meaning } else { "" };
            let line = format!("{:>4}  {:<36}  {meaning}", start + row * ROW, hex.join(" "));
            // Writing to a string cannot fail.
            let _ = writeln!(self.text, "{}", line.trim_end());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_of_a_header_is_named_once() {
        let header =
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x13\x7f\0\0\x01\x7f\0\0\x02\x12\x34\x00\x50\x30\x00\x04blue";
        let dump = annotate(header).unwrap();
        let offsets: Vec<_> = dump
            .lines()
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        assert_eq!(
            offsets,
            ["0", "12", "13", "14", "16", "20", "24", "26", "28", "29", "31"]
        );
        assert!(dump.contains("network namespace `blue`"), "{dump}");
        assert!(
            dump.contains("source address 127.0.0.1") && dump.contains("destination port 80"),
            "{dump}"
        );
    }

    #[test]
    fn a_text_header_is_shown_as_text() {
        assert!(
            annotate(b"PROXY UNKNOWN\r\nrest")
                .unwrap()
                .contains(r"PROXY UNKNOWN\r\n")
        );
    }

    #[test]
    fn half_a_header_is_an_error() {
        assert!(annotate(b"PROXY TCP4").is_err());
    }
}
