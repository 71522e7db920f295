//! What administrators do to servers and sessions of an engine that runs.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod common;

use std::collections::HashSet;

use common::checks::{checked, tracked};
use common::{A_WHILE, LOOPBACK, POOL, Relay, named, nobody, plan_of, relay_to};
use nsproxy_engine::{Admin, Balancing, CloseReason, Down, Plan, SessionId, Share, Stage, Target};
use nsproxy_testkit::{Address, DEFAULT_DEADLINE, Listener, Service, eventually};

/// A relay to services that say their names.
fn two() -> (Relay, [Service; 2], Plan) {
    let services = ["a", "b"].map(|name| Service::reply(Listener::bind(LOOPBACK), name));
    let [a, b] = &services;
    let plan = plan_of(
        vec![named("a", a.address()), named("b", b.address())],
        Balancing::default(),
    );
    (Relay::start(&plan), services, plan)
}

#[test]
fn a_server_that_drains_keeps_its_sessions_and_gets_no_more() {
    let echo = Service::echo(Listener::bind(LOOPBACK));
    let relay = Relay::start(&plan_of(vec![named("a", echo.address())], Balancing::default()));
    let client = relay.connect();
    client.send("x");
    client.expect("x");
    assert!(relay.handle.set_admin(POOL, "a", Admin::Drain));
    client.send("still");
    client.expect("still");
    relay.connect().expect_eof();
    assert_eq!(relay.ends(1)[0].reason, CloseReason::NoServer);
    assert_eq!(relay.server("a").admin, Admin::Drain);
    assert!(relay.handle.set_admin(POOL, "a", Admin::Ready));
    let another = relay.connect();
    another.send("y");
    another.expect("y");
}

#[test]
fn a_server_in_maintenance_is_left_out_until_it_is_ready() {
    let (relay, _services, _) = two();
    assert!(relay.handle.set_admin(POOL, "a", Admin::Maintenance));
    assert_eq!([relay.met(), relay.met(), relay.met()], ["b", "b", "b"]);
    let a = relay.server("a");
    assert_eq!((a.down, a.availability.downs), (Down::MAINTENANCE, 1));
    assert!(relay.handle.set_admin(POOL, "a", Admin::Ready));
    let met: HashSet<_> = (0..2).map(|_| relay.met()).collect();
    assert_eq!(met.len(), 2);
    let notices = relay.record.notices().concat();
    assert_eq!(notices.matches("ServerSet").count(), 2, "{notices}");
}

#[test]
fn there_is_no_server_that_the_plan_does_not_have() {
    let (relay, _services, _) = two();
    assert!(!relay.handle.set_admin(POOL, "c", Admin::Drain));
    assert!(!relay.handle.set_admin("p", "a", Admin::Drain));
    assert!(!relay.handle.set_weight(POOL, "c", 3));
    assert!(!relay.handle.end_sessions_at(POOL, "c"));
}

#[test]
fn a_weight_counts_from_the_next_session_on() {
    let (relay, _services, _) = two();
    assert!(relay.handle.set_weight(POOL, "a", 3));
    let mut all: Vec<_> = (0..8).map(|_| relay.met()).collect();
    all.sort();
    assert_eq!(all.concat(), "aaaaaabb");
    assert!(relay.handle.set_weight(POOL, "b", 0));
    assert_eq!([relay.met(), relay.met()], ["a", "a"]);
    let b = relay.server("b");
    assert_eq!((b.weight, b.configured_weight), (0, 1));
}

#[test]
fn what_was_set_stays_over_plans_until_one_says_otherwise() {
    let (relay, _services, mut plan) = two();
    relay.handle.set_admin(POOL, "a", Admin::Maintenance);
    relay.handle.set_weight(POOL, "b", 7);
    relay.handle.apply(&plan).unwrap();
    assert_eq!([relay.met(), relay.met()], ["b", "b"]);
    assert_eq!(relay.server("b").weight, 7);
    plan.pools[0].servers[1].share = Share {
        weight: 2,
        ..Share::default()
    };
    relay.handle.apply(&plan).unwrap();
    assert_eq!(relay.server("b").weight, 2);
    assert_eq!(relay.server("a").admin, Admin::Maintenance);
}

#[test]
fn a_disabled_server_can_be_put_in() {
    let (_, services, mut plan) = two();
    plan.pools[0].servers[0].share.disabled = true;
    let relay = Relay::start(&plan);
    assert_eq!([relay.met(), relay.met()], ["b", "b"]);
    assert!(relay.handle.set_admin(POOL, "a", Admin::Ready));
    let met: HashSet<_> = (0..2).map(|_| relay.met()).collect();
    assert_eq!(met.len(), 2);
    assert!(relay.server("a").disabled);
    drop(services);
}

