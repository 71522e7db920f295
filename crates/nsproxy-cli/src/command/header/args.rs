//! The options of `nsproxy header`, and the values that they take.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand};
use proxy_proto::TlvType;

use super::hex;

/// Not in the comment: rustdoc would take it for Rust.
const AN_EXAMPLE: &str = "\
To send a request with a header before it:

    (nsproxy header encode --src 192.0.2.1:4711 --dst 198.51.100.7:80 --netns blue --raw;
     printf 'GET / HTTP/1.0\\r\\n\\r\\n') | nc 127.0.0.1 8080";

/// Take PROXY headers apart, or build one.
#[derive(Debug, Subcommand)]
pub(crate) enum Header {
    /// Show what PROXY headers say, byte by byte.
    ///
    /// A header that is wrong or not whole is reported, and the next one shown. Exits with 1 if there was any such, else 0.
    Decode(Decode),
    /// Build a PROXY header, version 2 unless --v1 is given.
    ///
    /// TLVs are written in this order: protocol, host name, unique id, namespace, those of --tlv as
    /// given, checksum. Without --src and --dst the header says that the addresses are unknown.
    #[command(after_long_help = AN_EXAMPLE)]
    Encode(Encode),
}

#[derive(Debug, Args)]
pub(crate) struct Decode {
    /// Headers in hexadecimal, with or without spaces, and perhaps payload behind them. Without any, standard input is read: one
    /// a line.
    #[arg(value_name = "HEX")]
    pub(crate) headers: Vec<String>,
    /// Standard input is one header as it is on the wire, not hexadecimal. It is read up to the end of the header.
    #[arg(long, conflicts_with = "headers")]
    pub(crate) raw: bool,
    /// One line of JSON for each header.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Encode {
    /// Version 1: a line of text. It has no TLVs.
    #[arg(long, conflicts_with_all = ["v2", "local", "netns", "unique_id", "authority", "alpn", "tlvs", "crc32c", "dgram"])]
    pub(crate) v1: bool,
    /// Version 2: binary.
    #[arg(long)]
    pub(crate) v2: bool,
    /// Where the client is: ADDR:PORT, or unix:PATH in version 2.
    #[arg(long, value_name = "ADDRESS", requires = "dst")]
    pub(crate) src: Option<End>,
    /// Where the client connected to.
    #[arg(long, value_name = "ADDRESS", requires = "src")]
    pub(crate) dst: Option<End>,
    /// The relayed connection is made of datagrams.
    #[arg(long, requires = "src")]
    pub(crate) dgram: bool,
    /// The sender's own connection, such as a health check; it has no addresses.
    #[arg(long, conflicts_with_all = ["src", "dst"])]
    pub(crate) local: bool,
    /// Network namespace of the client, US-ASCII.
    #[arg(long, value_name = "NAME")]
    pub(crate) netns: Option<String>,
    /// Id of the connection, at most 128 bytes.
    #[arg(long, value_name = "ID")]
    pub(crate) unique_id: Option<String>,
    /// Host name that the client asked for.
    #[arg(long, value_name = "HOST")]
    pub(crate) authority: Option<String>,
    /// Application protocol, such as h2.
    #[arg(long, value_name = "PROTOCOL")]
    pub(crate) alpn: Option<String>,
    /// Any other TLV: its type as a number (224 or 0xe0), its value in hexadecimal. May be repeated.
    #[arg(long = "tlv", value_name = "TYPE=HEX")]
    pub(crate) tlvs: Vec<RawTlv>,
    /// The checksum of the header.
    #[arg(long)]
    pub(crate) crc32c: bool,
    /// Write the bytes themselves, not hexadecimal.
    #[arg(long)]
    pub(crate) raw: bool,
}

/// One end of the relayed connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    Ip(SocketAddr),
    Unix(PathBuf),
}

impl FromStr for End {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("unix:") {
            Some("") => Err("no path after `unix:`".to_owned()),
            Some(path) => Ok(Self::Unix(path.into())),
            None => text
                .parse()
                .map(Self::Ip)
                .map_err(|_| "neither ADDR:PORT (with IPv6 in brackets) nor unix:PATH".to_owned()),
        }
    }
}

/// A TLV as it is on the wire, but for its length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawTlv {
    pub(crate) kind: TlvType,
    pub(crate) value: Vec<u8>,
}

impl FromStr for RawTlv {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, value) = text.split_once('=').ok_or("no `=` between type and value")?;
        let number = match kind.strip_prefix("0x") {
            Some(digits) => u8::from_str_radix(digits, 16),
            None => kind.parse(),
        };
        let kind = number.map_err(|_| format!("the type `{kind}` is no number from 0 to 255 (0xff)"))?;
        let value = hex::read(value.as_bytes()).map_err(|error| format!("the value is {error}"))?;
        let kind = TlvType(kind);
        Ok(Self { kind, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_decimal_or_begins_with_0x() {
        let tlv = |text: &str| text.parse::<RawTlv>().map(|tlv| tlv.kind.0);
        assert_eq!(tlv("224=00"), Ok(0xe0));
        assert_eq!(tlv("0xE0="), Ok(0xe0));
        assert!(tlv("ea=00").is_err() && tlv("256=00").is_err() && tlv("5").is_err());
    }

    #[test]
    fn an_address_without_a_port_is_refused() {
        assert!("192.0.2.1".parse::<End>().is_err());
        assert!("unix:".parse::<End>().is_err());
        assert_eq!("unix:/a".parse(), Ok(End::Unix("/a".into())));
    }
}
