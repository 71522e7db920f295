//! Bytes arrive: all of them, in order, both ways, whatever the sizes and whoever speaks first.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod common;

use std::thread;

use common::{LOOPBACK, Relay, listener, plan, relay_to, server};
use nsproxy_engine::{CloseReason, Endpoint, Plan};
use nsproxy_testkit::{Checksum, Listener, Peer, Rng, Service, pattern};

const MIB: usize = 1 << 20;

#[test]
fn what_a_client_sends_comes_back_from_an_echo() {
    let echo = Service::echo(Listener::bind(LOOPBACK));
    let relay = relay_to(echo.address());
    let client = relay.connect();
    for size in [1, 2, 100, 5_000, 70_000] {
        let bytes = pattern(size, usize::try_from(size).unwrap());
        client.send(&bytes);
        client.expect(&bytes);
    }
    client.half_close();
    client.expect_eof();
    let end = relay.end();
    assert_eq!(end.reason, CloseReason::Finished);
    assert_eq!((end.bytes_up, end.bytes_down), (75_103, 75_103));
    assert_eq!(end.client, Some(client.local_addr().inet()));
    assert_eq!(end.upstream, Some(echo.address().inet()));
    relay.expect_idle();
}

#[test]
fn a_server_that_speaks_first_is_heard() {
    let greeter = Service::reply(Listener::bind(LOOPBACK), "220 ready\r\n");
    let relay = relay_to(greeter.address());
    let client = relay.connect();
    client.expect("220 ready\r\n");
    client.expect_eof();
    client.close();
    assert_eq!(relay.end().reason, CloseReason::Finished);
}

#[test]
fn many_sessions_at_once_keep_their_bytes_apart() {
    const SESSIONS: u64 = 300;
    let echo = Service::echo(Listener::bind(LOOPBACK));
    let relay = relay_to(echo.address());
    let clients: Vec<_> = (0..SESSIONS).map(|_| relay.connect()).collect();
    for (seed, client) in (0..).zip(&clients) {
        client.send(pattern(seed, 2_000));
    }
    for (seed, client) in (0..).zip(&clients) {
        client.expect(pattern(seed, 2_000));
    }
    assert_eq!(relay.handle.sessions(), clients.len());
    clients.iter().for_each(Peer::half_close);
    clients.iter().for_each(Peer::expect_eof);
    assert!(
        relay
            .ends(clients.len())
            .iter()
            .all(|end| end.reason == CloseReason::Finished)
    );
    relay.expect_idle();
    let stats = relay.stats();
    assert_eq!(
        (stats.accepted, stats.finished, stats.failed),
        (SESSIONS, SESSIONS, 0)
    );
    assert_eq!(
        (stats.bytes_up, stats.bytes_down),
        (2_000 * SESSIONS, 2_000 * SESSIONS)
    );
}

#[test]
fn sixteen_mebibytes_each_way_in_odd_chunks_arrive_whole() {
    let mut rng = Rng::from_env();
    let origin = Listener::bind(LOOPBACK);
    let relay = relay_to(origin.address());
    let client = relay.connect();
    let server = origin.accept();
    let (up, down) = (
        pattern(rng.next_u64(), 16 * MIB),
        pattern(rng.next_u64(), 16 * MIB),
    );
    let (mut up_rng, mut down_rng) = (Rng::new(rng.next_u64()), Rng::new(rng.next_u64()));
    thread::scope(|scope| {
        scope.spawn(|| {
            client.send_in_chunks(&up, 150_000, &mut up_rng);
            client.half_close();
        });
        scope.spawn(|| {
            server.send_in_chunks(&down, 150_000, &mut down_rng);
            server.half_close();
        });
        let received = scope.spawn(|| server.tally_to_end());
        assert_eq!(client.tally_to_end().checksum, Checksum::of(&down));
        assert_eq!(received.join().unwrap().checksum, Checksum::of(&up));
    });
    let end = relay.end();
    assert_eq!(end.reason, CloseReason::Finished);
    assert_eq!((end.bytes_up, end.bytes_down), (16 << 20, 16 << 20));
    relay.expect_idle();
}

#[test]
fn a_large_transfer_goes_through_a_pipe_which_is_given_back() {
    let origin = Listener::bind(LOOPBACK);
    let relay = relay_to(origin.address());
    let (client, server) = (relay.connect(), origin.accept());
    thread::scope(|scope| {
        let sent = scope.spawn(|| {
            let sent = client.send_pattern(7, 64 << 20);
            client.half_close();
            sent
        });
        // Nobody reads yet: what is in flight has to stay somewhere, and by now that is a pipe.
        relay.eventually("the flow to be spliced", |stats| stats.pipes_in_use == 1);
        assert_eq!(server.tally_to_end(), sent.join().unwrap());
    });
    relay.eventually("the pipe to be given back", |stats| stats.pipes_in_use == 0);
    server.send("thanks");
    server.half_close();
    client.expect("thanks");
    client.expect_eof();
    assert_eq!(relay.end().reason, CloseReason::Finished);
    relay.expect_idle();
}

#[test]
fn servers_take_turns_and_each_relay_has_its_own_pool() {
    let services = ["a", "b", "other"].map(|name| Service::reply(Listener::bind(LOOPBACK), name));
    let mut plan = plan(services[0].address());
    let named = |name: &str, service: &Service| nsproxy_engine::ServerPlan {
        name: name.to_owned(),
        ..server(service.address())
    };
    plan.pools[0].servers = vec![named("a", &services[0]), named("b", &services[1])];
    let other = Plan::forward(listener(), named("other", &services[2]), None);
    plan.pools.push(nsproxy_engine::PoolPlan {
        name: "other".to_owned(),
        ..other.pools[0].clone()
    });
    plan.relays.push(nsproxy_engine::RelayPlan {
        pool: 1,
        ..other.relays[0].clone()
    });
    let relay = Relay::start(&plan);
    assert_eq!(relay.listeners.len(), 2);
    assert!(
        relay
            .listeners
            .iter()
            .all(|listener| matches!(&listener.address, Endpoint::Ip(ip) if ip.port() != 0))
    );
    for expected in ["a", "b", "a"] {
        let client = relay.connect();
        client.expect(expected);
        client.expect_eof();
    }
    let client = Peer::connect(relay.address_of(1));
    client.expect("other");
    client.expect_eof();
}
