//! Reading, with every entry point and every accessor.

use proxy_proto::{
    Header, ParseError, Parser, Reason, Version, parse, parse_datagram, parse_v1, parse_v2, vendor,
};

/// Prefixes up to this long are all tried. Longer headers are version 2, where only the whole block counts.
const PREFIXES: usize = 300;

/// Parses the bytes in every way, and checks what holds for all: prefixes, suffixes, limits, agreement.
pub fn decode(bytes: &[u8]) {
    let whole = parse(bytes);
    prefixes_agree(bytes);
    match whole {
        Ok(parsed) => {
            assert!((15..=bytes.len()).contains(&parsed.consumed));
            assert_eq!(
                parse(&bytes[..parsed.consumed]),
                whole,
                "what follows the header changed it"
            );
            assert_eq!(Parser::new().max_len(parsed.consumed).parse(bytes), whole);
            let limited = Parser::new().max_len(parsed.consumed - 1).parse(bytes);
            assert!(
                matches!(limited, Err(ParseError::Invalid(invalid)) if invalid.reason == Reason::TooLong)
            );
            visit(&parsed.header);
        }
        Err(ParseError::Invalid(invalid)) => {
            assert!(invalid.offset <= bytes.len());
            assert!(!invalid.to_string().is_empty());
        }
        Err(ParseError::Incomplete { at_least }) => assert!(at_least > bytes.len()),
    }
    versions_agree(bytes);
}

fn prefixes_agree(bytes: &[u8]) {
    let whole = parse(bytes);
    for len in 0..bytes.len().min(PREFIXES) {
        match (parse(&bytes[..len]), whole) {
            (Ok(prefix), _) => assert_eq!(Ok(prefix), whole),
            (Err(ParseError::Invalid(_)), Err(ParseError::Invalid(_))) => {}
            (Err(ParseError::Incomplete { at_least }), Ok(parsed)) => {
                assert!(len < at_least && at_least <= parsed.consumed);
            }
            (Err(ParseError::Incomplete { at_least }), Err(_)) => assert!(len < at_least),
            other => panic!("{len}: {other:?}"),
        }
    }
}

fn versions_agree(bytes: &[u8]) {
    let either = parse(bytes);
    match (bytes.first(), either) {
        (Some(b'P'), _) => assert_eq!(parse_v1(bytes), either),
        (Some(b'\r'), _) => assert_eq!(parse_v2(bytes), either),
        _ => assert!(parse_v1(bytes).is_err() && parse_v2(bytes).is_err()),
    }
    let is_v2 = either.is_ok_and(|parsed| parsed.header.version() == Version::V2);
    assert_eq!(parse_datagram(bytes).is_ok(), is_v2);
}

fn visit(header: &Header<'_>) {
    for tlv in header.tlvs() {
        let _ = format!("{tlv:?} {:?}", tlv.decode());
    }
    let _ = (
        header.netns_str(),
        header.authority_str(),
        header.alpn(),
        header.socket_addrs(),
    );
    assert!(header.unique_id().is_none_or(|id| id.len() <= 128));
    if let Some(ssl) = header.ssl() {
        let _ = format!("{ssl:?} {:?} {:?}", ssl.version(), ssl.client_certificate());
        assert!(!ssl.is_verified() || ssl.verify() == 0 && ssl.client().0 & 0x06 != 0);
    }
    let _ = (
        vendor::aws::vpc_endpoint_id(header),
        vendor::azure::private_endpoint_link_id(header),
        vendor::gcp::psc_connection_id(header),
        vendor::alibaba::vpc_id(header),
    );
    let _ = format!("{header:?}");
}
