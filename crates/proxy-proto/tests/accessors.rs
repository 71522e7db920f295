//! The typed views of a header: text, SSL, vendors, UNIX names, errors as text.

mod common;

use common::{unhex, vectors};
use proxy_proto::{
    Addresses, Charset, Checksum, Command, Header, Invalid, ParseError, Reason, SslClient, TextError,
    TlvType, TlvValue, Transport, Unix, Version, parse, v2, vendor,
};

#[test]
fn every_accessor_finds_its_tlv_wherever_it_stands() {
    let mut buf = [0; 512];
    let len = v2::Builder::local(&mut buf)
        .netns(b"blue")
        .unique_id(b"id\0\xff")
        .crc32c()
        .ssl(SslClient::SSL, 7, |ssl| {
            ssl.version("TLSv1.3");
        })
        .authority("ex\u{e4}mple.org")
        .alpn(b"h2")
        .finish()
        .unwrap();
    let header = parse(&buf[..len]).unwrap().header;
    assert_eq!(header.version(), Version::V2);
    assert_eq!(header.command(), Command::Local);
    assert_eq!(header.crc32c(), Checksum::Verified);
    assert_eq!(header.netns(), Some(&b"blue"[..]));
    assert_eq!(header.netns_str(), Ok(Some("blue")));
    assert_eq!(header.unique_id(), Some(&b"id\0\xff"[..]));
    assert_eq!(header.authority_str(), Ok(Some("ex\u{e4}mple.org")));
    assert_eq!(header.alpn(), Some(&b"h2"[..]));
    assert_eq!(header.ssl().unwrap().verify(), 7);
    assert_eq!(header.tlvs().count(), 6);
}

#[test]
fn absent_tlvs_are_none_and_a_local_header_has_no_addresses() {
    let header = of_vector("v2-local-tcp4-with-addr");
    assert_eq!(header.command(), Command::Local);
    assert_eq!(header.addresses(), Addresses::Unspec);
    assert_eq!(header.socket_addrs(), None);
    assert_eq!(header.transport(), None);
    assert_eq!(
        (header.netns(), header.unique_id(), header.alpn(), header.ssl()),
        (None, None, None, None)
    );
    assert_eq!((header.netns_str(), header.authority_str()), (Ok(None), Ok(None)));
    assert_eq!(header.crc32c(), Checksum::Absent);
}

#[test]
fn the_first_of_several_tlvs_of_one_type_is_taken() {
    assert_eq!(
        of_vector("v2-tlv-order-and-duplicates").authority(),
        Some(&b"a.example"[..])
    );
}

#[test]
fn text_of_the_wrong_character_set_fails_as_text_and_stays_readable_raw() {
    let header = of_vector("v2-tlv-netns-nonascii");
    let raw = header.netns().unwrap();
    let error = header.netns_str().unwrap_err();
    assert_eq!(error.charset, Charset::Ascii);
    assert!(!raw[error.valid_up_to].is_ascii());

    let bytes = with_tlv(TlvType::AUTHORITY, b"ab\xc3");
    let header = parse(&bytes).unwrap().header;
    assert_eq!(header.authority(), Some(&b"ab\xc3"[..]));
    assert_eq!(
        header.authority_str(),
        Err(TextError {
            charset: Charset::Utf8,
            valid_up_to: 2
        })
    );
    assert_eq!(
        header.authority_str().unwrap_err().to_string(),
        "not UTF-8 after 2 bytes"
    );
}

#[test]
fn all_parts_of_ssl_are_read() {
    let header = of_vector("v2-ssl-all-subtypes");
    let ssl = header.ssl().unwrap();
    let texts = [
        ssl.version(),
        ssl.common_name(),
        ssl.cipher(),
        ssl.signature_algorithm(),
        ssl.key_algorithm(),
        ssl.group(),
        ssl.signature_scheme(),
    ];
    for (text, tlv) in texts.into_iter().zip(ssl.sub_tlvs()) {
        assert_eq!(text.unwrap().as_bytes(), tlv.value(), "{tlv:?}");
        assert!(text.unwrap().to_str().is_ok());
    }
    assert_eq!(ssl.sub_tlvs().count(), 8);
    assert_eq!(
        ssl.client_certificate(),
        ssl.sub_tlvs().last().map(|tlv| tlv.value())
    );
}

