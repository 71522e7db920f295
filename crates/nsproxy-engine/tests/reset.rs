//! A reset on one side is a reset on the other one, never a clean end: a truncated transfer stays visible.

mod common;

use std::io::ErrorKind;
use std::thread;

use common::{LOOPBACK, relay_to, relayed};
use nsproxy_engine::{CloseReason, Side};
use nsproxy_testkit::{Listener, Peer, Rng, pattern};

/// Reads until the connection fails, and checks that it was a part of `bytes` and that it did not end cleanly.
fn expect_part_and_reset(peer: &Peer, bytes: &[u8]) {
    let mut buffer = vec![0; 64 * 1024];
    let mut received = 0;
    loop {
        match peer.try_receive(&mut buffer) {
            Ok(0) => panic!("a clean end after {received} of {} bytes", bytes.len()),
            Ok(count) => {
                assert!(
                    bytes[received..].starts_with(&buffer[..count]),
                    "other bytes from {received} on"
                );
                received += count;
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return,
            Err(error) => panic!("expected a reset, came: {error}"),
        }
    }
}

#[test]
fn a_reset_by_the_client_reaches_the_server_as_a_reset() {
    let (relay, client, server) = relayed();
    client.send("a");
    server.expect("a");
    client.reset();
    server.expect_reset();
    assert_eq!(relay.end().reason, CloseReason::Reset(Side::Downstream));
    relay.expect_idle();
}

#[test]
fn a_reset_by_the_server_reaches_the_client_as_a_reset() {
    let (relay, client, server) = relayed();
    server.send("a");
    client.expect("a");
    server.reset();
    client.expect_reset();
    assert_eq!(relay.end().reason, CloseReason::Reset(Side::Upstream));
    relay.expect_idle();
}

#[test]
fn a_reset_after_the_other_side_has_ended_is_still_a_reset() {
    let (relay, client, server) = relayed();
    server.half_close();
    client.expect_eof();
    client.send("half a requ");
    server.expect("half a requ");
    client.reset();
    server.expect_reset();
    assert_eq!(relay.end().reason, CloseReason::Reset(Side::Downstream));
}

#[test]
fn bytes_before_a_reset_arrive_as_a_part_and_then_the_reset() {
    let mut rng = Rng::from_env();
    for round in 0..40 {
        let (relay, client, server) = relayed();
        let bytes = pattern(round, rng.between(1, 2_000_000));
        let (from, to) = if round % 2 == 0 {
            (client, server)
        } else {
            (server, client)
        };
        thread::scope(|scope| {
            scope.spawn(|| {
                from.send(&bytes);
                from.reset();
            });
            expect_part_and_reset(&to, &bytes);
        });
        assert!(matches!(relay.end().reason, CloseReason::Reset(_)));
        relay.expect_idle();
    }
}

#[test]
fn a_reset_behind_unread_bytes_is_never_a_clean_end() {
    // The reader is late: bytes are in flight in the engine when the reset comes.
    let (relay, client, server) = relayed();
    let bytes = pattern(1, 64 << 20);
    let sent = client.with_deadline(common::A_WHILE);
    assert_eq!(
        sent.try_send(&bytes).map_err(|error| error.kind()),
        Err(ErrorKind::TimedOut)
    );
    sent.reset();
    expect_part_and_reset(&server, &bytes);
    relay.expect_idle();
}

#[test]
fn resets_on_both_sides_at_once_with_bytes_in_flight_end_the_session() {
    // More than all buffers on the way take.
    let bytes = vec![0; 64 << 20];
    for _ in 0..5 {
        let (relay, client, server) = relayed();
        let (client, server) = (
            client.with_deadline(common::A_WHILE),
            server.with_deadline(common::A_WHILE),
        );
        thread::scope(|scope| {
            for peer in [&client, &server] {
                let bytes = &bytes;
                scope.spawn(move || assert!(peer.try_send(bytes).is_err(), "nobody reads"));
            }
        });
        thread::scope(|scope| {
            scope.spawn(|| client.reset());
            scope.spawn(|| server.reset());
        });
        assert!(matches!(relay.end().reason, CloseReason::Reset(_)));
        relay.expect_idle();
    }
}

#[test]
fn a_client_that_goes_away_before_the_server_answers_takes_the_session_with_it() {
    let (relay, client, server) = relayed();
    client.send(pattern(1, 100_000));
    server.read_exact(100_000);
    server.send(pattern(2, 100));
    client.read_exact(1);
    // Unread bytes make a reset of it (RFC 2525, 2.17).
    client.close();
    server.expect_reset();
    assert_eq!(relay.end().reason, CloseReason::Reset(Side::Downstream));
}

#[test]
fn a_server_that_accepts_and_resets_at_once_is_seen_as_a_reset() {
    // Whether the engine has noticed yet that it is connected, or not.
    let origin = Listener::bind(LOOPBACK);
    let relay = relay_to(origin.address());
    for round in 1..=200 {
        let client = relay.connect();
        origin.accept().reset();
        client.expect_reset();
        assert_eq!(
            relay.ends(round)[round - 1].reason,
            CloseReason::Reset(Side::Upstream)
        );
    }
    relay.expect_idle();
}
