//! A receiver that does not read stops its sender, costs little, and hinders nobody else.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod common;

use std::io::{ErrorKind, Write};
use std::sync::Arc;
use std::thread;

use common::{LOOPBACK, Relay, plan, relay_to, settings};
use nsproxy_engine::{CloseReason, InProcess};
use nsproxy_testkit::{Listener, Peer, Service, Tally, pattern};

/// More than the kernel's buffers on the way take.
const TOO_MUCH: usize = 64 << 20;

/// Sends pieces until nothing is taken for a while, and says how many bytes were.
fn fill_up(peer: &Peer) -> usize {
    let piece = vec![0; 64 * 1024];
    let mut sent = 0;
    while sent < TOO_MUCH {
        match (&*peer.socket()).write(&piece) {
            Ok(count) => sent += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => match peer.try_send([0]) {
                Ok(()) => sent += 1,
                Err(error) if error.kind() == ErrorKind::TimedOut => return sent,
                Err(error) => panic!("after {sent} bytes: {error}"),
            },
            Err(error) => panic!("after {sent} bytes: {error}"),
        }
    }
    panic!("{sent} bytes were taken, and nobody reads");
}

#[test]
fn a_sender_is_stopped_while_nobody_reads_and_then_everything_arrives() {
    let origin = Listener::bind(LOOPBACK);
    let relay = relay_to(origin.address());
    let (client, server) = (relay.connect().with_deadline(common::A_WHILE), origin.accept());
    let sent = fill_up(&client);
    assert!(relay.stats().pipes_in_use + relay.stats().buffers_in_use <= 1);
    client.half_close();
    let received = server.tally_to_end();
    assert_eq!(received, {
        let mut all = Tally {
            bytes: sent as u64,
            ..Tally::default()
        };
        all.checksum.update(&vec![0; sent]);
        all
    });
    server.close();
    assert_eq!(relay.end().reason, CloseReason::Finished);
    relay.expect_idle();
}

#[test]
fn both_directions_may_be_blocked_and_come_free_again() {
    let origin = Listener::bind(LOOPBACK);
    let relay = relay_to(origin.address());
    let (client, server) = (relay.connect(), origin.accept());
    thread::scope(|scope| {
        let up = scope.spawn(|| {
            let sent = client.send_pattern(1, TOO_MUCH as u64);
            client.half_close();
            sent
        });
        let down = scope.spawn(|| {
            let sent = server.send_pattern(2, TOO_MUCH as u64);
            server.half_close();
            sent
        });
        relay.eventually("both flows to wait", |stats| {
            stats.pipes_in_use + stats.buffers_in_use == 2
        });
        let received = scope.spawn(|| server.tally_to_end());
        assert_eq!(client.tally_to_end(), down.join().unwrap());
        assert_eq!(received.join().unwrap(), up.join().unwrap());
    });
    assert_eq!(relay.end().reason, CloseReason::Finished);
    relay.expect_idle();
}

#[test]
fn blocked_receivers_do_not_hinder_live_ones() {
    let deaf = Listener::bind(LOOPBACK);
    let echo = Service::echo(Listener::bind(LOOPBACK));
    let mut plan = plan(deaf.address());
    let other = common::plan(echo.address());
    plan.pools.push(nsproxy_engine::PoolPlan {
        name: "echo".to_owned(),
        ..other.pools[0].clone()
    });
    plan.relays.push(nsproxy_engine::RelayPlan {
        pool: 1,
        ..other.relays[0].clone()
    });
    // All on one worker.
    let relay = Relay::start_with(&settings(1), Arc::new(InProcess), &plan);
    let blocked: Vec<_> = (0..8)
        .map(|_| {
            let client = relay.connect().with_deadline(common::A_WHILE);
            fill_up(&client);
            (client, deaf.accept())
        })
        .collect();
    let live = Peer::connect(relay.address_of(1));
    for round in 0..200 {
        live.send(pattern(round, 3_000));
        live.expect(pattern(round, 3_000));
    }
    let stats = relay.stats();
    assert!(stats.pipes_in_use + stats.buffers_in_use <= 9, "{stats:?}");
    for (client, _) in blocked {
        client.reset();
    }
    live.half_close();
    live.expect_eof();
    relay.ends(9);
    relay.expect_idle();
}
