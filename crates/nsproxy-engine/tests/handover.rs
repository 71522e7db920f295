//! Listeners that go from one engine to another, as from one process to the next.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod common;

use std::io::ErrorKind;
use std::num::NonZeroU16;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;

use common::{A_WHILE, Relay, in_netns, listener, listener_at, plan, settings, unix_listener};
use nsproxy_engine::{Adopting, Endpoint, HandedOver, InProcess, NetnsState, OpenerFactory, Plan, Prepared};
use nsproxy_testkit::{
    Address, DEFAULT_DEADLINE, Deadline, Listener, Netns, Peer, Service, eventually, world,
};
use socket2::Socket;

const LONG: Duration = Duration::from_secs(60);

/// Duplicates of sockets, as a process has them that was given them.
fn duplicates(handed: &HandedOver) -> Vec<Socket> {
    let duplicate = |fd: std::os::fd::BorrowedFd<'_>| Socket::from(fd.as_fd().try_clone_to_owned().unwrap());
    handed.sockets().map(duplicate).collect()
}

/// Another engine with this plan, which has those sockets.
fn successor(handed: &HandedOver, plan: &Plan) -> (Relay, Arc<Adopting>) {
    let adopting = Arc::new(Adopting::new(duplicates(handed), Arc::new(InProcess)).unwrap());
    let opener = Arc::clone(&adopting) as Arc<dyn OpenerFactory>;
    (Relay::start_with(&settings(1), opener, plan), adopting)
}

/// The plan with the ports that were chosen.
fn as_opened(relay: &Relay, plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    for (listener, status) in plan.relays[0].listeners.iter_mut().zip(&relay.listeners) {
        listener.address = status.address.clone();
    }
    plan
}

fn ask(address: Address, expected: &str) {
    let client = Peer::connect(address);
    client.half_close();
    assert_eq!(client.read_to_end(100), expected.as_bytes());
}

#[test]
fn a_listener_that_was_handed_over_goes_on_when_the_engine_ends() {
    world("handed-over", |w| {
        let services = ["old", "new"].map(|name| Service::reply(Listener::bind("127.0.0.1:0"), name));
        let mut first = plan(services[0].address());
        w.add_netns("blue");
        let mut elsewhere = listener();
        elsewhere.netns = Some("blue".parse().unwrap());
        let path = w.path("relay.sock");
        first.relays[0]
            .listeners
            .extend([elsewhere, unix_listener(&path)]);
        let old = Relay::start(&first);
        let mut second = as_opened(&old, &first);
        second.pools = plan(services[1].address()).pools;
        let handed = old.handle.hand_over();
        let (new, adopting) = successor(&handed, &second);
        assert!(adopting.release().is_empty(), "all of them are in use");
        old.handle.drain(LONG);
        assert!(old.handle.comes_round(DEFAULT_DEADLINE));
        drop(handed);
        old.engine.wait().unwrap();
        new.handle.succeed();
        ask(Address::Inet(new.address()), "new");
        ask(Address::Unix(path.clone()), "new");
        w.netns("blue")
            .run(|| ask(Address::Inet(new.address_of(1)), "new"));
        drop(new);
        assert!(!path.exists(), "the file goes with the last one");
    });
}

#[test]
fn what_nobody_asks_for_is_named_and_closed() {
    let echo = Service::echo(Listener::bind("127.0.0.1:0"));
    let mut first = plan(echo.address());
    first.relays[0].listeners.push(listener());
    let old = Relay::start(&first);
    let (kept, dropped) = (old.address_of(0), old.address_of(1));
    let mut second = as_opened(&old, &first);
    second.relays[0].listeners.pop();
    let handed = old.handle.hand_over();
    let (new, adopting) = successor(&handed, &second);
    assert_eq!(adopting.release(), [Endpoint::Ip(dropped)]);
    old.handle.drain(LONG);
    assert!(old.handle.comes_round(DEFAULT_DEADLINE));
    drop((handed, old));
    assert_eq!(new.address(), kept);
    let error = Peer::try_connect(dropped).expect_err("nobody was to listen any more");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    drop(new);
}

#[test]
fn a_listener_that_was_taken_back_ends_with_its_engine() {
    world("taken-back", |w| {
        let echo = Service::echo(Listener::bind("127.0.0.1:0"));
        let mut first = plan(echo.address());
        let path = w.path("relay.sock");
        first.relays[0].listeners.push(unix_listener(&path));
        let relay = Relay::start(&first);
        let handed = relay.handle.hand_over();
        let kept = duplicates(&handed);
        handed.take_back();
        relay.handle.stop();
        let error = Peer::try_connect(relay.address()).expect_err("nobody was to listen any more");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        drop((handed, relay, kept));
        assert!(!path.exists());
    });
}

