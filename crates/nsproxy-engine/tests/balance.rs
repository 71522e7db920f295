//! Which server a session gets, how long it waits for one, and what happens when one does not answer.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod common;

use std::num::{NonZeroI16, NonZeroU32};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{A_WHILE, LOOPBACK, Relay, named, nobody, plan_of, server, settings};
use nsproxy_engine::{
    Algorithm, Balancing, CloseReason, HashType, InProcess, ServerPlan, ServerStatus, Share, UpstreamNetns,
};
use nsproxy_testkit::{Address, DEFAULT_DEADLINE, Listener, Peer, Service, eventually};
use socket2::Socket;

/// What a wait of [`A_WHILE`] lasts at least, by clocks that are not read at the same moment.
const ALMOST_A_WHILE: Duration = Duration::from_millis(140);

fn sharing(name: &str, address: &Address, share: Share) -> ServerPlan {
    ServerPlan {
        share,
        ..named(name, address)
    }
}

fn at_most(sessions: u32) -> Share {
    Share {
        max_sessions: NonZeroU32::new(sessions),
        ..Share::default()
    }
}

/// Services that say their names.
fn services<const N: usize>(names: [&'static str; N]) -> [(&'static str, Service); N] {
    names.map(|name| (name, Service::reply(Listener::bind(LOOPBACK), name)))
}

#[test]
fn weights_decide_over_all_workers() {
    let services = services(["a", "b", "c"]);
    let shares = [3, 1, 0].map(|weight| Share {
        weight,
        ..Share::default()
    });
    let servers = services.iter().zip(shares);
    let servers = servers.map(|((name, service), share)| sharing(name, service.address(), share));
    let relay = Relay::start(&plan_of(servers.collect(), Balancing::default()));
    let mut met: Vec<_> = (0..12).map(|_| relay.met()).collect();
    met.sort();
    assert_eq!(met.concat(), "aaaaaaaaabbb");
}

#[test]
fn a_backup_serves_only_while_nobody_else_can() {
    let services = services(["a", "b"]);
    let share = |disabled, backup| Share {
        disabled,
        backup,
        ..Share::default()
    };
    let servers = |disabled| {
        let [(a, first), (b, second)] = &services;
        vec![
            sharing(a, first.address(), share(disabled, false)),
            sharing(b, second.address(), share(false, true)),
        ]
    };
    let mut plan = plan_of(servers(false), Balancing::default());
    let relay = Relay::start(&plan);
    assert_eq!([relay.met(), relay.met()], ["a", "a"]);
    plan.pools[0].servers = servers(true);
    relay.handle.apply(&plan).unwrap();
    eventually(DEFAULT_DEADLINE, "the backup", || {
        (relay.met() == "b").then_some(())
    });
    assert!(relay.server("a").disabled);
}

#[test]
fn a_client_meets_the_same_server_again_under_a_hash_of_its_address() {
    for hash_type in [HashType::MapBased, HashType::Consistent] {
        let services = services(["a", "b", "c"]);
        let servers = services.iter();
        let servers = servers.map(|(name, service)| named(name, service.address()));
        let balance = Balancing {
            algorithm: Algorithm::Source(hash_type),
            ..Balancing::default()
        };
        let relay = Relay::start(&plan_of(servers.collect(), balance));
        let first = relay.met();
        assert!((0..5).all(|_| relay.met() == first));
    }
}

#[test]
fn the_least_busy_server_is_chosen() {
    let echoes = ["a", "b"].map(|name| (name, Service::echo(Listener::bind(LOOPBACK))));
    let servers = echoes.iter();
    let servers = servers.map(|(name, service)| named(name, service.address()));
    let balance = Balancing {
        algorithm: Algorithm::LeastSessions,
        ..Balancing::default()
    };
    let relay = Relay::start(&plan_of(servers.collect(), balance));
    let clients: Vec<_> = (0..6).map(|_| relay.connect()).collect();
    eventually(DEFAULT_DEADLINE, "three sessions each", || {
        (relay.server("a").sessions == 3 && relay.server("b").sessions == 3).then_some(())
    });
    drop(clients);
}

