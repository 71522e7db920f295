//! Which PROXY headers are taken and which are refused, and that a refusal is logged with its reason.
//!
//! One table has nsproxy's answer to each header, and whether HAProxy gives the same one. Only equal answers are asked of
//! HAProxy: where it differs, its versions differ among themselves.

use std::io::ErrorKind;
use std::time::Duration;

use nsproxy_testkit::{DEFAULT_DEADLINE, Listener, Netns, Running, World, eventually, require, world};

use crate::common::{DEFAULTS, Proxy, SILENCE, connect_from, line_with, meaning, read_header, run};

const LISTEN: &str = "127.0.0.1:8000";
const SERVER: &str = "127.0.0.1:9000";
const V4: [u8; 12] = [192, 0, 2, 1, 198, 51, 100, 7, 0x04, 0xd2, 0, 80];

/// What a relay does with a header.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Refused,
    /// Sent on from `tenant1` or `tenant2` with the real addresses.
    Real(&'static str),
    /// Sent on from `tenant1` or `tenant2` with the addresses of the header.
    Announced(&'static str),
}

use Answer::{Announced, Real, Refused};

/// A version 2 header of any contents.
fn v2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len())
        .expect("a block has at most 65535 bytes")
        .to_be_bytes();
    [
        &proxy_proto::v2::SIGNATURE[..],
        &[command, family],
        &length,
        block,
    ]
    .concat()
}

/// A version 2 header for a connection over IPv4, with these bytes for TLVs.
fn v4(tlvs: &[u8]) -> Vec<u8> {
    v2(0x21, 0x11, &[&V4, tlvs].concat())
}

fn v1(rest: &str) -> Vec<u8> {
    format!("PROXY {rest}\r\n").into_bytes()
}

