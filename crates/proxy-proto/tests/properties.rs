//! What must hold for every input, tried on generated ones: agreement with the model, and indifference to how the
//! bytes arrive.

mod common;

use common::{Expect, generate, model, seen, vectors};
use proptest::prelude::*;
use proxy_proto::{
    Accept, Addresses, Command, Header, Inet, Inet6, ParseError, Parsed, Parser, Reason, Transport, Unix,
    Version, WriteError, parse, v1, v2,
};

#[test]
fn the_model_itself_gives_what_every_vector_expects() {
    for vector in vectors() {
        assert_eq!(model::receive(&vector.bytes), vector.expect, "{}", vector.name);
    }
}

#[test]
fn library_and_model_agree_on_every_vector_with_any_one_byte_changed() {
    for vector in vectors() {
        let mut bytes = vector.bytes;
        for at in 0..bytes.len().min(260) {
            let original = bytes[at];
            for changed in [
                original ^ 1,
                original ^ 0x20,
                original.wrapping_add(1),
                0,
                b'\r',
                b'\n',
                b' ',
                b'0',
                b':',
                0xff,
            ] {
                bytes[at] = changed;
                assert_eq!(
                    verdict(&bytes),
                    model::receive(&bytes),
                    "{} at {at}: {changed:#x}",
                    vector.name
                );
            }
            bytes[at] = original;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn library_and_model_agree_on_anything(bytes in generate::anything()) {
        prop_assert_eq!(verdict(&bytes), model::receive(&bytes));
    }

    #[test]
    fn generated_headers_are_accepted_whole(bytes in generate::header()) {
        prop_assert_eq!(parse(&bytes).map(|parsed| parsed.consumed), Ok(bytes.len()));
    }

    #[test]
    fn every_split_gives_the_answer_of_the_whole(bytes in generate::anything()) {
        let whole = parse(&bytes);
        for len in 0..bytes.len() {
            match parse(&bytes[..len]) {
                Ok(parsed) => prop_assert_eq!(Ok(parsed), whole),
                // An early refusal may give another reason than the whole, but stays one.
                Err(ParseError::Invalid(_)) => prop_assert!(matches!(whole, Err(ParseError::Invalid(_))), "{} {:?}", len, whole),
                Err(ParseError::Incomplete { at_least }) => {
                    prop_assert!(at_least > len);
                    if let Ok(parsed) = whole {
                        prop_assert!(len < parsed.consumed && at_least <= parsed.consumed);
                    }
                }
            }
        }
    }

    #[test]
    fn reading_only_as_far_as_at_least_ends_exactly_at_the_header(bytes in generate::header(), payload: [u8; 4]) {
        let wire = [&bytes[..], &payload].concat();
        let mut have = 0;
        let mut calls = 0;
        let parsed = loop {
            match parse(&wire[..have]) {
                Ok(parsed) => break parsed,
                Err(ParseError::Incomplete { at_least }) => have = at_least,
                Err(ParseError::Invalid(invalid)) => panic!("{invalid}"),
            }
            calls += 1;
            prop_assert!(calls <= 107);
        };
        prop_assert_eq!(have, bytes.len());
        prop_assert_eq!(parsed.consumed, bytes.len());
    }

    #[test]
    fn bytes_after_a_header_change_nothing(bytes in generate::header(), payload: Vec<u8>) {
        let longer = [&bytes[..], &payload].concat();
        prop_assert_eq!(parse(&longer), parse(&bytes));
    }

    #[test]
    fn a_flipped_bit_under_a_checksum_is_never_accepted_as_the_same_header(
        bytes in generate::header(), at: prop::sample::Index, bit in 0_u8..8,
    ) {
        let mut damaged = bytes.clone();
        damaged[at.index(bytes.len())] ^= 1_u8 << bit;
        let before = parse(&bytes).unwrap().header;
        if before.crc32c() == proxy_proto::Checksum::Verified && let Ok(after) = parse(&damaged) {
            // The flip can only have turned the checksum's own type byte into another, or hidden the chain.
            prop_assert_eq!(after.header.crc32c(), proxy_proto::Checksum::Absent);
        }
    }

    #[test]
    fn a_header_written_and_read_again_is_the_same(bytes in generate::header()) {
        let Parsed { header, .. } = parse(&bytes).unwrap();
        let mut buf = vec![0; 1 << 17];
        let len = write(&header, &mut buf).unwrap();
        let again = parse(&buf[..len]).unwrap();
        prop_assert_eq!(again.consumed, len);
        // The family byte of LOCAL is not kept, so the value of a checksum may differ there.
        prop_assert_eq!(again.header.command(), header.command());
        prop_assert_eq!(again.header.crc32c(), header.crc32c());
        let kinds = |header: &Header<'_>| header.tlvs().map(|tlv| tlv.kind()).collect::<Vec<_>>();
        prop_assert_eq!(kinds(&again.header), kinds(&header));
        if header.version() == Version::V2 && !header.is_local() {
            prop_assert_eq!(&buf[..len], &bytes[..]);
        }
    }

    #[test]
    fn a_buffer_that_is_too_small_is_told_what_is_needed(bytes in generate::header(), room: prop::sample::Index) {
        let Parsed { header, .. } = parse(&bytes).unwrap();
        let mut buf = vec![0; 1 << 17];
        let needed = write(&header, &mut buf).unwrap();
        let available = room.index(needed);
        prop_assert_eq!(write(&header, &mut buf[..available]), Err(WriteError::BufferTooSmall { needed, available }));
        prop_assert_eq!(write(&header, &mut buf[..needed]), Ok(needed));
    }

    #[test]
    fn addresses_survive_both_versions(source: std::net::SocketAddr, destination: std::net::SocketAddr) {
        let addresses = Addresses::promoted(Transport::Stream, source, destination);
        let mut buf = [0; v1::MAX_LEN];
        let len = v1::encode(&addresses, &mut buf).unwrap();
        prop_assert_eq!(v1::encoded_len(&addresses), Ok(len));
        let text = std::str::from_utf8(&buf[..len]).unwrap();
        let (source, destination) = addresses.socket_addrs().unwrap();
        let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
        prop_assert_eq!(
            text,
            format!("PROXY {family} {} {} {} {}\r\n", source.ip(), destination.ip(), source.port(), destination.port())
        );
        prop_assert_eq!(parse(&buf[..len]).unwrap().header.addresses(), addresses);
        let len = v2::Builder::proxy(&mut buf, addresses).finish().unwrap();
        prop_assert_eq!(parse(&buf[..len]).unwrap().header.addresses(), addresses);
    }

    #[test]
    fn every_kind_of_address_survives_version_2(
        v4: [std::net::Ipv4Addr; 2], v6: [std::net::Ipv6Addr; 2], ports: [u16; 2], fill: u8, stream: bool,
    ) {
        let transport = if stream { Transport::Stream } else { Transport::Dgram };
        let ([source, destination], [source_port, destination_port]) = (v4, ports);
        let inet = Inet { source, destination, source_port, destination_port };
        let [source, destination] = v6;
        let inet6 = Inet6 { source, destination, source_port, destination_port };
        let fields = [[fill; 108], [!fill; 108]];
        let unix = Unix { source: &fields[0], destination: &fields[1] };
        for addresses in [
            Addresses::Unspec,
            Addresses::Inet(transport, inet),
            Addresses::Inet6(transport, inet6),
            Addresses::Unix(transport, unix),
        ] {
            let mut buf = [0; 232];
            let len = v2::Builder::proxy(&mut buf, addresses).finish().unwrap();
            prop_assert_eq!(parse(&buf[..len]).unwrap().header.command(), Command::Proxy(addresses));
        }
    }

    #[test]
    fn a_length_limit_refuses_longer_headers_and_only_those(bytes in generate::header(), limit in 0_usize..300) {
        let parser = Parser::new().accept(Accept::Either).max_len(limit);
        match parser.parse(&bytes) {
            Ok(parsed) => prop_assert!(parsed.consumed <= limit),
            Err(ParseError::Invalid(invalid)) => {
                prop_assert_eq!(invalid.reason, Reason::TooLong);
                prop_assert!(bytes.len() > limit);
            }
            Err(error) => panic!("{error}"),
        }
        // With the limit a receiver never waits for a byte for which it has no room.
        for len in 0..=bytes.len().min(limit) {
            if let Err(ParseError::Incomplete { at_least }) = parser.parse(&bytes[..len]) {
                prop_assert!(at_least <= limit, "{} of {}", at_least, limit);
            }
        }
    }
}

fn verdict(bytes: &[u8]) -> Expect {
    match parse(bytes) {
        Ok(parsed) => Expect::Ok(seen(&parsed)),
        Err(ParseError::Incomplete { .. }) => Expect::Incomplete,
        Err(ParseError::Invalid(_)) => Expect::Error,
    }
}

fn write(header: &Header<'_>, buf: &mut [u8]) -> Result<usize, WriteError> {
    match header.version() {
        Version::V1 => v1::encode(&header.addresses(), buf),
        Version::V2 => v2::Builder::new(buf, header.command())
            .copy_tlvs(header.tlvs())
            .finish(),
    }
}
