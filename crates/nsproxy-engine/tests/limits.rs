//! Limits of numbers and of time: who waits, who is turned away, and when.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod common;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{A_WHILE, LOOPBACK, Relay, nobody, plan, settings};
use nsproxy_engine::{CloseReason, Errno, InProcess, Plan, Settings, Side};
use nsproxy_testkit::{Address, Listener, Peer, Service, pattern};

/// Two clients where there is room for one: the second one is served when the first one has gone.
fn expect_one_at_a_time(relay: &Relay) {
    let first = relay.connect();
    first.send("one");
    first.expect("one");
    let second = relay.connect();
    second.send("two");
    second.expect_silence(A_WHILE);
    assert_eq!(relay.handle.sessions(), 1);
    first.half_close();
    first.expect_eof();
    second.expect("two");
    second.half_close();
    second.expect_eof();
    relay.ends(2);
    relay.expect_idle();
}

#[test]
fn a_client_beyond_the_engines_limit_waits_until_one_has_gone() {
    let echo = Service::echo(Listener::bind(LOOPBACK));
    let settings = Settings {
        max_sessions: Some(1),
        ..settings(2)
    };
    expect_one_at_a_time(&Relay::start_with(
        &settings,
        Arc::new(InProcess),
        &plan(echo.address()),
    ));
}

#[test]
fn a_client_beyond_its_relays_limit_waits_until_one_has_gone() {
    let echo = Service::echo(Listener::bind(LOOPBACK));
    let mut plan = plan(echo.address());
    plan.relays[0].max_sessions = Some(1);
    expect_one_at_a_time(&Relay::start(&plan));
}

#[test]
fn a_relay_at_its_limit_leaves_room_for_others() {
    let echo = Service::echo(Listener::bind(LOOPBACK));
    let mut plan = plan(echo.address());
    plan.relays[0].max_sessions = Some(1);
    let mut other = plan.relays[0].clone();
    other.name = "other".to_owned();
    plan.relays.push(other);
    let settings = Settings {
        max_sessions: Some(2),
        ..settings(2)
    };
    let relay = Relay::start_with(&settings, Arc::new(InProcess), &plan);
    let (first, waiting) = (relay.connect(), relay.connect());
    first.send("one");
    first.expect("one");
    waiting.send("three");
    let other = Peer::connect(relay.address_of(1));
    other.send("two");
    other.expect("two");
    waiting.expect_silence(A_WHILE);
    first.close();
    waiting.expect("three");
}

#[test]
fn sessions_beyond_the_rate_wait_until_the_second_is_over() {
    let echo = Service::echo(Listener::bind(LOOPBACK));
    let mut plan = plan(echo.address());
    plan.relays[0].max_session_rate = NonZeroU32::new(3);
    let relay = Relay::start(&plan);
    let start = Instant::now();
    let clients: Vec<_> = (0..5).map(|_| relay.connect()).collect();
    for client in &clients {
        client.send("x");
    }
    // Which clients those are is for the workers to decide.
    relay.eventually("three sessions", |stats| stats.sessions == 3);
    for client in &clients {
        client.expect("x");
        client.half_close();
        client.expect_eof();
    }
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(relay.ends(5).len(), 5);
    relay.expect_idle();
}

#[test]
fn many_clients_pass_a_narrow_gate_one_after_the_other() {
    let echo = Service::echo(Listener::bind(LOOPBACK));
    let settings = Settings {
        max_sessions: Some(3),
        ..settings(2)
    };
    let relay = Relay::start_with(&settings, Arc::new(InProcess), &plan(echo.address()));
    let clients: Vec<_> = (0..60).map(|_| relay.connect()).collect();
    for client in &clients {
        client.send("x");
        client.half_close();
    }
    for client in &clients {
        client.expect("x");
        client.expect_eof();
    }
    relay.ends(60);
    relay.expect_idle();
}

#[test]
fn a_refused_connection_closes_the_session_with_the_reason() {
    let (_socket, address) = nobody();
    let relay = common::relay_to(&address);
    let client = relay.connect();
    client.expect_closed();
    let end = relay.end();
    assert_eq!(end.reason, CloseReason::ConnectFailed(Errno(libc::ECONNREFUSED)));
    assert_eq!(
        (end.upstream, relay.stats().upstream_failed),
        (Some(address.inet()), 1)
    );
    relay.expect_idle();
}

#[test]
fn a_connection_that_is_not_answered_times_out() {
    // A backlog of nothing: one connection fits, further attempts are dropped (listen(2), tcp_abort_on_overflow).
    let (full, address) = nobody();
    full.listen(0).unwrap();
    let _queued = Peer::connect(&address);
    let mut plan = plan(&address);
    plan.pools[0].connect_timeout = Duration::from_millis(100);
    let relay = Relay::start(&plan);
    relay.connect().expect_closed();
    assert_eq!(relay.end().reason, CloseReason::ConnectTimeout);
    assert_eq!(relay.stats().upstream_failed, 1);
    relay.expect_idle();
}

fn timed(to: &Address, client: Duration, server: Duration) -> Plan {
    let mut plan = plan(to);
    plan.relays[0].client_timeout = client;
    plan.pools[0].server_timeout = server;
    plan
}

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(200);

#[test]
fn an_idle_client_is_reset_and_so_is_its_server() {
    let origin = Listener::bind(LOOPBACK);
    let relay = Relay::start(&timed(origin.address(), SHORT, LONG));
    let (client, server) = (relay.connect(), origin.accept());
    client.expect_reset();
    server.expect_reset();
    assert_eq!(relay.end().reason, CloseReason::IdleTimeout(Side::Downstream));
    relay.expect_idle();
}

#[test]
fn an_idle_server_is_reset_and_so_is_its_client() {
    let origin = Listener::bind(LOOPBACK);
    let relay = Relay::start(&timed(origin.address(), LONG, SHORT));
    let (client, server) = (relay.connect(), origin.accept());
    client.expect_reset();
    server.expect_reset();
    assert_eq!(relay.end().reason, CloseReason::IdleTimeout(Side::Upstream));
    relay.expect_idle();
}

#[test]
fn a_session_that_moves_bytes_is_not_idle() {
    let echo = Service::echo(Listener::bind(LOOPBACK));
    let relay = Relay::start(&timed(echo.address(), SHORT, SHORT));
    let client = relay.connect();
    for round in 0..10 {
        client.send([round]);
        client.expect([round]);
        client.expect_silence(SHORT / 4);
    }
    assert_eq!(relay.handle.sessions(), 1);
}

#[test]
fn a_client_that_waits_for_a_slow_server_is_not_idle() {
    let origin = Listener::bind(LOOPBACK);
    let relay = Relay::start(&timed(origin.address(), 5 * SHORT, LONG));
    let (client, server) = (relay.connect(), origin.accept());
    let piece = pattern(1, 64 * 1024);
    let mut pieces = 0;
    // Until the server's side takes no more for good, and the rest waits in the engine.
    let mut looks = 0;
    while looks < 20 {
        if relay.stats().buffers_in_use + relay.stats().pipes_in_use == 0 {
            client.send(&piece);
            (pieces, looks) = (pieces + 1, 0);
        }
        client.expect_silence(Duration::from_millis(2));
        looks += 1;
    }
    // For longer than its timeout, the client has every reason to be silent.
    client.expect_silence(7 * SHORT);
    for _ in 0..pieces {
        server.expect(&piece);
    }
    // From now on it is waited for again, and its time begins anew.
    client.expect_silence(SHORT);
    server.send("answer");
    client.expect("answer");
}