/// The kernel tells one of those who wait for a connection. When that one lets go without having accepted it, nobody knows.
#[test]
fn a_connection_that_the_other_engine_was_told_of_is_found_by_looking_again() {
    let service = Service::reply(Listener::bind("127.0.0.1:0"), "found");
    let mut first = plan(service.address());
    let second = first.clone();
    // Nobody gets in any more: the old engine, which is told first, lets the connection wait.
    first.relays[0].max_sessions = Some(1);
    let old = Relay::start_with(&settings(8), Arc::new(InProcess), &first);
    let held = old.connect();
    held.expect("found");
    let handed = old.handle.hand_over();
    let mut second = as_opened(&old, &second);
    second.relays[0].listeners.push(listener());
    let (new, _) = successor(&handed, &second);
    // Its worker waits at both listeners when it has accepted at the second one.
    ask(Address::Inet(new.address_of(1)), "found");
    let waiting = Peer::connect(new.address());
    old.handle.drain(LONG);
    assert!(old.handle.comes_round(DEFAULT_DEADLINE));
    new.handle.succeed();
    waiting.expect("found");
    waiting.half_close();
    waiting.expect_eof();
    held.half_close();
    held.expect_eof();
}

#[test]
fn a_successor_that_fails_leaves_the_options_of_listeners_as_they_were() {
    world("handed-over-options", |_| {
        let service = Service::reply(Listener::bind("127.0.0.1:0"), "old");
        let first = plan(service.address());
        let old = Relay::start(&first);
        let handed = old.handle.hand_over();
        let looked_at = duplicates(&handed);
        let options = || {
            (
                looked_at[0].tcp_mss().unwrap(),
                looked_at[0].ip_transparent_v4().unwrap(),
            )
        };
        let before = options();
        let mut plan = as_opened(&old, &first);
        let changed = &mut plan.relays[0].listeners[0];
        changed.tuning.max_segment = NonZeroU16::new(1000);
        changed.transparent = true;
        // Another one is refused, since that address is taken.
        plan.relays[0]
            .listeners
            .push(listener_at(&service.address().to_string()));
        let adopting = Adopting::new(duplicates(&handed), Arc::new(InProcess)).unwrap();
        let failed = Prepared::open(&plan, Arc::new(adopting));
        assert!(failed.is_err());
        assert_ne!(options(), before, "it has not come so far");
        handed.take_back();
        assert_eq!(options(), before);
    });
}

const WEB: &str = "127.0.0.1:8080";

/// The namespace that a plan waits for comes, and an engine that has handed over has seen it.
fn comes(w: &nsproxy_testkit::World, old: &Relay) -> Netns {
    let blue = w.add_netns("blue");
    eventually(DEFAULT_DEADLINE, "the namespace to be noticed", || {
        let namespaces = old.handle.namespaces();
        (namespaces[0].state == NetnsState::Live).then_some(())
    });
    // What is opened is opened at once.
    Listener::bind("127.0.0.1:0").expect_no_connection(A_WHILE);
    assert!(blue.run(|| Peer::try_connect(WEB)).is_err(), "it is open already");
    blue
}

/// One plan for each of these: a listener in `blue`, and what is to be heard there.
fn in_blue(replies: [&'static str; 2]) -> ([Service; 2], [Plan; 2]) {
    let services = replies.map(|reply| Service::reply(Listener::bind("127.0.0.1:0"), reply));
    let plans = services.each_ref().map(|service| {
        let mut plan = plan(service.address());
        plan.relays[0].listeners = vec![in_netns("blue", listener_at(WEB))];
        plan
    });
    (services, plans)
}

#[test]
fn a_namespace_that_comes_while_listeners_are_handed_over_is_for_the_other_engine() {
    world("handed-over-comes", |w| {
        let (_services, [first, second]) = in_blue(["old", "new"]);
        let old = Relay::start(&first);
        let handed = old.handle.hand_over();
        let blue = comes(w, &old);
        let (new, _) = successor(&handed, &second);
        blue.run(|| ask(WEB.parse().map(Address::Inet).unwrap(), "new"));
        old.handle.drain(LONG);
        assert!(old.handle.comes_round(DEFAULT_DEADLINE));
        drop((handed, old));
        new.handle.succeed();
        blue.run(|| ask(WEB.parse().map(Address::Inet).unwrap(), "new"));
    });
}

#[test]
fn a_namespace_that_has_come_is_listened_in_when_there_will_be_no_other_engine() {
    world("taken-back-comes", |w| {
        let (_services, [first, _]) = in_blue(["old", "new"]);
        let old = Relay::start(&first);
        let handed = old.handle.hand_over();
        let blue = comes(w, &old);
        handed.take_back();
        blue.wait_listening(WEB, Deadline::after(DEFAULT_DEADLINE));
        blue.run(|| ask(WEB.parse().map(Address::Inet).unwrap(), "old"));
        drop(handed);
    });
}

#[test]
fn a_listener_that_is_not_transparent_any_more_becomes_so_once_the_other_engine_has_let_go() {
    world("handed-over-opaque", |_| {
        let service = Service::reply(Listener::bind("127.0.0.1:0"), "there");
        let second = plan(service.address());
        let mut first = second.clone();
        first.relays[0].listeners[0].transparent = true;
        let old = Relay::start(&first);
        let handed = old.handle.hand_over();
        let looked_at = duplicates(&handed);
        let is_transparent = || looked_at[0].ip_transparent_v4().unwrap();
        let mut second = as_opened(&old, &second);
        second.relays[0].listeners[0].transparent = false;
        let (new, _) = successor(&handed, &second);
        assert!(is_transparent(), "the other engine could not make it so again");
        old.handle.drain(LONG);
        assert!(old.handle.comes_round(DEFAULT_DEADLINE));
        drop((handed, old));
        new.handle.succeed();
        assert!(!is_transparent());
        ask(Address::Inet(new.address()), "there");
    });
}