#[test]
fn a_client_is_verified_only_with_a_certificate_and_a_zero() {
    for (client, verify, verified) in [
        (0b001, 0, false), // TLS without certificate: HAProxy writes 0 here too
        (0b000, 0, false), // clear text
        (0b011, 0, true),
        (0b101, 0, true),
        (0b111, 0, true),
        (0b111, 1, false),
        (0b010, 0, true),
        (0b1000, 0, false),
    ] {
        let value = [&[client][..], &u32::to_be_bytes(verify)].concat();
        let bytes = with_tlv(TlvType::SSL, &value);
        let ssl = parse(&bytes).unwrap().header.ssl().unwrap();
        assert_eq!(ssl.is_verified(), verified, "{ssl:?}");
        assert_eq!(ssl.is_tls(), client & 1 == 1);
        assert_eq!(ssl.client().0, client);
    }
    assert!(!of_vector("v2-ssl-minimal").ssl().unwrap().is_verified());
}

#[test]
fn decode_gives_each_tlv_its_meaning() {
    let mut buf = [0; 512];
    let len = v2::Builder::local(&mut buf)
        .alpn(b"h2")
        .authority("a")
        .crc32c()
        .noop(1)
        .unique_id(b"u")
        .ssl(SslClient::default(), 1, |_| {})
        .netns(b"n")
        .tlv(TlvType(0xE3), b"x")
        .finish()
        .unwrap();
    let header = parse(&buf[..len]).unwrap().header;
    let values: Vec<_> = header.tlvs().map(|tlv| tlv.decode()).collect();
    let [
        TlvValue::Alpn(b"h2"),
        TlvValue::Authority(authority),
        TlvValue::Crc32c(_),
        TlvValue::Noop([0]),
        TlvValue::UniqueId(b"u"),
        TlvValue::Ssl(ssl),
        TlvValue::Netns(netns),
        TlvValue::Other(TlvType(0xE3), b"x"),
    ] = values[..]
    else {
        panic!("{values:?}")
    };
    assert_eq!(
        (authority.to_str(), netns.to_str(), ssl.verify()),
        (Ok("a"), Ok("n"), 1)
    );
}

#[test]
fn tlv_types_are_sorted_into_their_ranges() {
    for byte in 0..=255 {
        let kind = TlvType(byte);
        let ranges = [kind.is_custom(), kind.is_experimental(), kind.is_future()];
        let expected = [
            (0xE0..=0xEF).contains(&byte),
            (0xF0..=0xF7).contains(&byte),
            byte >= 0xF8,
        ];
        assert_eq!(ranges, expected, "{kind}");
        assert!(kind.name().is_none() || !ranges.contains(&true));
    }
    assert_eq!(TlvType::NETNS.to_string(), "NETNS (0x30)");
    assert_eq!(TlvType(0xEA).to_string(), "0xea");
}

#[test]
fn vendor_values_are_read_from_captured_headers() {
    let aws = of_vector("v2-tlv-aws-vpce");
    assert!(vendor::aws::vpc_endpoint_id(&aws).unwrap().starts_with("vpce-"));
    assert_eq!(vendor::azure::private_endpoint_link_id(&aws), None);
    assert_eq!(
        vendor::azure::private_endpoint_link_id(&of_vector("v2-tlv-azure-linkid")),
        Some(0x0300_007b)
    );
    assert_eq!(
        vendor::gcp::psc_connection_id(&of_vector("v2-tlv-gcp-psc")),
        Some(18_446_744_072_646_845_442)
    );
}

#[test]
fn vendor_values_of_another_shape_are_not_read() {
    let bytes = with_tlv(vendor::aws::TYPE, b"\x01vpce-1;rm");
    assert_eq!(vendor::aws::vpc_endpoint_id(&parse(&bytes).unwrap().header), None);
    let bytes = with_tlv(vendor::azure::TYPE, b"\x01123");
    assert_eq!(
        vendor::azure::private_endpoint_link_id(&parse(&bytes).unwrap().header),
        None
    );
    let bytes = with_tlv(vendor::gcp::TYPE, b"123456789");
    assert_eq!(
        vendor::gcp::psc_connection_id(&parse(&bytes).unwrap().header),
        None
    );
    let bytes = with_tlv(vendor::alibaba::TYPE, b"\x02ep-1");
    let header = parse(&bytes).unwrap().header;
    assert_eq!(vendor::alibaba::endpoint_id(&header), Some("ep-1"));
    assert_eq!(
        (
            vendor::alibaba::vpc_id(&header),
            vendor::alibaba::endpoint_service_id(&header)
        ),
        (None, None)
    );
}

