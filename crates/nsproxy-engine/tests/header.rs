//! PROXY headers: taken from clients in any pieces, refused when they are wrong, and written for servers.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::{LOOPBACK, Relay, listener, server};
use nsproxy_engine::{CloseReason, HeaderPlan, ListenerPlan, Plan, ServerPlan, TlvPlan, UpstreamNetns};
use nsproxy_testkit::{Address, Listener, Peer, pattern};
use proxy_proto::{Addresses, Command, TlvType, Transport, v1, v2};

const CLIENT: &str = "192.0.2.1:56324";
const DESTINATION: &str = "198.51.100.7:443";

/// What a test sets up: who gets which header, and where from.
fn plan(to: &Address, accept: bool, send: Option<HeaderPlan>) -> Plan {
    let listener = ListenerPlan {
        accept_proxy: accept,
        ..listener()
    };
    Plan::forward(
        listener,
        ServerPlan {
            send_header: send,
            ..server(to)
        },
        None,
    )
}

fn addresses() -> (SocketAddr, SocketAddr) {
    (CLIENT.parse().unwrap(), DESTINATION.parse().unwrap())
}

fn v1_header(source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    let mut header = [0; 107];
    let length = v1::encode(
        &Addresses::promoted(Transport::Stream, source, destination),
        &mut header,
    )
    .unwrap();
    header[..length].to_vec()
}

fn v2_header(source: SocketAddr, destination: SocketAddr, netns: Option<&str>) -> Vec<u8> {
    relayed_header(source, destination, |header| {
        if let Some(netns) = netns {
            header.netns(netns.as_bytes());
        }
    })
}

