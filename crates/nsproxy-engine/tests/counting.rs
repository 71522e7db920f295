//! What is counted of relays, pools and servers, and when it can be seen.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod common;

use std::num::{NonZeroI16, NonZeroU32};
use std::sync::Arc;
use std::time::Duration;

use common::{A_WHILE, LOOPBACK, Relay, named, nobody, plan, plan_of, relay_to};
use nsproxy_engine::rules::{Action, Rule, Rules};
use nsproxy_engine::{Balancing, Plan, PoolStatus, RelayStatus, Share};
use nsproxy_testkit::{DEFAULT_DEADLINE, Listener, Peer, Service, eventually};

/// Bytes of a session that goes on which may not be counted yet.
const STEP: u64 = 4096;

fn relay_status(relay: &Relay) -> RelayStatus {
    relay.handle.relays().remove(0)
}

fn pool_status(relay: &Relay) -> PoolStatus {
    relay.handle.pools().remove(0)
}

#[test]
fn bytes_of_a_session_are_counted_while_it_goes_on_and_to_the_last_at_its_end() {
    let listener = Listener::bind(LOOPBACK);
    let relay = relay_to(listener.address());
    let client = relay.connect();
    let upstream = listener.accept();
    client.send(vec![b'u'; 100_000]);
    upstream.read_exact(100_000);
    upstream.send(vec![b'd'; 50_001]);
    client.read_exact(50_001);
    let both = |relay: &Relay| {
        let counts = [
            relay_status(relay).counts,
            pool_status(relay).totals.counts,
            relay.server("s").totals.counts,
        ];
        counts.map(|counts| (counts.bytes_up, counts.bytes_down))
    };
    eventually(DEFAULT_DEADLINE, "the bytes so far", || {
        let is_near = |(up, down): (u64, u64)| {
            (100_000 - STEP..=100_000).contains(&up) && (50_001 - STEP..=50_001).contains(&down)
        };
        both(&relay).into_iter().all(is_near).then_some(())
    });
    drop((client, upstream));
    relay.end();
    assert_eq!(both(&relay), [(100_000, 50_001); 3]);
}

#[test]
fn sessions_now_and_the_most_that_there_were_are_known_of_each() {
    let service = Service::echo(Listener::bind(LOOPBACK));
    let relay = relay_to(service.address());
    let clients: Vec<_> = (0..3).map(|_| relay.connect()).collect();
    for client in &clients {
        client.send("x");
        client.expect("x");
    }
    let (front, pool, server) = (relay_status(&relay), pool_status(&relay), relay.server("s"));
    assert_eq!((front.sessions, pool.sessions, server.sessions), (3, 3, 3));
    assert!((1..=3).contains(&front.rate) && front.most_rate == pool.most_rate);
    assert!(
        server
            .totals
            .last_session
            .is_some_and(|since| since < Duration::from_secs(60))
    );
    assert_eq!((pool.active, pool.backups), (1, 0));
    drop(clients);
    relay.expect_idle();
    let (front, pool, server) = (relay_status(&relay), pool_status(&relay), relay.server("s"));
    assert_eq!((front.sessions, pool.sessions, server.sessions), (0, 0, 0));
    assert_eq!(
        (front.most_sessions, pool.most_sessions, server.most_sessions),
        (3, 3, 3)
    );
    assert_eq!((front.counts.connections, front.counts.sessions), (3, 3));
    assert_eq!(
        (
            server.totals.counts.chosen,
            server.totals.counts.attempts,
            server.total
        ),
        (3, 3, 3)
    );
}

#[test]
fn attempts_that_fail_are_counted_where_they_failed() {
    let (_socket, nobody) = nobody();
    let service = Service::reply(Listener::bind(LOOPBACK), "b");
    let balance = Balancing {
        retries: 1,
        redispatch: NonZeroI16::new(1),
        ..Balancing::default()
    };
    let servers = vec![named("a", &nobody), named("b", service.address())];
    let mut plan = plan_of(servers, balance);
    let relay = Relay::start(&plan);
    assert_eq!(relay.connect().read_to_end(10), b"b");
    relay.ends(1);
    let [a, b] = ["a", "b"].map(|name| relay.server(name).totals.counts);
    assert_eq!((a.attempts, a.redispatches, a.retries, a.failed), (1, 1, 0, 0));
    assert_eq!((b.attempts, b.redispatches, b.retries, b.failed), (1, 0, 0, 0));
    let pool = pool_status(&relay).totals.counts;
    assert_eq!((pool.sessions, pool.attempts, pool.redispatches), (1, 2, 1));
    // Without the other one.
    plan.pools[0].servers.pop();
    plan.pools[0].balance.redispatch = None;
    relay.handle.apply(&plan).unwrap();
    relay.connect().expect_eof();
    relay.ends(2);
    let a = relay.server("a").totals.counts;
    assert_eq!((a.attempts, a.retries, a.failed), (3, 1, 1));
}

#[test]
fn what_rules_reject_is_no_session_and_is_counted_as_rejected() {
    let service = Service::echo(Listener::bind(LOOPBACK));
    let mut plan: Plan = plan(service.address());
    let reject = Rule {
        action: Action::Reject,
        condition: None,
    };
    plan.relays[0].rules = Some(Arc::new(Rules {
        connection: vec![reject],
        ..Rules::default()
    }));
    let relay = Relay::start(&plan);
    // The reset may come before connecting is over.
    drop(Peer::try_connect(relay.address()));
    relay.ends(1);
    let status = relay_status(&relay);
    let counts = status.counts;
    assert_eq!(
        (counts.connections, counts.sessions, counts.rejected_connections),
        (1, 0, 1)
    );
    assert_eq!(status.rate, 0);
    assert_eq!(pool_status(&relay).totals.counts.sessions, 0);
}

#[test]
fn whoever_aborts_is_counted_by_its_side() {
    let listener = Listener::bind(LOOPBACK);
    let relay = relay_to(listener.address());
    let session = || {
        let (client, upstream) = (relay.connect(), listener.accept());
        client.send("x");
        upstream.expect("x");
        (client, upstream)
    };
    let (client, _upstream) = session();
    client.reset();
    relay.ends(1);
    let (_client, upstream) = session();
    upstream.reset();
    relay.ends(2);
    let counts = relay.server("s").totals.counts;
    assert_eq!((counts.client_aborts, counts.server_aborts), (1, 1));
}

#[test]
fn those_who_wait_are_counted_by_their_line() {
    let listener = Listener::bind(LOOPBACK);
    let mut plan = plan(listener.address());
    plan.pools[0].servers[0].share = Share {
        max_sessions: NonZeroU32::new(1),
        ..Share::default()
    };
    let relay = Relay::start(&plan);
    let first = relay.connect();
    let upstream = listener.accept();
    let others: Vec<_> = (0..2).map(|_| relay.connect()).collect();
    eventually(DEFAULT_DEADLINE, "two in the line", || {
        (pool_status(&relay).waiting_for_any == 2).then_some(())
    });
    listener.expect_no_connection(A_WHILE);
    drop((first, upstream));
    for _ in &others {
        // Whose session it is, is for the workers to decide.
        listener.accept().reset();
    }
    drop(others);
    relay.expect_idle();
    let pool = pool_status(&relay);
    assert_eq!((pool.waiting_for_any, pool.most_waiting_for_any), (0, 2));
    // Whoever has waited was not chosen at once.
    assert_eq!((pool.totals.counts.chosen, pool.totals.counts.attempts), (1, 3));
    assert!(pool.totals.queue_time.longest > A_WHILE / 2);
}
