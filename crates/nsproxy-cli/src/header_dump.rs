//! A PROXY header, taken apart for a reader: offsets, bytes, field, meaning. Each byte of the header is in exactly one row.

use std::fmt::Write as _;

use proxy_proto::{Addresses, Command, Header, Parsed, Ssl, Tlv, TlvType, TlvValue, Unix, Version, v2};

/// Bytes in a row of the dump.
const ROW: usize = 12;

/// The annotated dump of the header that `bytes` begin with.
///
/// # Errors
///
/// There is no whole and valid header.
pub(crate) fn annotate(bytes: &[u8]) -> anyhow::Result<String> {
    let parsed = proxy_proto::parse(bytes).map_err(|error| anyhow::anyhow!("{error}"))?;
    Ok(dump(bytes, &parsed))
}

/// The annotated dump of a header that was parsed from `bytes`.
pub(crate) fn dump(bytes: &[u8], parsed: &Parsed<'_>) -> String {
    let mut dump = Dump {
        bytes: &bytes[..parsed.consumed],
        at: 0,
        text: String::new(),
    };
    match parsed.header.version() {
        Version::V1 => v1_line(&mut dump, &parsed.header),
        Version::V2 => v2_block(&mut dump, &parsed.header),
    }
    dump.text
}

/// The words of the line, each with the space behind it.
fn v1_line(dump: &mut Dump<'_>, header: &Header<'_>) {
    let words: &[&str] = match header.socket_addrs() {
        Some((source, destination)) => &[
            "signature of version 1",
            if source.is_ipv4() {
                "TCP over IPv4"
            } else {
                "TCP over IPv6"
            },
            &format!("source address {}", source.ip()),
            &format!("destination address {}", destination.ip()),
            &format!("source port {}", source.port()),
        ],
        None => &["signature of version 1"],
    };
    for meaning in words {
        let word = dump.rest().split_inclusive(|&byte| byte == b' ').next();
        dump.field(word.map_or(0, <[u8]>::len), meaning);
    }
    let line_end = dump.rest().len() - 2;
    if let Some((_, destination)) = header.socket_addrs() {
        dump.field(line_end, &format!("destination port {}", destination.port()));
    } else {
        let word = "UNKNOWN".len();
        dump.field(word, "addresses unknown");
        dump.field(line_end - word, "ignored");
    }
    dump.field(2, "end of the line");
}

fn v2_block(dump: &mut Dump<'_>, header: &Header<'_>) {
    let family_transport = dump.bytes[13];
    dump.field(v2::SIGNATURE.len(), "signature of version 2");
    let (command, family) = match header.command() {
        Command::Local => (
            "LOCAL, the proxy's own connection",
            "family and transport, ignored".to_owned(),
        ),
        Command::Proxy(_) => ("PROXY", family(family_transport)),
    };
    dump.field(1, &format!("version 2, command {command}"));
    dump.field(1, &family);
    dump.field(2, &format!("{} bytes follow", dump.bytes.len() - v2::FIXED_LEN));
    addresses(dump, &header.addresses());
    // A block that is not made of TLVs is skipped by every receiver.
    let length: usize = header.tlvs().map(|tlv| 3 + tlv.value().len()).sum();
    if length != dump.rest().len() {
        return dump.field(dump.rest().len(), "skipped");
    }
    for tlv in header.tlvs() {
        self::tlv(dump, &tlv);
    }
}

fn family(family_transport: u8) -> String {
    let family = ["family unspecified", "IPv4", "IPv6", "unix"][usize::from(family_transport >> 4) & 3];
    let transport = ["transport unspecified", "stream", "dgram", "?"][usize::from(family_transport) & 3];
    format!("{family}, {transport}")
}

fn addresses(dump: &mut Dump<'_>, addresses: &Addresses<'_>) {
    if let Some((source, destination)) = addresses.socket_addrs() {
        let ip = if source.is_ipv4() { 4 } else { 16 };
        dump.field(ip, &format!("source address {}", source.ip()));
        dump.field(ip, &format!("destination address {}", destination.ip()));
        dump.field(2, &format!("source port {}", source.port()));
        dump.field(2, &format!("destination port {}", destination.port()));
    } else if let Addresses::Unix(_, unix) = addresses {
        unix_names(dump, unix);
    }
}

