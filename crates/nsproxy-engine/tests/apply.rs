//! One plan after the other: what stays, stays untouched; what goes, goes; what fails changes nothing.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod common;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{A_WHILE, LOOPBACK, Relay, listener, listener_at, plan, relay_to, server, settings};
use nsproxy_engine::{
    ApplyError, InProcess, ListenerPlan, OpenAnswer, OpenToken, OpenerFactory, Plan, PlanError, RelayPlan,
    ServerPlan, Settings, SocketOpener, SocketRequest,
};
use nsproxy_testkit::{DEFAULT_DEADLINE, Listener, Peer, Service, eventually};
use socket2::{Domain, Socket, Type};

fn ask(relay: &Relay) -> Vec<u8> {
    let client = relay.connect();
    client.half_close();
    client.read_to_end(100)
}

#[test]
fn a_listener_in_both_plans_is_the_same_socket_with_the_new_plans_server() {
    let services = ["old", "new"].map(|name| Service::reply(Listener::bind(LOOPBACK), name));
    let relay = relay_to(services[0].address());
    assert!(!relay.listeners[0].kept);
    assert_eq!(ask(&relay), b"old");
    let listeners = relay.handle.apply(&plan(services[1].address())).unwrap();
    assert!(listeners[0].kept);
    assert_eq!(listeners[0].address, relay.listeners[0].address);
    // Workers are told one after the other.
    eventually(DEFAULT_DEADLINE, "the new plan to be in force", || {
        (ask(&relay) == b"new").then_some(())
    });
}

#[test]
fn a_session_goes_on_under_the_plan_that_it_began_with() {
    let echo = Service::echo(Listener::bind(LOOPBACK));
    let relay = relay_to(echo.address());
    let client = relay.connect();
    client.send("before");
    client.expect("before");
    relay.handle.apply(&Plan::default()).unwrap();
    client.send("after");
    client.expect("after");
}

#[test]
fn connections_in_the_backlog_of_a_kept_listener_survive() {
    let services = ["old", "new"].map(|name| Service::reply(Listener::bind(LOOPBACK), name));
    let settings = Settings {
        max_sessions: Some(1),
        ..settings(2)
    };
    let relay = Relay::start_with(&settings, Arc::new(InProcess), &plan(services[0].address()));
    let first = relay.connect();
    first.expect("old");
    let waiting = relay.connect();
    waiting.expect_silence(A_WHILE);
    relay.handle.apply(&plan(services[1].address())).unwrap();
    waiting.expect_silence(A_WHILE);
    first.half_close();
    first.expect_eof();
    waiting.expect("new");
}

#[test]
fn a_raised_limit_lets_a_waiting_client_in() {
    let echo = Service::echo(Listener::bind(LOOPBACK));
    let mut plan = plan(echo.address());
    plan.relays[0].max_sessions = Some(1);
    let relay = Relay::start(&plan);
    let first = relay.connect();
    first.send("one");
    first.expect("one");
    let second = relay.connect();
    second.send("two");
    second.expect_silence(A_WHILE);
    plan.relays[0].max_sessions = Some(2);
    relay.handle.apply(&plan).unwrap();
    second.expect("two");
}

#[test]
fn limits_count_the_sessions_of_the_plan_before() {
    let echo = Service::echo(Listener::bind(LOOPBACK));
    let mut of_relay = plan(echo.address());
    of_relay.relays[0].max_sessions = Some(1);
    let mut of_listener = plan(echo.address());
    of_listener.relays[0].listeners[0].max_sessions = Some(1);
    let mut with_rate = of_relay.clone();
    with_rate.relays[0].max_session_rate = NonZeroU32::new(1000);
    for plan in [of_relay, with_rate, of_listener] {
        let relay = Relay::start(&plan);
        let first = relay.connect();
        first.send("one");
        first.expect("one");
        relay.handle.apply(&plan).unwrap();
        let second = relay.connect();
        second.send("two");
        second.expect_silence(A_WHILE);
        assert_eq!(relay.handle.sessions(), 1);
        first.half_close();
        first.expect_eof();
        second.expect("two");
    }
}