#[test]
fn a_server_that_is_moved_is_reached_elsewhere_until_a_plan_moves_it() {
    let services = ["first", "second", "third"].map(|name| Service::reply(Listener::bind(LOOPBACK), name));
    let address = |index: usize| match services[index].address() {
        Address::Inet(address) => *address,
        Address::Unix(path) => panic!("{} is no internet address", path.display()),
    };
    let plan = |index: usize| {
        let mut server = named("a", services[index].address());
        server.health = checked(address(index));
        plan_of(vec![server], Balancing::default())
    };
    let relay = Relay::start(&plan(0));
    assert_eq!(relay.met(), "first");
    let target = Target::Ip {
        address: address(1).ip(),
        port: Some(address(1).port()),
    };
    assert!(relay.handle.set_target(POOL, "a", &target));
    assert_eq!(relay.met(), "second");
    assert_eq!(relay.server("a").target, target);
    relay.handle.apply(&plan(0)).unwrap();
    assert_eq!(relay.met(), "second");
    relay.handle.apply(&plan(2)).unwrap();
    eventually(DEFAULT_DEADLINE, "every worker to know", || {
        (relay.met() == "third").then_some(())
    });
    assert!(!relay.handle.set_target(POOL, "zz", &target));
    let mut unix = named("u", &Address::Unix("/nowhere".into()));
    unix.share.disabled = true;
    relay
        .handle
        .apply(&plan_of(vec![unix], Balancing::default()))
        .unwrap();
    assert!(!relay.handle.set_target(POOL, "u", &target));
}

#[test]
fn a_server_in_maintenance_is_not_checked_and_takes_its_trackers_along() {
    let listener = Listener::bind(LOOPBACK);
    let (mut a, mut b) = (named("a", listener.address()), named("b", listener.address()));
    a.health = checked(listener.address().inet());
    b.health = tracked("a");
    let relay = Relay::start(&plan_of(vec![a, b], Balancing::default()));
    drop(listener.accept());
    assert!(relay.handle.set_admin(POOL, "a", Admin::Maintenance));
    assert_eq!(relay.server("b").inherited, Admin::Maintenance);
    assert_eq!(relay.server("b").down, Down::MAINTENANCE);
    // What was on its way.
    while listener.try_accept(A_WHILE).is_ok() {}
    listener.expect_no_connection(A_WHILE);
    assert!(relay.handle.set_admin(POOL, "a", Admin::Ready));
    drop(listener.accept());
    assert_eq!(relay.server("b").down, Down::empty());
    // One that is drained is checked.
    assert!(relay.handle.set_admin(POOL, "a", Admin::Drain));
    for _ in 0..3 {
        drop(listener.accept());
    }
}

#[test]
fn a_server_that_was_down_counts_as_up_after_maintenance_until_a_check_fails() {
    let (_socket, address) = nobody();
    let mut a = named("a", &address);
    a.health = checked(address.inet());
    let relay = Relay::start(&plan_of(vec![a], Balancing::default()));
    let down = |down| {
        eventually(DEFAULT_DEADLINE, "another state", || {
            (relay.server("a").down == down).then_some(())
        });
    };
    down(Down::UNHEALTHY);
    relay.handle.set_admin(POOL, "a", Admin::Maintenance);
    relay.handle.set_admin(POOL, "a", Admin::Ready);
    eventually(DEFAULT_DEADLINE, "another check that fails", || {
        let health = relay.server("a").health.unwrap();
        (health.failed_checks == 2).then_some(())
    });
    down(Down::UNHEALTHY);
}

#[test]
fn every_session_is_listed_once() {
    const MANY: usize = 600;
    let service = Service::echo(Listener::bind(LOOPBACK));
    let relay = relay_to(service.address());
    let clients: Vec<_> = (0..MANY)
        .map(|_| {
            let client = relay.connect();
            client.send("x");
            client.expect("x");
            client
        })
        .collect();
    let sessions: Vec<_> = relay.handle.session_list().collect();
    let ids: HashSet<_> = sessions.iter().map(|session| session.id.number()).collect();
    assert_eq!((sessions.len(), ids.len()), (MANY, MANY));
    let session = sessions
        .iter()
        .find(|session| Some(Address::Inet(session.client.unwrap())) == Some(clients[7].local_addr()))
        .unwrap();
    assert_eq!(session.bytes, [1, 1]);
    assert_eq!(
        (session.stage, session.server.as_deref()),
        (Stage::Relaying, Some("s"))
    );
    assert!(session.idle.is_some() && session.source.is_some());
    let alone = relay.handle.session(session.id).unwrap();
    assert_eq!(alone.client, session.client);
}

#[test]
fn a_session_that_is_ended_is_reset_on_both_sides_and_no_other_is() {
    let listener = Listener::bind(LOOPBACK);
    let relay = relay_to(listener.address());
    let client = relay.connect();
    let upstream = listener.accept();
    client.send("x");
    upstream.expect("x");
    let other = relay.connect();
    let other_upstream = listener.accept();
    let from = client.local_addr();
    let is_its =
        |session: &nsproxy_engine::SessionStatus| session.client.map(Address::Inet) == Some(from.clone());
    let id = relay.handle.session_list().find(is_its).unwrap().id;
    assert_eq!(SessionId::from_number(id.number()), id);
    assert!(relay.handle.end_session(id));
    client.expect_reset();
    upstream.expect_reset();
    assert_eq!(relay.end().reason, CloseReason::Killed);
    assert!(!relay.handle.end_session(id), "it has ended");
    assert!(relay.handle.session(id).is_none());
    assert!(!relay.handle.end_session(SessionId::from_number(u64::MAX)));
    other.send("y");
    other_upstream.expect("y");
    assert!(relay.handle.end_sessions_at(&relay.handle.pools()[0].pool, "s"));
    other.expect_reset();
}

#[test]
fn an_engine_that_has_ended_has_no_sessions() {
    let service = Service::echo(Listener::bind(LOOPBACK));
    let relay = relay_to(service.address());
    let handle = relay.handle.clone();
    handle.stop();
    relay.engine.wait().unwrap();
    assert_eq!(handle.session_list().count(), 0);
    assert!(!handle.end_session(SessionId::from_number(1)));
}