#[test]
fn unix_names_lose_their_filling_and_nothing_else() {
    let field = |name| Unix::field(name).unwrap();
    let (path, name, full) = (field(b"/run/a.sock"), field(b"\0ab\0c"), [b'x'; 108]);
    let unix = Unix {
        source: &path,
        destination: &name,
    };
    assert_eq!(unix.source_name(), b"/run/a.sock");
    assert_eq!(unix.destination_name(), b"\0ab\0c");
    let unix = Unix {
        source: &[0; 108],
        destination: &full,
    };
    assert_eq!(unix.source_name(), b"");
    assert_eq!(unix.destination_name(), &full);
    assert_eq!(Unix::field(&[1; 109]), None);
    // A path ends at its first NUL, whatever an old buffer left behind it.
    let dirty = field(b"/run/a\0junk");
    assert_eq!(
        Unix {
            source: &dirty,
            destination: &full
        }
        .source_name(),
        b"/run/a"
    );
}

#[test]
fn every_fault_is_named_with_its_place() {
    let v2 = |tail: &str| [&v2::SIGNATURE[..], &unhex(tail)].concat();
    let tcp4 = "0a0000010a00000200500051";
    for (bytes, reason, offset) in [
        (b"GET /".to_vec(), Reason::NotProxy, 0),
        (b"PROXZ".to_vec(), Reason::NotProxy, 4),
        (b"PROXY TCP5".to_vec(), Reason::Protocol, 9),
        (b"PROXY UNKNOWNx".to_vec(), Reason::Protocol, 13),
        (
            b"PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n".to_vec(),
            Reason::SourceAddress,
            11,
        ),
        (
            b"PROXY TCP4 1.2.3.4 1.2.3.256 1 2\r\n".to_vec(),
            Reason::DestinationAddress,
            19,
        ),
        (b"PROXY TCP6 ::1 ::2 +1 2\r\n".to_vec(), Reason::SourcePort, 19),
        (
            b"PROXY TCP6 ::1 ::2 1 65536\r\n".to_vec(),
            Reason::DestinationPort,
            21,
        ),
        (
            b"PROXY TCP6 ::1 ::2 1 2 \r\n".to_vec(),
            Reason::DestinationPort,
            22,
        ),
        (b"PROXY TCP4 1\r2".to_vec(), Reason::BareCr, 12),
        (b"PROXY TCP4 1\n".to_vec(), Reason::BareLf, 12),
        (
            [&b"PROXY UNKNOWN "[..], &[b'x'; 93]].concat(),
            Reason::LineTooLong,
            107,
        ),
        (v2("31"), Reason::Version(3), 12),
        (v2("22"), Reason::Command(2), 12),
        (v2("2141"), Reason::Family(4), 13),
        (v2("2113"), Reason::Transport(3), 13),
        (v2("2111000b"), Reason::AddressBlock(11), 14),
        (v2(&format!("2111000d{tcp4}04")), Reason::StrayBytes, 28),
        (
            v2(&format!("21110010{tcp4}05000200")),
            Reason::TlvOverrun(TlvType::UNIQUE_ID),
            28,
        ),
        (
            v2(&format!("21110012{tcp4}030003000000")),
            Reason::ChecksumLength,
            28,
        ),
        (
            v2(&format!("21110013{tcp4}03000400000000")),
            Reason::ChecksumMismatch,
            31,
        ),
        (
            v2(&format!("2111001a{tcp4}0300040000000003000400000000")),
            Reason::ChecksumRepeated,
            35,
        ),
        (
            v2(&format!("21110013{tcp4}20000401000000")),
            Reason::SslLength,
            28,
        ),
        (
            v2(&format!("21110015{tcp4}200006010000000021")),
            Reason::SslChain,
            28,
        ),
    ] {
        let invalid = Invalid { reason, offset };
        assert_eq!(
            parse(&bytes),
            Err(ParseError::Invalid(invalid)),
            "{}",
            bytes.escape_ascii()
        );
        assert!(!reason.to_string().is_empty());
    }
    let long_id = with_raw_unique_id(129);
    assert_eq!(
        parse(&long_id),
        Err(ParseError::Invalid(Invalid {
            reason: Reason::UniqueIdLength,
            offset: 16
        }))
    );
}

