//! The writers: exact bytes, padding, nesting, and that they refuse rather than cut or drop.

mod common;

use common::vectors;
use proxy_proto::{
    Addresses, Checksum, Command, Inet, SslClient, TlvType, Transport, Unix, WriteError, parse, v1, v2,
};

#[test]
fn version_1_lines_are_as_the_specification_has_them() {
    for (source, destination, line) in [
        (
            "192.168.0.1:56324",
            "192.168.0.11:443",
            "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n",
        ),
        (
            "0.0.0.0:0",
            "255.255.255.255:65535",
            "PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n",
        ),
        ("[2001:db8::1]:1", "[::]:10", "PROXY TCP6 2001:db8::1 :: 1 10\r\n"),
        (
            "[1:0:0:2:0:0:0:3]:999",
            "[0:1::]:1000",
            "PROXY TCP6 1:0:0:2::3 0:1:: 999 1000\r\n",
        ),
        (
            "[1:0:2:3:4:5:6:7]:1",
            "[1:0:0:2:3:0:0:4]:1",
            "PROXY TCP6 1:0:2:3:4:5:6:7 1::2:3:0:0:4 1 1\r\n",
        ),
        (
            "[::ffff:192.0.2.1]:1",
            "[::192.0.2.1]:1",
            "PROXY TCP6 ::ffff:192.0.2.1 ::c000:201 1 1\r\n",
        ),
    ] {
        let addresses = Addresses::from_socket_addrs(
            Transport::Stream,
            source.parse().unwrap(),
            destination.parse().unwrap(),
        );
        let mut buf = [0; v1::MAX_LEN];
        let len = v1::encode(&addresses.unwrap(), &mut buf).unwrap();
        assert_eq!(std::str::from_utf8(&buf[..len]), Ok(line));
    }
}

#[test]
fn the_longest_line_fits_its_buffer() {
    let longest = "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535".parse().unwrap();
    let addresses = Addresses::promoted(Transport::Stream, longest, longest);
    assert_eq!(v1::encoded_len(&addresses), Ok(104));
    assert_eq!(
        v1::encode(&addresses, &mut [0; 103]),
        Err(WriteError::BufferTooSmall {
            needed: 104,
            available: 103
        })
    );
}

#[test]
fn version_1_refuses_what_it_cannot_say() {
    let mut buf = [0; v1::MAX_LEN];
    let field = [0; 108];
    for addresses in [
        Addresses::promoted(Transport::Dgram, ([1; 4], 1).into(), ([1; 4], 1).into()),
        Addresses::promoted(Transport::Dgram, ([1; 16], 1).into(), ([1; 16], 1).into()),
        Addresses::Unix(
            Transport::Stream,
            Unix {
                source: &field,
                destination: &field,
            },
        ),
    ] {
        assert_eq!(v1::encode(&addresses, &mut buf), Err(WriteError::NotInV1));
    }
}

#[test]
fn mixed_families_are_promoted_only_when_asked() {
    let (v4, v6) = (([192, 0, 2, 1], 4000).into(), "[2001:db8::1]:25".parse().unwrap());
    assert_eq!(
        Addresses::from_socket_addrs(Transport::Stream, v4, v6),
        Err(WriteError::MixedFamilies)
    );
    assert_eq!(
        Addresses::from_socket_addrs(Transport::Stream, v6, v4),
        Err(WriteError::MixedFamilies)
    );
    let promoted = Addresses::promoted(Transport::Stream, v4, v6);
    let mut buf = [0; v1::MAX_LEN];
    let len = v1::encode(&promoted, &mut buf).unwrap();
    // HAProxy writes the same line.
    assert_eq!(
        &buf[..len],
        b"PROXY TCP6 ::ffff:192.0.2.1 2001:db8::1 4000 25\r\n"
    );
    assert!(matches!(
        Addresses::promoted(Transport::Stream, v4, v4),
        Addresses::Inet(..)
    ));
}

#[test]
fn ssl_written_in_parts_is_the_vector_byte_for_byte() {
    let vector = vectors()
        .into_iter()
        .find(|vector| vector.name == "v2-ssl-all-subtypes")
        .unwrap();
    let header = parse(&vector.bytes).unwrap().header;
    let ssl = header.ssl().unwrap();
    let text = |text: Option<proxy_proto::Text<'static>>| text.unwrap().to_str().unwrap();
    let leaked = parse(vector.bytes.clone().leak()).unwrap().header.ssl().unwrap();
    let mut buf = [0; 512];
    let len = v2::Builder::new(&mut buf, header.command())
        .ssl(ssl.client(), ssl.verify(), |out| {
            out.version(text(leaked.version()))
                .common_name(text(leaked.common_name()))
                .cipher(text(leaked.cipher()))
                .signature_algorithm(text(leaked.signature_algorithm()))
                .key_algorithm(text(leaked.key_algorithm()))
                .group(text(leaked.group()))
                .signature_scheme(text(leaked.signature_scheme()))
                .client_certificate(ssl.client_certificate().unwrap());
        })
        .finish()
        .unwrap();
    assert_eq!(&buf[..len], &vector.bytes[..]);
}