/// A second client waits while the first one has the only place, whichever worker has which.
#[test]
fn who_finds_no_room_waits_and_is_called_when_there_is() {
    let echo = Service::echo(Listener::bind(LOOPBACK));
    let relay = Relay::start(&plan_of(
        vec![sharing("s", echo.address(), at_most(1))],
        Balancing::default(),
    ));
    let mut client = relay.connect();
    client.send("0");
    client.expect("0");
    for turn in 1..20 {
        let next = relay.connect();
        next.send(turn.to_string());
        eventually(DEFAULT_DEADLINE, "one to wait", || {
            (relay.handle.pools()[0].waiting == 1).then_some(())
        });
        if turn == 1 {
            next.expect_silence(A_WHILE);
        }
        assert_eq!(relay.server("s").sessions, 1);
        client.half_close();
        client.expect_eof();
        next.expect(turn.to_string());
        client = next;
    }
    client.half_close();
    client.expect_eof();
    relay.ends(20);
    relay.expect_idle();
    assert_eq!((relay.stats().queued, relay.server("s").total), (19, 20));
}

#[test]
fn sessions_are_served_in_the_order_in_which_they_came() {
    let listener = Listener::bind(LOOPBACK);
    let relay = Relay::start(&plan_of(
        vec![sharing("s", listener.address(), at_most(1))],
        Balancing::default(),
    ));
    let clients: Vec<_> = (0..5)
        .map(|waiting: usize| {
            let client = relay.connect();
            client.send(waiting.to_string());
            eventually(DEFAULT_DEADLINE, "it to wait", || {
                let served = relay.server("s").sessions;
                (served == 1 && relay.handle.pools()[0].waiting == waiting).then_some(())
            });
            client
        })
        .collect();
    for (turn, client) in clients.into_iter().enumerate() {
        let served = listener.accept();
        served.expect(turn.to_string());
        listener.expect_no_connection(Duration::from_millis(20));
        drop((served, client));
    }
    relay.ends(5);
    relay.expect_idle();
}

#[test]
fn a_session_does_not_wait_for_longer_than_the_queue_timeout() {
    let echo = Service::echo(Listener::bind(LOOPBACK));
    let balance = Balancing {
        queue_timeout: Some(A_WHILE),
        ..Balancing::default()
    };
    let relay = Relay::start(&plan_of(vec![sharing("s", echo.address(), at_most(1))], balance));
    let first = relay.connect();
    first.send("x");
    first.expect("x");
    let second = relay.connect();
    let began = Instant::now();
    second.expect_eof();
    assert!(began.elapsed() >= ALMOST_A_WHILE);
    assert_eq!(relay.end().reason, CloseReason::QueueTimeout);
    assert_eq!(relay.handle.pools()[0].waiting, 0);
    first.half_close();
    first.expect_eof();
    relay.ends(2);
    relay.expect_idle();
}

#[test]
fn a_full_queue_turns_away_who_must_have_that_server() {
    let echo = Service::echo(Listener::bind(LOOPBACK));
    let balance = Balancing {
        algorithm: Algorithm::Source(HashType::MapBased),
        ..Balancing::default()
    };
    let share = Share {
        max_queue: NonZeroU32::new(1),
        ..at_most(1)
    };
    let relay = Relay::start(&plan_of(vec![sharing("s", echo.address(), share)], balance));
    let first = relay.connect();
    first.send("x");
    first.expect("x");
    let second = relay.connect();
    eventually(DEFAULT_DEADLINE, "the second to wait", || {
        (relay.server("s").waiting == 1).then_some(())
    });
    relay.connect().expect_eof();
    assert_eq!(relay.end().reason, CloseReason::QueueFull);
    drop(first);
    second.send("y");
    second.expect("y");
}

#[test]
fn who_leaves_the_queue_takes_no_place_from_others() {
    let echo = Service::echo(Listener::bind(LOOPBACK));
    let relay = Relay::start(&plan_of(
        vec![sharing("s", echo.address(), at_most(1))],
        Balancing::default(),
    ));
    let waiting = |count| {
        eventually(DEFAULT_DEADLINE, "so many to wait", || {
            (relay.handle.pools()[0].waiting == count).then_some(())
        });
    };
    let first = relay.connect();
    first.send("x");
    first.expect("x");
    let second = relay.connect();
    waiting(1);
    let third = relay.connect();
    waiting(2);
    second.reset();
    waiting(1);
    first.half_close();
    first.expect_eof();
    third.send("z");
    third.expect("z");
}