fn unix_names(dump: &mut Dump<'_>, unix: &Unix<'_>) {
    for (side, field, name) in [
        ("source", unix.source, unix.source_name()),
        ("destination", unix.destination, unix.destination_name()),
    ] {
        let name = name.escape_ascii();
        dump.field(field.len(), &format!("{side} `{name}`"));
    }
}

fn tlv(dump: &mut Dump<'_>, tlv: &Tlv<'_>) {
    tlv_head(dump, tlv);
    match tlv.decode() {
        TlvValue::Ssl(ssl) => self::ssl(dump, &ssl),
        value => dump.field(tlv.value().len(), &meaning(&value)),
    }
}

fn tlv_head(dump: &mut Dump<'_>, tlv: &Tlv<'_>) {
    let name = tlv.kind().name().map_or_else(
        || format!("{:#04x}{}", tlv.kind().0, range(tlv.kind())),
        str::to_owned,
    );
    dump.field(1, &format!("TLV type {name}"));
    dump.field(2, &format!("{} bytes", tlv.value().len()));
}

fn range(kind: TlvType) -> &'static str {
    match kind {
        _ if kind.is_custom() => ", custom",
        _ if kind.is_experimental() => ", experimental",
        _ if kind.is_future() => ", reserved",
        _ => "",
    }
}

fn meaning(value: &TlvValue<'_>) -> String {
    match value {
        TlvValue::Netns(name) => format!("network namespace `{}`", name.as_bytes().escape_ascii()),
        TlvValue::Authority(host) => format!("host name `{}`", host.as_bytes().escape_ascii()),
        TlvValue::Alpn(protocol) => format!("protocol `{}`", protocol.escape_ascii()),
        TlvValue::UniqueId(id) => format!("connection `{}`", id.escape_ascii()),
        TlvValue::Crc32c(_) => "checksum, verified".to_owned(),
        TlvValue::Noop(_) => "padding".to_owned(),
        _ => "value".to_owned(),
    }
}

fn ssl(dump: &mut Dump<'_>, ssl: &Ssl<'_>) {
    let tls = if ssl.is_tls() { "over TLS" } else { "not over TLS" };
    let certificate = if ssl.client().0 & 0x06 == 0 {
        "no client certificate"
    } else {
        "client certificate"
    };
    dump.field(1, &format!("{tls}, {certificate}"));
    let verified = if ssl.is_verified() {
        "verified"
    } else {
        "not verified"
    };
    dump.field(4, &format!("verification result {}: {verified}", ssl.verify()));
    for sub in ssl.sub_tlvs() {
        tlv_head(dump, &sub);
        let is_text = sub.kind() != TlvType::SSL_CLIENT_CERT && sub.kind().name().is_some();
        let meaning = if is_text {
            format!("`{}`", sub.value().escape_ascii())
        } else {
            "value".to_owned()
        };
        dump.field(sub.value().len(), &meaning);
    }
}

struct Dump<'a> {
    bytes: &'a [u8],
    /// Bytes that have been dumped.
    at: usize,
    text: String,
}

impl<'a> Dump<'a> {
    fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// The next `len` bytes: in rows, with their meaning behind the first. Nothing for a field without bytes.
    fn field(&mut self, len: usize, meaning: &str) {
        let start = self.at;
        self.at += len;
        for (row, bytes) in self.bytes[start..self.at].chunks(ROW).enumerate() {
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
    fn a_line_of_text_is_shown_word_by_word() {
        let dump = annotate(b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\nrest").unwrap();
        let meanings: Vec<_> = dump
            .lines()
            .filter_map(|line| line.get(44..))
            .filter(|meaning| !meaning.is_empty())
            .collect();
        assert_eq!(
            meanings,
            [
                "signature of version 1",
                "TCP over IPv4",
                "source address 192.0.2.1",
                "destination address 198.51.100.7",
                "source port 56324",
                "destination port 443",
                "end of the line",
            ],
            "{dump}"
        );
    }

    #[test]
    fn text_after_unknown_is_shown_as_ignored() {
        let dump = annotate(b"PROXY UNKNOWN a b\r\nrest").unwrap();
        assert!(
            dump.contains("addresses unknown") && dump.contains("ignored"),
            "{dump}"
        );
        assert!(!annotate(b"PROXY UNKNOWN\r\n").unwrap().contains("ignored"));
    }

    #[test]
    fn half_a_header_is_an_error() {
        assert!(annotate(b"PROXY TCP4").is_err());
    }
}
