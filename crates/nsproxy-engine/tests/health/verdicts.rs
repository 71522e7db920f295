//! What makes a server up or down but its own checks, and how long that holds.

use std::num::NonZeroU32;

use nsproxy_engine::{Balancing, CheckResult, HealthPlan, HealthSource, ObservePlan, OnError, Script, Span};
use nsproxy_testkit::{Address, DEFAULT_DEADLINE, Listener, Peer, eventually};

use crate::common::checks::{checked_by, connect, tracked};
use crate::common::{A_WHILE, LOOPBACK, Relay, plan_of};
use crate::pulse::Pulse;
use crate::{check, checked, health, relay_of, service, wait_for, with_health};

#[test]
fn connections_that_fail_one_after_the_other_count_against_a_server() {
    let pulse = Pulse::beating();
    let dead = Pulse::stopped();
    let mut plan = check(Script::connect(connect(pulse.address)));
    plan.rules.interval = Span::from_millis(60_000).unwrap();
    plan.rules.on_error = OnError::MarkDown;
    plan.observe = Some(ObservePlan {
        error_limit: NonZeroU32::new(3).unwrap(),
    });
    let relay = relay_of(vec![with_health(
        "a",
        &Address::Inet(dead.address),
        checked_by(plan),
    )]);
    wait_for(&relay, "a", true);
    for _ in 0..3 {
        assert_eq!(health(&relay, "a").unwrap().progress, (2, 2));
        relay.connect().expect_eof();
    }
    let down = wait_for(&relay, "a", false).last.unwrap();
    assert_eq!(down.result, CheckResult::Observed);
    assert_eq!(
        down.info,
        "Detected 3 consecutive errors, last one was: L4 unsuccessful connection"
    );
}

#[test]
fn a_server_goes_down_with_the_one_that_it_tracks() {
    let (a, b) = (service("a"), service("b"));
    let mut pulse = Pulse::stopped();
    let relay = relay_of(vec![
        with_health("a", a.address(), checked(pulse.address)),
        with_health("b", b.address(), tracked("a")),
    ]);
    wait_for(&relay, "b", false);
    eventually(DEFAULT_DEADLINE, "the change to be told", || {
        let notices = relay.record.notices();
        notices
            .iter()
            .any(|notice| notice.contains("Tracked { pool: \"forward\", server: \"a\" }"))
            .then_some(())
    });
    relay.connect().expect_eof();
    pulse.start();
    wait_for(&relay, "b", true);
    assert_eq!([(); 2].map(|()| relay.met()).concat().len(), 2);
}

#[test]
fn what_is_known_of_a_server_outlives_a_plan() {
    let a = service("a");
    let pulse = Pulse::stopped();
    let mut plan = plan_of(
        vec![with_health("a", a.address(), checked(pulse.address))],
        Balancing::default(),
    );
    let relay = Relay::start(&plan);
    wait_for(&relay, "a", false);
    // With other rules, too: it is still down.
    if let HealthSource::Checked(check) = &mut plan.pools[0].servers[0].health.source {
        check.rules.interval = Span::from_millis(60_000).unwrap();
    }
    relay.handle.apply(&plan).unwrap();
    assert!(!health(&relay, "a").unwrap().is_up);
    Peer::connect(relay.address()).expect_eof();
    // Without a check it counts as up.
    plan.pools[0].servers[0].health = HealthPlan::default();
    relay.handle.apply(&plan).unwrap();
    assert_eq!(relay.met(), "a");
    assert_eq!(health(&relay, "a"), None);
}

#[test]
fn nothing_is_checked_any_more_when_the_engine_has_ended() {
    let a = service("a");
    let listener = Listener::bind(LOOPBACK);
    let health = checked(listener.address().inet());
    let relay = relay_of(vec![with_health("a", a.address(), health)]);
    wait_for(&relay, "a", true);
    relay.handle.stop();
    relay.engine.wait().unwrap();
    while listener.try_accept(A_WHILE).is_ok() {}
    listener.expect_no_connection(A_WHILE);
}