#[test]
fn errors_read_as_sentences() {
    let text = |bytes: &[u8]| parse(bytes).unwrap_err().to_string();
    assert_eq!(
        text(b"PROXY TCP4 "),
        "incomplete PROXY header: at least 32 bytes are needed"
    );
    assert_eq!(
        text(b"GET / HTTP/1.1\r\n"),
        "invalid PROXY header at byte 0: neither a version 1 nor a version 2 signature"
    );
    assert_eq!(
        text(b"PROXY TCP4 1.2.3.4 1.2.3.4 1 +2\r\n"),
        "invalid PROXY header at byte 29: bad destination port, or text after it"
    );
}

#[test]
fn values_stay_small() {
    assert!(size_of::<Header<'_>>() <= 64, "{}", size_of::<Header<'_>>());
    assert!(size_of::<ParseError>() <= 24, "{}", size_of::<ParseError>());
}

#[cfg(all(feature = "std", unix))]
#[test]
fn unix_ends_become_addresses_of_the_standard_library() {
    use std::path::Path;

    let (path, unnamed) = (Unix::field(b"/run/a.sock").unwrap(), [0; 108]);
    let unix = Unix {
        source: &path,
        destination: &unnamed,
    };
    assert_eq!(
        unix.source_addr().unwrap().as_pathname(),
        Some(Path::new("/run/a.sock"))
    );
    assert!(unix.destination_addr().unwrap().is_unnamed());
    let (full, abstract_name) = ([b'x'; 108], Unix::field(b"\0name").unwrap());
    let unix = Unix {
        source: &full,
        destination: &abstract_name,
    };
    assert_eq!(
        unix.source_addr().unwrap_err().kind(),
        std::io::ErrorKind::InvalidInput
    );
    #[cfg(target_os = "linux")]
    assert_eq!(
        std::os::linux::net::SocketAddrExt::as_abstract_name(&unix.destination_addr().unwrap()),
        Some(&b"name"[..])
    );
}

#[cfg(feature = "std")]
#[test]
fn io_errors_tell_a_cut_header_from_a_wrong_one() {
    use std::io::{Error, ErrorKind};

    assert_eq!(
        Error::from(parse(b"PROXY").unwrap_err()).kind(),
        ErrorKind::UnexpectedEof
    );
    assert_eq!(
        Error::from(parse(b"HELO").unwrap_err()).kind(),
        ErrorKind::InvalidData
    );
    assert_eq!(
        Error::from(proxy_proto::parse_datagram(b"\r\n").unwrap_err()).kind(),
        ErrorKind::InvalidData
    );
    assert_eq!(
        Error::from(proxy_proto::WriteError::NotInV1).kind(),
        ErrorKind::InvalidInput
    );
}

/// The header of a vector, which lives as long as the test run.
fn of_vector(name: &str) -> Header<'static> {
    let vector = vectors()
        .into_iter()
        .find(|vector| vector.name == name)
        .expect("a vector of that name");
    parse(vector.bytes.leak()).expect("a good header").header
}

fn with_tlv(kind: TlvType, value: &[u8]) -> Vec<u8> {
    let mut buf = vec![0; 512];
    let addresses = Addresses::promoted(Transport::Stream, ([1; 4], 1).into(), ([2; 4], 2).into());
    let len = v2::Builder::proxy(&mut buf, addresses)
        .tlv(kind, value)
        .finish()
        .expect("room");
    buf.truncate(len);
    buf
}

fn with_raw_unique_id(len: u8) -> Vec<u8> {
    let fixed = [
        &v2::SIGNATURE[..],
        &[0x20, 0, 0, len + 3, TlvType::UNIQUE_ID.0, 0, len],
    ]
    .concat();
    [fixed, vec![0; usize::from(len)]].concat()
}