#[test]
fn sessions_that_wait_are_stopped_with_the_engine() {
    let echo = Service::echo(Listener::bind(LOOPBACK));
    let relay = Relay::start(&plan_of(
        vec![sharing("s", echo.address(), at_most(1))],
        Balancing::default(),
    ));
    let clients = [relay.connect(), relay.connect(), relay.connect()];
    eventually(DEFAULT_DEADLINE, "two to wait", || {
        (relay.handle.pools()[0].waiting == 2).then_some(())
    });
    relay.handle.stop();
    for client in clients {
        client.expect_closed();
    }
    relay.engine.wait().unwrap();
    assert_eq!(relay.handle.pools()[0].waiting, 0);
    assert_eq!(status_of(&relay.handle.servers()), 0);
}

fn status_of(servers: &[ServerStatus]) -> usize {
    servers.iter().map(|server| server.sessions).sum()
}

#[test]
fn a_refused_connection_is_tried_again_at_the_same_server_after_a_pause() {
    let (socket, address) = nobody();
    let balance = Balancing {
        retries: 2,
        ..Balancing::default()
    };
    let mut plan = plan_of(vec![server(&address)], balance);
    // The pause is never longer than this.
    plan.pools[0].connect_timeout = A_WHILE;
    let relay = Relay::start(&plan);
    let client = relay.connect();
    let began = Instant::now();
    client.send("x");
    relay.eventually("another attempt", |stats| stats.retries == 1);
    socket.listen(1).unwrap();
    let accepted = Socket::accept(&socket).unwrap().0;
    assert!(began.elapsed() >= ALMOST_A_WHILE);
    let service = Peer::new(accepted);
    service.expect("x");
    service.send("y");
    client.expect("y");
    assert_eq!(relay.stats().redispatches, 0);
}

#[test]
fn attempts_end_with_the_last_retry() {
    let (_socket, address) = nobody();
    let balance = Balancing {
        retries: 2,
        ..Balancing::default()
    };
    let mut plan = plan_of(vec![server(&address)], balance);
    plan.pools[0].connect_timeout = Duration::from_millis(20);
    let relay = Relay::start(&plan);
    relay.connect().expect_eof();
    assert!(matches!(relay.end().reason, CloseReason::ConnectFailed(_)));
    assert_eq!((relay.stats().retries, relay.stats().upstream_failed), (2, 1));
    relay.expect_idle();
    assert_eq!(relay.server("s").sessions, 0);
}

#[test]
fn a_redispatched_session_goes_to_another_server_at_once() {
    let (_socket, dead) = nobody();
    let [(name, service)] = services(["b"]);
    let balance = Balancing {
        retries: 3,
        redispatch: NonZeroI16::new(-1),
        ..Balancing::default()
    };
    let servers = vec![named("a", &dead), named(name, service.address())];
    let relay = Relay::start_with(&settings(1), Arc::new(InProcess), &plan_of(servers, balance));
    let began = Instant::now();
    assert_eq!([(); 4].map(|()| relay.met()).concat(), "bbbb");
    assert!(
        began.elapsed() < Duration::from_millis(900),
        "paused before another server"
    );
    let stats = relay.stats();
    assert_eq!(
        (stats.retries, stats.redispatches),
        (relay.server("a").total, stats.retries)
    );
    assert!(stats.retries > 0);
}

#[test]
fn the_last_retry_goes_elsewhere_under_an_algorithm_that_prefers_a_server() {
    let (_socket, dead) = nobody();
    let [(name, service)] = services(["b"]);
    let balance = Balancing {
        algorithm: Algorithm::LeastSessions,
        retries: 2,
        redispatch: NonZeroI16::new(-1),
        ..Balancing::default()
    };
    let servers = vec![named("a", &dead), named(name, service.address())];
    let mut plan = plan_of(servers, balance);
    plan.pools[0].connect_timeout = Duration::from_millis(50);
    let relay = Relay::start(&plan);
    assert_eq!(relay.met(), "b");
    let stats = relay.stats();
    assert_eq!((stats.retries, stats.redispatches), (2, 1));
}

#[test]
fn a_server_in_a_missing_namespace_gives_way_to_another_one() {
    let [(name, service)] = services(["b"]);
    let elsewhere = ServerPlan {
        netns: UpstreamNetns::Named("no-such-namespace".parse().unwrap()),
        ..named("a", service.address())
    };
    let balance = Balancing {
        algorithm: Algorithm::First,
        retries: 3,
        redispatch: NonZeroI16::new(-1),
        ..Balancing::default()
    };
    let servers = vec![elsewhere, named(name, service.address())];
    let relay = Relay::start(&plan_of(servers, balance));
    assert_eq!(relay.met(), "b");
    assert_eq!(relay.stats().redispatches, 1);
}