#[test]
fn padding_ends_on_the_boundary_with_whole_tlvs() {
    for alignment in [0, 1, 2, 3, 4, 5, 8, 16, 64, 1000] {
        for id_len in 0..20 {
            let mut buf = [0; 2048];
            let len = v2::Builder::local(&mut buf)
                .unique_id(&vec![7; id_len])
                .pad_to(alignment)
                .finish()
                .unwrap();
            assert!(
                len.is_multiple_of(usize::from(alignment.max(1))),
                "{len} to {alignment}"
            );
            let parsed = parse(&buf[..len]).unwrap();
            assert_eq!(parsed.consumed, len);
            assert!(parsed.header.tlvs().count() <= 2);
            assert!(
                len < 19 + id_len + 3 + usize::from(alignment.max(1)) + 2,
                "{len} is more than needed"
            );
        }
    }
}

#[test]
fn the_checksum_covers_what_is_written_after_it() {
    let mut buf = [0xaa; 128];
    let mut builder = v2::Builder::local(&mut buf);
    builder.crc32c().authority("a").pad_to(32);
    let len = builder.finish().unwrap();
    assert_eq!(builder.finish(), Ok(len), "finishing twice changes nothing");
    assert_eq!(parse(&buf[..len]).unwrap().header.crc32c(), Checksum::Verified);
    buf[len - 1] ^= 1;
    assert!(parse(&buf[..len]).is_err());
}

#[test]
fn what_cannot_be_written_as_asked_is_an_error_that_says_so() {
    type Fill<'a> = &'a dyn Fn(&mut v2::Builder<'_>);
    let long = vec![0; 65_536];
    let cases: [(Fill<'_>, WriteError); 10] = [
        (
            &|out| {
                out.unique_id(&[0; 129]);
            },
            WriteError::UniqueIdTooLong { len: 129 },
        ),
        (
            &|out| {
                out.tlv(TlvType::UNIQUE_ID, &[0; 129]);
            },
            WriteError::UniqueIdTooLong { len: 129 },
        ),
        (
            &|out| {
                out.netns(b"bl\xc3\xbc");
            },
            WriteError::NotAscii { kind: TlvType::NETNS },
        ),
        (
            &|out| {
                out.crc32c().crc32c();
            },
            WriteError::ChecksumRepeated,
        ),
        (
            &|out| {
                out.tlv(TlvType::CRC32C, &[0; 4]);
            },
            WriteError::ChecksumRaw,
        ),
        (
            &|out| {
                out.tlv(TlvType::SSL, &[1, 0, 0, 0, 0, 0x21]);
            },
            WriteError::SslMalformed,
        ),
        (
            &|out| {
                out.ssl(SslClient::SSL, 0, |_| {});
            },
            WriteError::SslVersionMissing,
        ),
        (
            &|out| {
                out.tlv(TlvType(0xE0), &long);
            },
            WriteError::TlvTooLong {
                kind: TlvType(0xE0),
                len: 65_536,
            },
        ),
        (
            &|out| {
                out.ssl(SslClient::default(), 0, |ssl| {
                    ssl.client_certificate(&long[..65_535]);
                });
            },
            WriteError::TlvTooLong {
                kind: TlvType::SSL,
                len: 65_543,
            },
        ),
        (
            &|out| {
                out.noop(65_000).noop(530);
            },
            WriteError::HeaderTooLong { len: 65_536 },
        ),
    ];
    for (fill, error) in cases {
        let mut buf = vec![0; 1 << 18];
        let mut builder = v2::Builder::local(&mut buf);
        fill(&mut builder);
        assert_eq!(builder.encoded_len(), Err(error));
        // Nothing that comes after undoes it, and the first error is kept.
        builder.alpn(b"h2").netns(b"\xff");
        let kept = if matches!(error, WriteError::HeaderTooLong { .. }) {
            WriteError::NotAscii { kind: TlvType::NETNS }
        } else {
            error
        };
        assert_eq!(builder.finish(), Err(kept));
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn the_longest_header_is_written_and_read() {
    let mut buf = vec![0; v2::MAX_LEN];
    let len = v2::Builder::local(&mut buf)
        .noop(65_000)
        .noop(529)
        .finish()
        .unwrap();
    assert_eq!(len, v2::MAX_LEN);
    assert_eq!(parse(&buf).unwrap().consumed, v2::MAX_LEN);
}

#[test]
fn a_builder_without_a_buffer_measures() {
    let inet = Inet::new("192.0.2.1:1".parse().unwrap(), "192.0.2.2:2".parse().unwrap());
    let mut builder = v2::Builder::new(&mut [], Command::Proxy(Addresses::Inet(Transport::Dgram, inet)));
    builder.netns(b"blue").crc32c();
    assert_eq!(builder.encoded_len(), Ok(28 + 7 + 7));
    assert_eq!(
        builder.finish(),
        Err(WriteError::BufferTooSmall {
            needed: 42,
            available: 0
        })
    );
}

#[cfg(feature = "alloc")]
#[test]
fn vectors_are_exactly_as_long_as_the_header() {
    let fill = |out: &mut v2::Builder<'_>| {
        out.crc32c().netns(b"blue");
    };
    let bytes = v2::to_vec(Command::Local, fill).unwrap();
    assert_eq!(parse(&bytes).unwrap().consumed, bytes.len());
    assert_eq!(
        v2::to_vec(Command::Local, |out| {
            out.netns(b"\xff");
        }),
        Err(WriteError::NotAscii { kind: TlvType::NETNS })
    );
    assert_eq!(v1::to_vec(&Addresses::Unspec).unwrap(), b"PROXY UNKNOWN\r\n");
}
