//! A `ClientHello` in any pieces, in any records, and bytes that are none.

use proptest::collection::vec;
use proptest::prelude::*;

use super::hello::{Hello, LONGEST_HELLO, Message};

/// A handshake message with these extensions.
fn client_hello(extensions: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([4, 1, 2, 3, 4]);
    body.extend([0, 4, 0x13, 1, 0x13, 2]);
    body.extend([1, 0]);
    let mut list = Vec::new();
    for (kind, contents) in extensions {
        list.extend(kind.to_be_bytes());
        list.extend(two(contents.len()));
        list.extend(contents);
    }
    body.extend(two(list.len()));
    body.extend(list);
    let [_, length @ ..] = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[1], &length[..], &body].concat()
}

fn two(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap().to_be_bytes()
}

fn server_name(name: &str) -> (u16, Vec<u8>) {
    let entry = [&[0], &two(name.len())[..], name.as_bytes()].concat();
    (0, [&two(entry.len())[..], &entry].concat())
}

fn alpn(names: &[&str]) -> (u16, Vec<u8>) {
    let list: Vec<u8> = names
        .iter()
        .flat_map(|name| [&[u8::try_from(name.len()).unwrap()], name.as_bytes()].concat())
        .collect();
    (16, [&two(list.len())[..], &list].concat())
}

/// Records of at most so many bytes each.
fn records(message: &[u8], most: usize) -> Vec<u8> {
    let record = |part: &[u8]| [&[22, 3, 1], &two(part.len())[..], part].concat();
    message.chunks(most).flat_map(record).collect()
}

fn message(bytes: &[u8]) -> Message<'_> {
    match Hello::read(bytes) {
        Hello::Message(message) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_prefix_of_a_hello_is_incomplete_and_what_follows_changes_nothing() {
    let hello = client_hello(&[
        (10, vec![0; 9]),
        server_name("a.example"),
        alpn(&["h2", "http/1.1"]),
    ]);
    for most in [1, 3, 5, 50, 16_384] {
        let bytes = records(&hello, most);
        for end in 0..bytes.len() {
            assert_eq!(Hello::read(&bytes[..end]), Hello::Incomplete, "{most} {end}");
        }
        let followed = [&bytes[..], b"more"].concat();
        for bytes in [&bytes, &followed] {
            let message = message(bytes);
            assert_eq!((message.kind(), message.version()), (1, Some(0x0003_0003)));
            assert_eq!(message.server_name(), Some(&b"a.example"[..]));
            assert_eq!(message.protocols().collect::<Vec<_>>(), [&b"h2"[..], b"http/1.1"]);
        }
    }
}

#[test]
fn a_hello_without_the_extensions_has_no_name_and_no_protocols() {
    let bytes = records(&client_hello(&[]), 1000);
    assert_eq!(message(&bytes).server_name(), None);
    assert_eq!(message(&bytes).protocols().count(), 0);
}

#[test]
fn the_protocols_end_at_a_name_without_a_byte() {
    let bytes = records(&client_hello(&[alpn(&["h2", "", "http/1.1"])]), 1000);
    let message = message(&bytes);
    let mut protocols = message.protocols();
    assert_eq!(protocols.next(), Some(&b"h2"[..]));
    assert_eq!((protocols.next(), protocols.next()), (None, None));
}

#[test]
fn another_handshake_message_is_no_client_hello() {
    let bytes = records(&[2, 0, 0, 2, 3, 3], 1000);
    let message = message(&bytes);
    assert_eq!(
        (message.kind(), message.version(), message.server_name()),
        (2, None, None)
    );
}

#[test]
fn what_cannot_be_tls_is_told_by_its_first_wrong_byte() {
    for bytes in [
        &b"GET / HTTP/1.1"[..],
        b"\x16\x02",
        b"\x16\x03\x01\x00\x00",
        b"\x16\x03\x01\xff\xff",
        b"\x16\x03\x01\x00\x01\x01\x17",
        // A message that is longer than what is waited for.
        b"\x16\x03\x01\x10\x00\x01\xff\xff\xff",
    ] {
        assert_eq!(Hello::read(bytes), Hello::NotTls, "{bytes:?}");
    }
}

#[test]
fn a_hello_as_long_as_what_is_looked_at_is_not_waited_for() {
    let long = client_hello(&[(21, vec![0; LONGEST_HELLO - 100])]);
    let bytes = records(&long, 1000);
    assert_eq!(Hello::read(&bytes[..LONGEST_HELLO]), Hello::NotTls);
    assert!(matches!(Hello::read(&bytes), Hello::Message(_)));
}

proptest! {
    #[test]
    fn any_bytes_have_an_answer(bytes in vec(any::<u8>(), 0..300), is_record in any::<bool>()) {
        let bytes = if is_record { [&[22, 3, 1, 0, 200, 1, 0, 0, 100], &bytes[..]].concat() } else { bytes };
        if let Hello::Message(message) = Hello::read(&bytes) {
            let _ = (message.server_name(), message.version());
            prop_assert!(message.protocols().count() <= bytes.len());
        }
    }

    #[test]
    fn a_damaged_hello_has_an_answer(at in 0_usize..200, value in any::<u8>()) {
        let mut bytes = records(&client_hello(&[server_name("a.example"), alpn(&["h2"])]), 70);
        let at = at % bytes.len();
        bytes[at] = value;
        if let Hello::Message(message) = Hello::read(&bytes) {
            let _ = (message.server_name(), message.protocols().count());
        }
    }

    #[test]
    fn an_answer_that_is_not_incomplete_stays(bytes in vec(any::<u8>(), 0..60), more in vec(any::<u8>(), 0..60)) {
        let bytes = [&[22, 3, 1, 0, 20, 1, 0, 0, 30], &bytes[..]].concat();
        let longer = [&bytes[..], &more].concat();
        let read = Hello::read(&bytes);
        if read != Hello::Incomplete {
            prop_assert_eq!(Hello::read(&longer), read);
        }
    }
}
