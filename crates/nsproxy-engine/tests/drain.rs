//! How an engine ends: listeners at once, sessions in their own time, and not later than the deadline.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod common;

use std::io::ErrorKind;
use std::time::Duration;

use common::{LOOPBACK, Relay, relay_to};
use nsproxy_engine::{ApplyError, CloseReason};
use nsproxy_testkit::{Listener, Peer, Service, pattern};

const LONG: Duration = Duration::from_secs(60);

fn expect_refused(address: std::net::SocketAddr) {
    let error = Peer::try_connect(address).expect_err("nobody was to listen any more");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn draining_closes_the_listeners_at_once_and_lets_a_session_finish() {
    let echo = Service::echo(Listener::bind(LOOPBACK));
    let relay = relay_to(echo.address());
    let client = relay.connect();
    client.send("before");
    client.expect("before");
    relay.handle.drain(LONG);
    expect_refused(relay.address());
    client.send(pattern(1, 300_000));
    client.expect(pattern(1, 300_000));
    client.half_close();
    client.expect_eof();
    let Relay { engine, record, .. } = relay;
    let stats = engine.wait().unwrap();
    assert_eq!((stats.finished, stats.failed, stats.bytes_up), (1, 0, 300_006));
    assert_eq!(record.ends()[0].reason, CloseReason::Finished);
}

#[test]
fn an_engine_without_sessions_ends_at_once() {
    let echo = Service::echo(Listener::bind(LOOPBACK));
    let relay = relay_to(echo.address());
    relay.handle.drain(LONG);
    relay.engine.wait().unwrap();
}

#[test]
fn what_is_left_at_the_deadline_is_reset() {
    let origin = Listener::bind(LOOPBACK);
    let relay = relay_to(origin.address());
    let (client, server) = (relay.connect(), origin.accept());
    relay.handle.drain(Duration::from_millis(100));
    client.expect_reset();
    server.expect_reset();
    assert_eq!(relay.engine.wait().unwrap().failed, 1);
    assert_eq!(relay.record.ends()[0].reason, CloseReason::Stopped);
}

#[test]
fn a_second_drain_can_shorten_the_first_and_not_lengthen_it() {
    let origin = Listener::bind(LOOPBACK);
    let relay = relay_to(origin.address());
    let (client, _server) = (relay.connect(), origin.accept());
    relay.handle.drain(LONG);
    relay.handle.drain(Duration::from_millis(50));
    relay.handle.drain(LONG);
    client.expect_reset();
    relay.engine.wait().unwrap();
}

#[test]
fn stopping_resets_every_session_at_once() {
    let origin = Listener::bind(LOOPBACK);
    let relay = relay_to(origin.address());
    let pairs: Vec<_> = (0..20).map(|_| (relay.connect(), origin.accept())).collect();
    relay.handle.stop();
    for (client, server) in &pairs {
        client.expect_reset();
        server.expect_reset();
    }
    expect_refused(relay.address());
    assert_eq!(relay.engine.wait().unwrap().failed, 20);
}

#[test]
fn dropping_an_engine_stops_it() {
    let origin = Listener::bind(LOOPBACK);
    let relay = relay_to(origin.address());
    let (client, server) = (relay.connect(), origin.accept());
    let (address, handle) = (relay.address(), relay.handle.clone());
    drop(relay.engine);
    client.expect_reset();
    server.expect_reset();
    expect_refused(address);
    assert_eq!((handle.sessions(), handle.places_taken()), (0, 0));
}

#[test]
fn an_ending_engine_takes_no_plan() {
    let echo = Service::echo(Listener::bind(LOOPBACK));
    let relay = relay_to(echo.address());
    relay.handle.drain(LONG);
    assert!(matches!(
        relay.handle.apply(&common::plan(echo.address())),
        Err(ApplyError::Stopping)
    ));
}
