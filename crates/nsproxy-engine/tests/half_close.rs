//! An end of stream is passed on in its own direction only, and after the last byte.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod common;

use std::thread;

use common::{LOOPBACK, relay_to, relayed};
use nsproxy_engine::CloseReason;
use nsproxy_testkit::{Listener, pattern};

#[test]
fn response_still_flows_after_downstream_half_close() {
    let (relay, client, server) = relayed();
    client.send("request");
    client.half_close();
    assert_eq!(server.read_to_end(100), b"request");
    let response = pattern(1, 3 << 20);
    thread::scope(|scope| {
        scope.spawn(|| {
            server.send(&response);
            server.half_close();
        });
        client.expect(&response);
    });
    client.expect_eof();
    assert_eq!(relay.end().reason, CloseReason::Finished);
    relay.expect_idle();
}

#[test]
fn request_still_flows_after_upstream_half_close() {
    let (relay, client, server) = relayed();
    server.send("greeting");
    server.half_close();
    assert_eq!(client.read_to_end(100), b"greeting");
    let request = pattern(2, 3 << 20);
    thread::scope(|scope| {
        scope.spawn(|| {
            client.send(&request);
            client.half_close();
        });
        server.expect(&request);
    });
    server.expect_eof();
    assert_eq!(relay.end().reason, CloseReason::Finished);
    relay.expect_idle();
}

#[test]
fn an_end_without_a_byte_before_it_is_passed_on() {
    let (relay, client, server) = relayed();
    client.half_close();
    server.expect_eof();
    client.expect_silence(common::A_WHILE);
    assert_eq!(relay.stats().sessions, 1, "one direction is still open");
    server.half_close();
    client.expect_eof();
    let end = relay.end();
    assert_eq!(
        (end.reason, end.bytes_up, end.bytes_down),
        (CloseReason::Finished, 0, 0)
    );
}

#[test]
fn the_last_byte_arrives_before_the_close() {
    for length in [1, 4_000, 65_536, 65_537, 1_000_000, 5_000_000] {
        let (relay, client, server) = relayed();
        let bytes = pattern(length, usize::try_from(length).unwrap());
        thread::scope(|scope| {
            scope.spawn(|| {
                client.half_close();
                server.expect_eof();
                server.send(&bytes);
                server.close();
            });
            assert!(
                client.read_to_end(bytes.len()) == bytes,
                "{length} bytes have changed"
            );
        });
        assert_eq!(relay.end().reason, CloseReason::Finished);
    }
}

#[test]
fn an_end_right_behind_the_bytes_is_seen() {
    // Bytes and FIN are there before the session begins to relay: one edge tells of both.
    let origin = Listener::bind(LOOPBACK);
    let relay = relay_to(origin.address());
    for length in [0, 1, 1_000, 65_536] {
        let client = relay.connect();
        client.send(pattern(3, length));
        client.half_close();
        let server = origin.accept();
        assert_eq!(server.read_to_end(length), pattern(3, length));
        server.half_close();
        client.expect_eof();
    }
    assert!(
        relay
            .ends(4)
            .iter()
            .all(|end| end.reason == CloseReason::Finished)
    );
}