/// Name, bytes, nsproxy's answer, and whether HAProxy's is the same.
type Case = (&'static str, Vec<u8>, Answer, bool);

fn version_1() -> Vec<Case> {
    let overlong = v1(&format!("UNKNOWN {}", "x".repeat(100)));
    let no_carriage_return = b"PROXY TCP4 192.0.2.1 198.51.100.7 1234 80\n".to_vec();
    vec![
        (
            "v1 ipv4",
            v1("TCP4 192.0.2.1 198.51.100.7 1234 80"),
            Announced("tenant1"),
            true,
        ),
        ("v1 unknown", v1("UNKNOWN"), Real("tenant1"), true),
        (
            "v1 unknown with addresses",
            v1("UNKNOWN ::1 ::1 1 2"),
            Real("tenant1"),
            false,
        ),
        (
            "v1 number above 255",
            v1("TCP4 192.0.2.256 198.51.100.7 1234 80"),
            Refused,
            false,
        ),
        (
            "v1 leading zero",
            v1("TCP4 192.0.2.01 198.51.100.7 1234 80"),
            Refused,
            false,
        ),
        (
            "v1 port 65536",
            v1("TCP4 192.0.2.1 198.51.100.7 65536 80"),
            Refused,
            false,
        ),
        (
            "v1 port is no number",
            v1("TCP4 192.0.2.1 198.51.100.7 x 80"),
            Refused,
            true,
        ),
        (
            "v1 without ports",
            v1("TCP4 192.0.2.1 198.51.100.7"),
            Refused,
            true,
        ),
        ("v1 ipv6 in TCP4", v1("TCP4 ::1 ::1 1234 80"), Refused, true),
        (
            "v1 ipv4 in TCP6",
            v1("TCP6 192.0.2.1 192.0.2.7 1234 80"),
            Refused,
            true,
        ),
        (
            "v1 two spaces",
            v1(" TCP4 192.0.2.1 198.51.100.7 1234 80"),
            Refused,
            true,
        ),
        (
            "v1 more behind the ports",
            v1("TCP4 192.0.2.1 198.51.100.7 1234 80 9"),
            Refused,
            true,
        ),
        ("v1 without carriage return", no_carriage_return, Refused, true),
        ("v1 overlong", overlong, Refused, true),
        ("garbage", b"GET / HTTP/1.1\r\n\r\n".to_vec(), Refused, true),
    ]
}

fn version_2() -> Vec<Case> {
    let netns2 = b"\x30\0\x07tenant2";
    let both_names = b"\x30\0\x07tenant2\x30\0\x07nowhere";
    vec![
        ("v2 ipv4", v4(b""), Announced("tenant1"), true),
        ("v2 with namespace", v4(netns2), Announced("tenant2"), true),
        ("v2 with empty namespace", v4(b"\x30\0\0"), Refused, false),
        (
            "v2 with unlisted namespace",
            v4(b"\x30\0\x07nowhere"),
            Refused,
            false,
        ),
        ("two namespaces in one header", v4(both_names), Refused, false),
        (
            "the same namespace twice",
            v4(&[&netns2[..], &netns2[..]].concat()),
            Announced("tenant2"),
            true,
        ),
        (
            "addresses of a datagram",
            v2(0x21, 0x12, &V4),
            Real("tenant1"),
            false,
        ),
        ("local", v2(0x20, 0, b""), Real("tenant1"), true),
        (
            "local with addresses",
            v2(0x20, 0x11, &V4),
            Real("tenant1"),
            false,
        ),
        (
            "local does not select",
            v2(0x20, 0, netns2),
            Real("tenant1"),
            false,
        ),
        (
            "proxy without addresses",
            v2(0x21, 0, b""),
            Real("tenant1"),
            false,
        ),
        ("command 2", v2(0x22, 0x11, &V4), Refused, true),
        ("version 3", v2(0x31, 0x11, &V4), Refused, true),
        ("family 15", v2(0x21, 0xf1, &V4), Refused, true),
        ("length too short", v2(0x21, 0x11, &V4[..8]), Refused, true),
        ("tlv past the end", v4(&[0x30, 0, 9, 1]), Refused, true),
        ("tlv without length", v4(&[0x30, 0]), Refused, true),
        ("wrong checksum", v4(&[3, 0, 4, 0, 0, 0, 0]), Refused, true),
        ("checksum of three bytes", v4(&[3, 0, 3, 0, 0, 0]), Refused, true),
    ]
}

/// Sends a header from a port that only this case uses, and sees what becomes of it.
fn answer(tenant: &Netns, servers: &[(&'static str, Listener)], port: u16, header: &[u8]) -> Answer {
    let client = format!("127.0.0.1:{port}");
    let peer = connect_from(tenant, &client, LISTEN).with_deadline(Duration::ZERO);
    peer.send(header);
    let answer = eventually(DEFAULT_DEADLINE, "an answer to the header", || {
        for (name, server) in servers {
            if let Ok(accepted) = server.try_accept(Duration::ZERO) {
                let source = meaning(&read_header(&accepted))
                    .0
                    .map(|(source, _)| source.to_string());
                return Some(if source.as_ref() == Some(&client) {
                    Real(name)
                } else {
                    Announced(name)
                });
            }
        }
        match peer.try_receive(&mut [0]) {
            Ok(0) => Some(Refused),
            Ok(_) => panic!("bytes came, and no server has sent any"),
            Err(error) if error.kind() == ErrorKind::TimedOut => None,
            Err(_) => Some(Refused),
        }
    });
    peer.reset();
    answer
}

#[test]
fn headers_are_taken_and_refused_as_documented() {
    let [haproxy, nsproxy] = require!(Proxy::both());
    world("answers", |w| {
        let [relay, tenant, other] = ["relay", "tenant1", "tenant2"].map(|name| w.add_netns(name));
        let servers = [
            ("tenant1", tenant.listen(SERVER)),
            ("tenant2", other.listen(SERVER)),
        ];
        let config = format!(
            "namespace_list\n  namespace tenant1 tenant2\n{DEFAULTS}listen l\n\
             \x20 bind {LISTEN} accept-proxy namespace tenant1\n  server s {SERVER} namespace * send-proxy-v2\n"
        );
        let cases = [version_1(), version_2()].concat();
        for (proxy, everything) in [(&haproxy, false), (&nsproxy, true)] {
            let _running = proxy.start(w, &relay, &config, &[(&tenant, LISTEN)]);
            for ((case, header, expected, same), port) in cases.iter().zip(40000..) {
                if everything || *same {
                    assert_eq!(
                        &answer(&tenant, &servers, port, header),
                        expected,
                        "{case}, {proxy:?}"
                    );
                }
            }
        }
    });
}

/// nsproxy in a namespace of its own, with a server that sees no connection.
fn refusing(w: &World, config: &str) -> (Netns, Running, Listener) {
    let relay = w.add_netns("relay");
    let server = relay.listen(SERVER);
    let running = run(w, &relay, config);
    (relay, running, server)
}

fn config() -> String {
    format!("{DEFAULTS}listen l\n  bind {LISTEN} accept-proxy\n  server s {SERVER}\n")
}

#[test]
fn a_bad_header_closes_the_connection_and_the_log_says_why() {
    let cases: [(&str, Vec<u8>, &str); 9] = [
        ("garbage", b"GET / HTTP/1.1\r\n\r\n".to_vec(), "signature"),
        ("version 3", v2(0x31, 0x11, &V4), "version"),
        ("command 2", v2(0x22, 0x11, &V4), "command"),
        ("family 15", v2(0x21, 0xf1, &V4), "family"),
        ("length too short", v2(0x21, 0x11, &V4[..8]), "address"),
        (
            "number above 255",
            v1("TCP4 192.0.2.256 198.51.100.7 1234 80"),
            "source address",
        ),
        ("ipv6 in TCP4", v1("TCP4 ::1 ::1 1234 80"), "source address"),
        (
            "port 65536",
            v1("TCP4 192.0.2.1 198.51.100.7 65536 80"),
            "source port",
        ),
        ("overlong", v1(&format!("TCP4 {}", "1".repeat(200))), "no crlf"),
    ];
    world("bad-headers", |w| {
        let (relay, running, server) = refusing(w, &config());
        for (number, (case, bytes, reason)) in cases.iter().enumerate() {
            let source = format!("127.0.0.1:{}", 41000 + number);
            let client = connect_from(&relay, &source, LISTEN);
            client.send(bytes);
            client.expect_closed();
            let line = line_with(&running, &["session ", &format!("client={source} ")]);
            assert!(line.contains("invalid PROXY header"), "{case}: {line}");
            assert!(
                line.to_lowercase().contains(reason),
                "{case}: no {reason:?} in {line}"
            );
        }
        server.expect_no_connection(SILENCE);
    });
}

#[test]
fn a_header_that_never_ends_is_closed_in_time_and_logged() {
    world("header-timeout", |w| {
        let config = config().replace(
            "timeout client 20s",
            "timeout client-hs 200ms\n  timeout client 20s",
        );
        let (relay, running, _server) = refusing(w, &config);
        let client = relay.connect(LISTEN);
        client.send("PROXY TCP4 ");
        client.expect_closed();
        line_with(&running, &["session ", "no complete PROXY header in time"]);
    });
}

#[test]
fn a_client_that_leaves_before_its_header_is_complete_is_logged() {
    world("header-aborted", |w| {
        let (relay, running, _server) = refusing(w, &config());
        let client = relay.connect(LISTEN);
        client.send("PROXY TCP4 ");
        client.half_close();
        client.expect_closed();
        line_with(
            &running,
            &["session ", "after 11 bytes of an unfinished PROXY header"],
        );
    });
}