/// A header of version 2 for a connection between these, with what `tlvs` adds.
fn relayed_header(
    source: SocketAddr,
    destination: SocketAddr,
    tlvs: impl Fn(&mut v2::Builder<'_>),
) -> Vec<u8> {
    let addresses = Addresses::promoted(Transport::Stream, source, destination);
    v2::to_vec(Command::Proxy(addresses), tlvs).unwrap()
}

/// A header as large as one with a few TLVs.
fn rich_v2_header() -> Vec<u8> {
    let (source, destination) = addresses();
    relayed_header(source, destination, |header| {
        header
            .authority("tenant.example")
            .unique_id(b"0123456789")
            .crc32c()
            .noop(7);
    })
}

fn local_header() -> Vec<u8> {
    v2::to_vec(Command::Local, |_| {}).unwrap()
}

#[test]
fn a_header_may_come_one_byte_at_a_time() {
    let (source, destination) = addresses();
    let origin = Listener::bind(LOOPBACK);
    let relay = Relay::start(&plan(origin.address(), true, Some(HeaderPlan::V1)));
    for header in [
        v1_header(source, destination),
        v2_header(source, destination, None),
    ] {
        let client = relay.connect();
        client.socket().set_tcp_nodelay(true).unwrap();
        for byte in header {
            client.send([byte]);
        }
        client.send("payload");
        let server = origin.accept();
        server.expect(v1_header(source, destination));
        server.expect("payload");
    }
}

#[test]
fn a_header_may_be_split_anywhere_with_payload_behind_it() {
    let header = rich_v2_header();
    let stream = [&header[..], b"hello"].concat();
    let origin = Listener::bind(LOOPBACK);
    let relay = Relay::start(&plan(origin.address(), true, None));
    for split in 1..stream.len() {
        let client = relay.connect();
        client.send(&stream[..split]);
        if split < header.len() {
            // The first part was read before the rest comes.
            relay.eventually("the part to wait", |stats| stats.buffers_in_use == 1);
        }
        client.send(&stream[split..]);
        client.half_close();
        let server = origin.accept();
        assert_eq!(server.read_to_end(100), b"hello", "split at {split}");
        server.close();
        client.expect_eof();
    }
    let ends = relay.ends(stream.len() - 1);
    assert!(
        ends.iter()
            .all(|end| end.reason == CloseReason::Finished && end.client == Some(addresses().0))
    );
    relay.expect_idle();
}

#[test]
fn bytes_that_came_with_the_header_are_kept_and_counted() {
    let origin = Listener::bind(LOOPBACK);
    let relay = Relay::start(&plan(
        origin.address(),
        true,
        Some(HeaderPlan::V2(TlvPlan::default())),
    ));
    let payload = pattern(1, 12_000);
    let client = relay.connect();
    let (source, destination) = addresses();
    client.send([v1_header(source, destination), payload.clone()].concat());
    client.half_close();
    let server = origin.accept();
    server.expect(v2_header(source, destination, None));
    server.expect(&payload);
    server.expect_eof();
    server.close();
    client.expect_eof();
    assert_eq!(relay.end().bytes_up, 12_000);
}

#[test]
fn wrong_headers_are_refused_and_reach_no_server() {
    let origin = Listener::bind(LOOPBACK);
    let relay = Relay::start(&plan(origin.address(), true, None));
    let mut wrong_version = v2_header(addresses().0, addresses().1, None);
    wrong_version[12] = 0x31;
    let mut cut_block = v2_header(addresses().0, addresses().1, None);
    cut_block[15] = 11;
    let wrong: [(&str, Vec<u8>); 7] = [
        ("garbage", b"GET / HTTP/1.0\r\n\r\n".to_vec()),
        ("a wrong version", wrong_version),
        ("a block too short for its addresses", cut_block),
        (
            "a bad address",
            b"PROXY TCP4 192.0.2.999 198.51.100.7 1 2\r\n".to_vec(),
        ),
        (
            "a bad port",
            b"PROXY TCP4 192.0.2.1 198.51.100.7 1 65536\r\n".to_vec(),
        ),
        (
            "mixed families",
            b"PROXY TCP6 192.0.2.1 198.51.100.7 1 2\r\n".to_vec(),
        ),
        ("an endless line", [&b"PROXY UNKNOWN "[..], &[b'x'; 200]].concat()),
    ];
    for (count, (what, bytes)) in (1..).zip(wrong) {
        let client = relay.connect();
        client.send(&bytes);
        client.expect_closed();
        let end = relay.ends(count).pop().unwrap();
        assert!(
            matches!(end.reason, CloseReason::HeaderInvalid(_)),
            "{what}: {:?}",
            end.reason
        );
        assert_eq!(relay.stats().header_refused, count as u64);
    }
    origin.expect_no_connection(Duration::ZERO);
    relay.expect_idle();
}

#[test]
fn a_header_that_announces_more_than_is_taken_is_refused_at_once() {
    let origin = Listener::bind(LOOPBACK);
    let relay = Relay::start(&plan(origin.address(), true, None));
    let mut header = v2_header(addresses().0, addresses().1, None);
    header[14..16].copy_from_slice(&[0xff, 0xff]);
    let client = relay.connect();
    client.send(&header[..16]);
    client.expect_closed();
    assert_eq!(relay.end().reason, CloseReason::HeaderTooLong(65_551));
}

#[test]
fn an_end_in_the_middle_of_a_header_is_told_with_its_length() {
    let origin = Listener::bind(LOOPBACK);
    let relay = Relay::start(&plan(origin.address(), true, None));
    for length in [0, 1, 13, 27] {
        let client = relay.connect();
        client.send(&v2_header(addresses().0, addresses().1, None)[..length]);
        client.half_close();
        client.expect_eof();
    }
    let mut reasons: Vec<_> = relay
        .ends(4)
        .iter()
        .map(|end| format!("{:?}", end.reason))
        .collect();
    reasons.sort();
    assert_eq!(
        reasons,
        [
            "HeaderAborted(0)",
            "HeaderAborted(1)",
            "HeaderAborted(13)",
            "HeaderAborted(27)"
        ]
    );
    origin.expect_no_connection(Duration::ZERO);
}

#[test]
fn a_header_that_does_not_come_in_time_ends_the_session() {
    let origin = Listener::bind(LOOPBACK);
    let mut plan = plan(origin.address(), true, None);
    plan.relays[0].header_timeout = Some(Duration::from_millis(50));
    let relay = Relay::start(&plan);
    let client = relay.connect();
    client.send("PROXY ");
    client.expect_eof();
    assert_eq!(relay.end().reason, CloseReason::HeaderTimeout);
    relay.expect_idle();
}

#[test]
fn servers_get_the_addresses_of_the_connection_itself_when_there_was_no_header() {
    for version in [HeaderPlan::V1, HeaderPlan::V2(TlvPlan::default())] {
        let origin = Listener::bind(LOOPBACK);
        let relay = Relay::start(&plan(origin.address(), false, Some(version.clone())));
        let client = relay.connect();
        let (source, destination) = (client.local_addr().inet(), relay.address());
        client.send("payload");
        let server = origin.accept();
        server.expect(match version {
            HeaderPlan::V1 => v1_header(source, destination),
            HeaderPlan::V2(_) => v2_header(source, destination, None),
        });
        server.expect("payload");
    }
}

#[test]
fn received_addresses_are_passed_on_in_both_versions_and_families() {
    let v6 = (
        "[2001:db8::1]:1".parse().unwrap(),
        "[2001:db8::2]:65535".parse().unwrap(),
    );
    for (source, destination) in [addresses(), v6] {
        for version in [HeaderPlan::V1, HeaderPlan::V2(TlvPlan::default())] {
            let origin = Listener::bind(LOOPBACK);
            let relay = Relay::start(&plan(origin.address(), true, Some(version.clone())));
            let client = relay.connect();
            let (one, two) = (
                v1_header(source, destination),
                v2_header(source, destination, None),
            );
            let (received, sent) = if version == HeaderPlan::V1 {
                (&two, &one)
            } else {
                (&one, &two)
            };
            client.send(received);
            let server = origin.accept();
            server.expect(sent);
            client.reset();
            server.expect_reset();
            assert_eq!(relay.end().client, Some(source));
        }
    }
}

/// A header with TLVs of several kinds, and what a server gets of it.
fn with_tlvs(checksum: bool, netns: Option<&str>) -> Vec<u8> {
    let (source, destination) = addresses();
    relayed_header(source, destination, |header| {
        if checksum {
            header.crc32c();
        }
        header.authority("example.org").tlv(TlvType(0xE1), b"\x00\xff");
        if let Some(netns) = netns {
            header.netns(netns.as_bytes());
        }
        header.unique_id(b"id-1").tlv(TlvType(0xE1), b"again");
    })
}

#[test]
fn received_tlvs_are_passed_on_byte_for_byte_and_policy_decides_on_the_namespace() {
    for (checksum, received, sent) in [
        (false, with_tlvs(false, None), with_tlvs(false, None)),
        (true, with_tlvs(false, None), with_tlvs(true, None)),
        (false, with_tlvs(true, None), with_tlvs(true, None)),
        (
            false,
            with_tlvs(false, Some("blue")),
            with_tlvs(false, Some("blue")),
        ),
        // Not listed.
        (false, with_tlvs(false, Some("green")), with_tlvs(false, None)),
    ] {
        let origin = Listener::bind(LOOPBACK);
        let tlvs = TlvPlan {
            checksum,
            received: true,
            ..TlvPlan::default()
        };
        let mut plan = plan(origin.address(), true, Some(HeaderPlan::V2(tlvs)));
        plan.selectable = ["blue".parse().unwrap()].into();
        let relay = Relay::start(&plan);
        let client = relay.connect();
        client.send([received, b"payload".to_vec()].concat());
        let server = origin.accept();
        server.expect(sent);
        server.expect("payload");
    }
}

#[test]
fn tlvs_of_a_local_header_are_for_nobody() {
    let origin = Listener::bind(LOOPBACK);
    let tlvs = TlvPlan {
        received: true,
        ..TlvPlan::default()
    };
    let relay = Relay::start(&plan(origin.address(), true, Some(HeaderPlan::V2(tlvs))));
    let client = relay.connect();
    let header = v2::to_vec(Command::Local, |header| {
        header.authority("example.org");
    });
    client.send(header.unwrap());
    let server = origin.accept();
    server.expect(v2_header(client.local_addr().inet(), relay.address(), None));
    client.send("payload");
    server.expect("payload");
}

#[test]
fn a_checksum_is_added_to_a_header_on_demand() {
    let origin = Listener::bind(LOOPBACK);
    let tlvs = TlvPlan {
        checksum: true,
        ..TlvPlan::default()
    };
    let relay = Relay::start(&plan(origin.address(), false, Some(HeaderPlan::V2(tlvs))));
    let client = relay.connect();
    client.send("payload");
    let server = origin.accept();
    let header = server.read_exact(16 + 12 + 7);
    let parsed = proxy_proto::parse(&header).unwrap();
    assert_eq!(parsed.header.crc32c(), proxy_proto::Checksum::Verified);
    assert_eq!(parsed.consumed, header.len());
    server.expect("payload");
}

#[test]
fn a_local_header_leaves_the_connections_own_addresses() {
    let origin = Listener::bind(LOOPBACK);
    let relay = Relay::start(&plan(
        origin.address(),
        true,
        Some(HeaderPlan::V2(TlvPlan::default())),
    ));
    let client = relay.connect();
    client.send(local_header());
    let server = origin.accept();
    server.expect(v2_header(client.local_addr().inet(), relay.address(), None));
}

/// Sends a header that names a namespace which is not listed, to a server in this one.
fn send_unlisted(netns: UpstreamNetns) -> (Relay, Listener, Peer) {
    let origin = Listener::bind(LOOPBACK);
    let mut plan = plan(origin.address(), true, Some(HeaderPlan::V2(TlvPlan::default())));
    plan.pools[0].servers[0].netns = netns;
    let relay = Relay::start(&plan);
    let client = relay.connect();
    client.send(v2_header(addresses().0, addresses().1, Some("green")));
    (relay, origin, client)
}

#[test]
fn an_unlisted_namespace_closes_the_session_where_it_would_be_followed() {
    let (relay, origin, client) = send_unlisted(UpstreamNetns::Client);
    client.expect_eof();
    assert_eq!(relay.end().reason, CloseReason::NetnsRefused);
    assert_eq!(
        (relay.stats().netns_unlisted, relay.stats().netns_refused),
        (1, 1)
    );
    let notices = relay.record.notices();
    assert!(
        notices[0].starts_with("NetnsUnlisted") && notices[0].ends_with("closed: true }"),
        "{notices:?}"
    );
    origin.expect_no_connection(Duration::ZERO);
}

#[test]
fn an_unlisted_namespace_is_counted_and_not_passed_on_where_it_is_not_followed() {
    let (relay, origin, client) = send_unlisted(UpstreamNetns::Default);
    let server = origin.accept();
    server.expect(v2_header(addresses().0, addresses().1, None));
    client.reset();
    server.expect_reset();
    assert_eq!(relay.end().client_netns, None);
    assert_eq!(
        (relay.stats().netns_unlisted, relay.stats().netns_refused),
        (1, 0)
    );
    assert!(relay.record.notices()[0].ends_with("closed: false }"));
}
