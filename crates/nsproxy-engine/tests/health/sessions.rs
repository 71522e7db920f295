//! What becomes of sessions, and of those who wait to be, when a server goes down or comes up.

use std::num::NonZeroU32;

use nsproxy_engine::{CheckResult, CloseReason, HealthPlan, Share};
use nsproxy_testkit::{DEFAULT_DEADLINE, Listener, eventually};

use crate::common::{LOOPBACK, named};
use crate::pulse::Pulse;
use crate::{checked, health, relay_of, service, wait_for, with_health};

#[test]
fn a_server_gets_no_session_while_its_checks_fail() {
    let (a, b) = (service("a"), service("b"));
    let mut pulse = Pulse::beating();
    let relay = relay_of(vec![
        with_health("a", a.address(), checked(pulse.address)),
        named("b", b.address()),
    ]);
    assert_eq!(
        wait_for(&relay, "a", true).last.unwrap().result,
        CheckResult::Layer4Passed
    );
    assert_eq!(health(&relay, "b"), None);
    assert_eq!([(); 4].map(|()| relay.met()).concat(), "abab");
    pulse.stop();
    let down = wait_for(&relay, "a", false);
    assert_eq!(down.progress, (0, 2));
    let last = down.last.unwrap();
    assert_eq!(
        (last.result, last.info.as_str()),
        (CheckResult::Layer4Failed, "Connection refused")
    );
    assert_eq!([(); 4].map(|()| relay.met()).concat(), "bbbb");
    pulse.start();
    wait_for(&relay, "a", true);
    assert_eq!([(); 4].map(|()| relay.met()).concat().matches('a').count(), 2);
}

#[test]
fn without_a_server_that_is_up_a_session_ends_at_once() {
    let a = service("a");
    for share in [
        Share::default(),
        Share {
            max_sessions: NonZeroU32::new(9),
            ..Share::default()
        },
    ] {
        let mut pulse = Pulse::stopped();
        let mut only = with_health("a", a.address(), checked(pulse.address));
        only.share = share;
        let relay = relay_of(vec![only]);
        wait_for(&relay, "a", false);
        relay.connect().expect_eof();
        assert_eq!(relay.end().reason, CloseReason::NoServer);
        pulse.start();
        wait_for(&relay, "a", true);
        assert_eq!(relay.met(), "a");
    }
}

#[test]
fn a_server_that_comes_up_takes_over_those_who_wait() {
    let (busy, free) = (Listener::bind(LOOPBACK), service("b"));
    let mut pulse = Pulse::stopped();
    let mut full = named("a", busy.address());
    full.share.max_sessions = NonZeroU32::new(1);
    let second = with_health("b", free.address(), checked(pulse.address));
    let relay = relay_of(vec![full, second]);
    wait_for(&relay, "b", false);
    let _first = relay.connect();
    let _accepted = busy.accept();
    let waits = relay.connect();
    eventually(DEFAULT_DEADLINE, "a session that waits", || {
        (relay.handle.pools()[0].waiting == 1).then_some(())
    });
    pulse.start();
    waits.expect("b");
}

#[test]
fn sessions_end_when_their_server_goes_down_where_that_is_asked_for() {
    for ends_sessions in [true, false] {
        let listener = Listener::bind(LOOPBACK);
        let mut pulse = Pulse::beating();
        let health = HealthPlan {
            ends_sessions,
            ..checked(pulse.address)
        };
        let relay = relay_of(vec![with_health("a", listener.address(), health)]);
        wait_for(&relay, "a", true);
        let client = relay.connect();
        let server = listener.accept();
        client.send("x");
        server.expect("x");
        pulse.stop();
        wait_for(&relay, "a", false);
        if ends_sessions {
            client.expect_reset();
            server.expect_reset();
            assert_eq!(relay.end().reason, CloseReason::ServerDown);
            relay.expect_idle();
        } else {
            server.send("y");
            client.expect("y");
        }
    }
}

#[test]
fn sessions_of_backups_end_when_a_server_comes_up_where_that_is_asked_for() {
    let (active, backup) = (service("a"), Listener::bind(LOOPBACK));
    let mut pulse = Pulse::stopped();
    let health = HealthPlan {
        ends_backup_sessions: true,
        ..checked(pulse.address)
    };
    let mut second = named("b", backup.address());
    second.share.backup = true;
    let relay = relay_of(vec![with_health("a", active.address(), health), second]);
    wait_for(&relay, "a", false);
    let client = relay.connect();
    let server = backup.accept();
    client.send("x");
    server.expect("x");
    pulse.start();
    client.expect_reset();
    server.expect_reset();
    assert_eq!(relay.end().reason, CloseReason::ServerUp);
    assert_eq!(relay.met(), "a");
}
