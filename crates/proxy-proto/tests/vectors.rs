//! Every vector of `vectors.json`, and for each the properties that must hold whatever the header: of its prefixes,
//! of what follows it, and of writing it again.
//!
//! The file is an array of objects: `name`, `hex`, `expect` (ok, incomplete, error), and for ok `version`, `command`,
//! `family`, `transport`, `src`, `dst` (`ip:port`, or `unixhex:` with the field without trailing NULs), `consumed`, `tlvs`;
//! `basis` names what decides, `roundtrip` says that writing the parsed header again gives the same bytes.

mod common;

use common::{Expect, seen, vectors};
use proxy_proto::{Header, ParseError, Version, parse, parse_datagram, parse_v1, parse_v2, v1, v2};

#[test]
fn every_vector_gives_what_it_expects() {
    let vectors = vectors();
    assert!(vectors.len() >= 126, "the file shrank to {}", vectors.len());
    for vector in &vectors {
        let got = match parse(&vector.bytes) {
            Ok(parsed) => Expect::Ok(seen(&parsed)),
            Err(ParseError::Incomplete { at_least }) => {
                assert!(
                    at_least > vector.bytes.len(),
                    "{}: at_least {at_least}",
                    vector.name
                );
                Expect::Incomplete
            }
            Err(ParseError::Invalid(invalid)) => {
                assert!(invalid.offset <= vector.bytes.len(), "{}: {invalid}", vector.name);
                Expect::Error
            }
        };
        assert_eq!(got, vector.expect, "{}", vector.name);
    }
}

#[test]
fn every_proper_prefix_of_an_accepted_header_is_incomplete_and_never_asks_for_more_than_the_header() {
    for vector in vectors() {
        let Ok(parsed) = parse(&vector.bytes) else {
            continue;
        };
        for len in 0..parsed.consumed {
            match parse(&vector.bytes[..len]) {
                Err(ParseError::Incomplete { at_least }) => {
                    assert!(
                        len < at_least && at_least <= parsed.consumed,
                        "{}: at_least {at_least} for {len}",
                        vector.name
                    );
                }
                other => panic!("{} cut to {len}: {other:?}", vector.name),
            }
        }
    }
}

#[test]
fn what_follows_an_accepted_header_changes_nothing() {
    for vector in vectors() {
        let Ok(parsed) = parse(&vector.bytes) else {
            continue;
        };
        for payload in [
            &b""[..],
            b"\r\n",
            b"\0",
            b"\x04\0\0",
            b"PROXY UNKNOWN\r\n",
            &v2::SIGNATURE,
            &vec![0xff; 70_000],
        ] {
            let bytes = [&vector.bytes[..parsed.consumed], payload].concat();
            assert_eq!(parse(&bytes), Ok(parsed), "{}", vector.name);
        }
    }
}

#[test]
fn a_refused_header_stays_refused_whatever_follows() {
    for vector in vectors() {
        let Err(ParseError::Invalid(_)) = parse(&vector.bytes) else {
            continue;
        };
        for payload in [&b"\r\n"[..], b"\0", b" ", b"443\r\n", &vec![0xff; 70_000]] {
            let bytes = [&vector.bytes[..], payload].concat();
            assert!(
                matches!(parse(&bytes), Err(ParseError::Invalid(_))),
                "{}",
                vector.name
            );
        }
    }
}

#[test]
fn the_version_specific_parsers_agree_on_their_version_and_refuse_the_other() {
    for vector in vectors() {
        let either = parse(&vector.bytes);
        let (own, other) = match vector.bytes.first() {
            Some(b'P') => (parse_v1(&vector.bytes), parse_v2(&vector.bytes)),
            Some(b'\r') => (parse_v2(&vector.bytes), parse_v1(&vector.bytes)),
            _ => continue,
        };
        assert_eq!(own, either, "{}", vector.name);
        assert!(matches!(other, Err(ParseError::Invalid(_))), "{}", vector.name);
    }
}

#[test]
fn in_a_datagram_only_whole_version_2_headers_are_accepted() {
    for vector in vectors() {
        let whole = matches!(parse(&vector.bytes), Ok(parsed) if parsed.header.version() == Version::V2);
        assert_eq!(parse_datagram(&vector.bytes).is_ok(), whole, "{}", vector.name);
    }
}

#[test]
fn headers_marked_so_are_written_again_byte_for_byte() {
    let mut count = 0;
    for vector in vectors().iter().filter(|vector| vector.round_trips) {
        let parsed = parse(&vector.bytes).unwrap();
        assert_eq!(written(&parsed.header), vector.bytes, "{}", vector.name);
        count += 1;
    }
    assert!(count >= 40, "only {count} vectors round-trip");
}

#[test]
fn any_accepted_header_written_again_means_the_same() {
    for vector in vectors() {
        let Ok(parsed) = parse(&vector.bytes) else {
            continue;
        };
        let bytes = written(&parsed.header);
        let again = parse(&bytes).unwrap();
        assert_eq!(again.consumed, bytes.len(), "{}", vector.name);
        if vector.name == "v2-local-aws-nlb" {
            // Its family byte is written as 0, and so the checksum TLV has another value.
            assert_eq!(again.header.command(), parsed.header.command());
        } else {
            assert_eq!(again.header, parsed.header, "{}", vector.name);
        }
    }
}

fn written(header: &Header<'_>) -> Vec<u8> {
    let mut buf = vec![0; v2::MAX_LEN];
    let len = match header.version() {
        Version::V1 => v1::encode(&header.addresses(), &mut buf),
        Version::V2 => v2::Builder::new(&mut buf, header.command())
            .copy_tlvs(header.tlvs())
            .finish(),
    }
    .unwrap_or_else(|error| panic!("{header:?}: {error}"));
    buf.truncate(len);
    buf
}