#[test]
fn a_listener_that_is_not_in_the_new_plan_is_closed() {
    let echo = Service::echo(Listener::bind(LOOPBACK));
    let relay = relay_to(echo.address());
    let address = relay.address();
    assert!(relay.handle.apply(&Plan::default()).unwrap().is_empty());
    let error = Peer::try_connect(address).expect_err("nobody was to listen any more");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn a_plan_that_fails_changes_nothing() {
    let services = ["old", "new"].map(|name| Service::reply(Listener::bind(LOOPBACK), name));
    let relay = relay_to(services[0].address());
    let taken = Listener::bind(LOOPBACK);
    let mut failing = plan(services[1].address());
    failing.relays.push(RelayPlan {
        name: "taken".to_owned(),
        listeners: vec![listener(), listener_at(&taken.address().to_string())],
        ..failing.relays[0].clone()
    });
    let error = relay.handle.apply(&failing).unwrap_err();
    assert!(
        matches!(&error, ApplyError::Listen { relay, .. } if relay == "taken"),
        "{error}"
    );
    let text = common::whole(&error);
    assert!(text.contains("in use"), "{text}");
    assert_eq!(ask(&relay), b"old");
    assert!(relay.handle.apply(&plan(services[0].address())).unwrap()[0].kept);
    assert_eq!(ask(&relay), b"old");
}

#[test]
fn servers_in_both_plans_keep_their_counts() {
    let echo = Service::echo(Listener::bind(LOOPBACK));
    let relay = relay_to(echo.address());
    let client = relay.connect();
    client.send("x");
    client.expect("x");
    let mut next = plan(echo.address());
    next.pools[0].servers.push(ServerPlan {
        name: "second".to_owned(),
        ..server(echo.address())
    });
    relay.handle.apply(&next).unwrap();
    let counts = |relay: &Relay| -> Vec<_> {
        let servers = relay.handle.servers();
        servers
            .into_iter()
            .map(|status| (status.server, status.sessions, status.total))
            .collect()
    };
    assert_eq!(
        counts(&relay),
        [("s".to_owned(), 1, 1), ("second".to_owned(), 0, 0)]
    );
    client.half_close();
    client.expect_eof();
    relay.expect_idle();
    assert_eq!(counts(&relay)[0], ("s".to_owned(), 0, 1));
}

#[test]
fn two_listeners_in_one_place_are_refused() {
    let echo = Service::echo(Listener::bind(LOOPBACK));
    let relay = relay_to(echo.address());
    let mut doubled = plan(echo.address());
    // A port of this engine's own, so that it is nobody else's.
    let place = listener_at(&relay.address().to_string());
    doubled.relays[0].listeners = vec![place.clone(), place];
    let error = relay.handle.apply(&doubled).unwrap_err();
    assert!(
        matches!(error, ApplyError::Plan(PlanError::DuplicateListener { .. })),
        "{error}"
    );
}

#[test]
fn several_listeners_that_leave_the_port_open_have_ports_of_their_own_and_keep_them() {
    let echo = Service::echo(Listener::bind(LOOPBACK));
    let mut plan = plan(echo.address());
    plan.relays[0].listeners = vec![listener(), listener(), listener()];
    let relay = Relay::start(&plan);
    let ports: std::collections::BTreeSet<_> = (0..3).map(|index| relay.address_of(index).port()).collect();
    assert_eq!(ports.len(), 3);
    let again = relay.handle.apply(&plan).unwrap();
    assert!(
        again
            .iter()
            .zip(&relay.listeners)
            .all(|(now, before)| now.kept && now.address == before.address)
    );
}

#[test]
fn a_plan_that_fails_leaves_a_listener_alone_whose_option_it_would_change() {
    let service = Service::reply(Listener::bind("127.0.0.1:0"), "old");
    let place = Listener::bind("127.0.0.1:0").address().to_string();
    let relay = Relay::start(&Plan::forward(
        listener_at(&place),
        server(service.address()),
        None,
    ));
    let taken = Listener::bind("127.0.0.1:0");
    let changed = ListenerPlan {
        transparent: true,
        ..listener_at(&place)
    };
    let mut failing = Plan::forward(changed, server(service.address()), None);
    failing.relays.push(RelayPlan {
        name: "taken".into(),
        listeners: vec![listener_at(&taken.address().to_string())],
        ..failing.relays[0].clone()
    });
    assert!(relay.handle.apply(&failing).is_err());
    let client = Peer::connect(relay.address());
    client.expect("old");
    client.expect_eof();
}

#[test]
fn a_listener_whose_new_options_are_refused_stays_as_it_is() {
    let service = Service::reply(Listener::bind(LOOPBACK), "there");
    let places = [(); 2].map(|()| Listener::bind(LOOPBACK).address().to_string());
    let of = |interfaces: [Option<&str>; 2]| {
        let mut plan = Plan::forward(listener_at(&places[0]), server(service.address()), None);
        let listeners = interfaces.iter().zip(&places);
        let listeners = listeners.map(|(interface, place)| ListenerPlan {
            interface: interface.map(str::to_owned),
            ..listener_at(place)
        });
        plan.relays[0].listeners = listeners.collect();
        plan
    };
    let relay = Relay::start(&of([None, None]));
    let error = relay.handle.apply(&of([Some("lo"), Some("nosuchlink")]));
    let error = common::whole(&error.unwrap_err());
    assert!(error.contains("SO_BINDTODEVICE"), "{error}");
    for listener in 0..2 {
        let client = Peer::connect(relay.address_of(listener));
        client.expect("there");
        client.expect_eof();
    }
    let statuses = relay.handle.apply(&of([None, None])).unwrap();
    assert!(statuses.iter().all(|status| status.kept), "{statuses:?}");
}

#[test]
fn a_listener_that_had_to_make_way_is_forgotten_by_every_worker() {
    let service = Service::reply(Listener::bind(LOOPBACK), "there");
    let place = Listener::bind(LOOPBACK).address().to_string();
    let relay = Relay::start(&Plan::forward(
        listener_at(&place),
        server(service.address()),
        None,
    ));
    let changed = ListenerPlan {
        transparent: true,
        ..listener_at(&place)
    };
    let changed = Plan::forward(changed, server(service.address()), None);
    // IP_TRANSPARENT takes CAP_NET_ADMIN or CAP_NET_RAW.
    let statuses = nsproxy_testkit::require!(relay.handle.apply(&changed));
    assert!(!statuses[0].kept);
    assert_eq!(ask(&relay), b"there");
    // A shut listener that is still watched reports a hang-up all the time.
    let before = worker_time();
    Listener::bind(LOOPBACK).expect_no_connection(2 * A_WHILE);
    let used = worker_time().saturating_sub(before);
    assert!(used < A_WHILE, "idle workers have used {used:?}");
}

#[test]
fn nobody_gets_the_address_of_a_listener_that_makes_way_for_another() {
    let service = Service::reply(Listener::bind(LOOPBACK), "there");
    let place = Listener::bind(LOOPBACK).address().clone();
    let plan = |interface: Option<&str>| {
        let listener = ListenerPlan {
            interface: interface.map(str::to_owned),
            ..listener_at(&place.to_string())
        };
        Plan::forward(listener, server(service.address()), None)
    };
    let rival = Rival::default();
    let relay = Relay::start_with(&settings(1), Arc::new(rival.clone()), &plan(None));
    *rival.wants.lock().unwrap() = Some(relay.address());
    let statuses = relay.handle.apply(&plan(Some("lo"))).unwrap();
    assert!(!statuses[0].kept);
    assert!(
        rival.has.lock().unwrap().is_empty(),
        "another program has the address"
    );
    assert_eq!(ask(&relay), b"there");
    let refused = bind_at(relay.address()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::AddrInUse);
}

/// Another program that binds an address as soon as it can: whenever the engine asks its opener for something.
#[derive(Clone, Debug, Default)]
struct Rival {
    wants: Arc<Mutex<Option<SocketAddr>>>,
    has: Arc<Mutex<Vec<Socket>>>,
}

/// An opener beside which there is a rival.
struct Contended {
    opener: Box<dyn SocketOpener>,
    rival: Rival,
}

fn bind_at(address: SocketAddr) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

impl OpenerFactory for Rival {
    fn opener(&self, stock: usize) -> std::io::Result<Box<dyn SocketOpener>> {
        let opener = InProcess.opener(stock)?;
        let rival = self.clone();
        Ok(Box::new(Contended { opener, rival }))
    }
}

impl SocketOpener for Contended {
    fn request(&mut self, token: OpenToken, request: SocketRequest) {
        if let Some(address) = *self.rival.wants.lock().unwrap() {
            self.rival.has.lock().unwrap().extend(bind_at(address));
        }
        self.opener.request(token, request);
    }

    fn answers(&mut self, answers: &mut Vec<OpenAnswer>) {
        self.opener.answers(answers);
    }

    fn stock(&self) -> usize {
        self.opener.stock()
    }

    fn release_unused(&mut self) {
        self.opener.release_unused();
    }
}

/// CPU time of this test's workers: other tests of this program run beside it, so the busiest thread alone counts.
fn worker_time() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let times = tasks.flatten().filter_map(|task| {
        let name = std::fs::read_to_string(task.path().join("comm")).ok()?;
        let times = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        let nanos = times.split_whitespace().next()?.parse().ok()?;
        name.starts_with("nsproxy-")
            .then_some(Duration::from_nanos(nanos))
    });
    times.max().unwrap_or_default()
}
