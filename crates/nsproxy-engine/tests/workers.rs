//! Connections are spread evenly over the workers, also when they are few and stay.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod common;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use common::{Relay, listener, server, settings};
use nsproxy_engine::{InProcess, Plan};
use nsproxy_testkit::{DEFAULT_DEADLINE, Listener, Peer, Service};

#[test]
fn connections_that_stay_are_spread_over_the_workers() {
    let echo = Service::echo(Listener::bind("127.0.0.1:0"));
    let plan = Plan::forward(listener(), server(echo.address()), None);
    let relay = Relay::start_with(&settings(4), Arc::new(InProcess), &plan);
    let mut clients = Vec::new();
    for count in 1..=40 {
        let client = relay.connect();
        client.send("here");
        client.expect("here");
        clients.push(client);
        let loads = relay.handle.sessions_by_worker();
        let (most, fewest) = (loads.iter().max().unwrap(), loads.iter().min().unwrap());
        assert_eq!(loads.iter().sum::<usize>(), count);
        assert!(*most <= fewest + 2 + fewest / 4, "{loads:?}");
    }
}

#[test]
fn workers_are_started_when_they_are_needed_and_rest_with_their_sessions_when_they_are_not() {
    let echo = Service::echo(Listener::bind("127.0.0.1:0"));
    let plan = Plan::forward(listener(), server(echo.address()), None);
    let relay = Relay::start_with(&settings(2), Arc::new(InProcess), &plan);
    let set_workers = |count| {
        relay
            .handle
            .set_workers(NonZeroUsize::new(count).unwrap())
            .unwrap();
        assert_eq!(relay.handle.workers(), count);
    };
    let join = |count: usize| -> Vec<Peer> {
        let join = |_| {
            let client = relay.connect();
            client.send("here");
            client.expect("here");
            client
        };
        (0..count).map(join).collect()
    };
    let loads = || relay.handle.sessions_by_worker();
    let first = join(12);
    // More than there ever were, twice.
    set_workers(3);
    set_workers(5);
    assert_eq!(loads().len(), 5);
    let second = join(24);
    assert!(loads().iter().all(|load| *load > 0), "{:?}", loads());
    set_workers(1);
    // Each of them has heard of it.
    assert!(relay.handle.comes_round(DEFAULT_DEADLINE));
    let before = loads();
    let third = join(12);
    assert_eq!(loads()[1..], before[1..], "the others take none");
    for client in first.iter().chain(&second).chain(&third) {
        client.send("still");
        client.expect("still");
    }
    drop((first, second, third));
    relay.expect_idle();
    set_workers(3);
    let last = join(12);
    assert!(loads()[..3].iter().all(|load| *load > 0), "{:?}", loads());
    drop(last);
    relay.expect_idle();
    // Whoever has come when has counted.
    assert_eq!(relay.stats().accepted, 60);
    let counts = relay.handle.relays()[0].counts;
    assert_eq!((counts.sessions, counts.bytes_up), (60, 60 * 4 + 48 * 5));
    assert_eq!(relay.handle.servers()[0].totals.counts.sessions, 60);
}

#[test]
fn no_connection_is_lost_while_workers_come_and_go() {
    let service = Service::reply(Listener::bind("127.0.0.1:0"), "x");
    let plan = Plan::forward(listener(), server(service.address()), None);
    let relay = Relay::start_with(&settings(2), Arc::new(InProcess), &plan);
    let until = AtomicBool::new(false);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let mut count = 0;
                    while !until.load(Ordering::Relaxed) {
                        let client = relay.connect();
                        client.half_close();
                        assert_eq!(client.read_to_end(10), b"x");
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        for round in 0..200 {
            // Up to 20, by and by.
            let count = NonZeroUsize::new(1 + round % 4 + round / 12).unwrap();
            relay.handle.set_workers(count).unwrap();
            assert!(relay.handle.comes_round(DEFAULT_DEADLINE));
        }
        until.store(true, Ordering::Relaxed);
        for client in clients {
            assert!(client.join().unwrap() > 0);
        }
    });
    assert_eq!(relay.stats().failed, 0);
}
