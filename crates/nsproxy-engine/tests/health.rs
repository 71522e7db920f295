//! Health checks: who is checked, what a result changes, and who hears of it.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod common;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use common::{A_WHILE, Relay, plan, server};
use nsproxy_engine::{
    Action, Balancing, CheckPlan, CheckResult, CloseReason, Connect, Destination, Down, Endpoint, Expect,
    HeaderPlan, HealthPlan, HealthSource, HealthStatus, ObservePlan, OnError, Pattern, Plan, Rules, Script,
    ServerPlan, Share, Span, Step, Target, TlvPlan,
};
use nsproxy_testkit::{Address, DEFAULT_DEADLINE, Listener, Peer, Service, eventually, world};
use socket2::{Domain, Socket, Type};

const LOOPBACK: &str = "127.0.0.1:0";

/// A place that connections can be made to, or not, without anybody who accepts them.
struct Pulse {
    /// Keeps the address from others.
    _holder: Socket,
    listener: Option<Socket>,
    address: SocketAddr,
}

impl Pulse {
    /// Refuses connections.
    fn stopped() -> Self {
        let holder = bound(([127, 0, 0, 1], 0).into());
        let address = holder.local_addr().unwrap().as_socket().unwrap();
        Self {
            _holder: holder,
            listener: None,
            address,
        }
    }

    fn beating() -> Self {
        let mut pulse = Self::stopped();
        pulse.start();
        pulse
    }

    fn start(&mut self) {
        let listener = bound(self.address);
        listener.listen(4096).unwrap();
        self.listener = Some(listener);
    }

    fn stop(&mut self) {
        self.listener = None;
    }
}

fn bound(address: SocketAddr) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&address.into()).unwrap();
    socket
}

fn connect(to: SocketAddr) -> Connect {
    Connect {
        to: Destination::At(Endpoint::Ip(to)),
        send_header: None,
        names_port: false,
        linger: false,
    }
}

fn check(script: Script) -> CheckPlan {
    CheckPlan {
        netns: None,
        interface: None,
        source: None,
        script,
        rules: Rules {
            rise: NonZeroU32::new(2).unwrap(),
            fall: NonZeroU32::new(2).unwrap(),
            interval: Span::from_millis(10).unwrap(),
            fast_interval: None,
            down_interval: None,
            on_error: OnError::FailCheck,
        },
        connect_timeout: None,
        answer_timeout: None,
        observe: None,
        reports: true,
    }
}

fn checked_by(check: CheckPlan) -> HealthPlan {
    HealthPlan {
        source: HealthSource::Checked(Box::new(check)),
        ..HealthPlan::default()
    }
}

fn named(name: &str, to: &Address, health: HealthPlan) -> ServerPlan {
    ServerPlan {
        name: name.to_owned(),
        health,
        ..server(to)
    }
}

fn plan_of(servers: Vec<ServerPlan>) -> Plan {
    let mut plan = plan(&Address::Inet(SocketAddr::from(([127, 0, 0, 1], 1))));
    plan.pools[0].servers = servers;
    plan.pools[0].balance = Balancing::default();
    plan
}

fn health(relay: &Relay, name: &str) -> Option<HealthStatus> {
    let servers = relay.handle.servers();
    let server = servers.into_iter().find(|server| server.server == name);
    server.unwrap().health
}

/// Waits until a server is on this side, as a check has found.
#[track_caller]
fn wait_for(relay: &Relay, name: &str, is_up: bool) -> HealthStatus {
    eventually(DEFAULT_DEADLINE, "a server on the other side", || {
        health(relay, name).filter(|health| health.is_up == is_up && health.last.is_some())
    })
}

fn met(relay: &Relay) -> String {
    String::from_utf8(relay.connect().read_to_end(100)).unwrap()
}

fn service(name: &'static str) -> Service {
    Service::reply(Listener::bind(LOOPBACK), name)
}

#[test]
fn a_server_gets_no_session_while_its_checks_fail() {
    let (a, b) = (service("a"), service("b"));
    let mut pulse = Pulse::beating();
    let plan = plan_of(vec![
        named(
            "a",
            a.address(),
            checked_by(check(Script::connect(connect(pulse.address)))),
        ),
        named("b", b.address(), HealthPlan::default()),
    ]);
    let relay = Relay::start(&plan);
    assert_eq!(
        wait_for(&relay, "a", true).last.unwrap().result,
        CheckResult::Layer4Passed
    );
    assert_eq!(health(&relay, "b"), None);
    assert_eq!([(); 4].map(|()| met(&relay)).concat(), "abab");
    pulse.stop();
    let down = wait_for(&relay, "a", false);
    assert_eq!(down.progress, (0, 2));
    let last = down.last.unwrap();
    assert_eq!(
        (last.result, last.info.as_str()),
        (CheckResult::Layer4Failed, "Connection refused")
    );
    assert_eq!([(); 4].map(|()| met(&relay)).concat(), "bbbb");
    pulse.start();
    wait_for(&relay, "a", true);
    assert_eq!([(); 4].map(|()| met(&relay)).concat().matches('a').count(), 2);
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
        let mut only = named(
            "a",
            a.address(),
            checked_by(check(Script::connect(connect(pulse.address)))),
        );
        only.share = share;
        let relay = Relay::start(&plan_of(vec![only]));
        wait_for(&relay, "a", false);
        relay.connect().expect_eof();
        assert_eq!(relay.end().reason, CloseReason::NoServer);
        pulse.start();
        wait_for(&relay, "a", true);
        assert_eq!(met(&relay), "a");
    }
}

#[test]
fn a_server_that_comes_up_takes_over_those_who_wait() {
    let (busy, free) = (Listener::bind(LOOPBACK), service("b"));
    let mut pulse = Pulse::stopped();
    let mut full = named("a", busy.address(), HealthPlan::default());
    full.share.max_sessions = NonZeroU32::new(1);
    let second = named(
        "b",
        free.address(),
        checked_by(check(Script::connect(connect(pulse.address)))),
    );
    let relay = Relay::start(&plan_of(vec![full, second]));
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
            ..checked_by(check(Script::connect(connect(pulse.address))))
        };
        let relay = Relay::start(&plan_of(vec![named("a", listener.address(), health)]));
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
        ..checked_by(check(Script::connect(connect(pulse.address))))
    };
    let mut second = named("b", backup.address(), HealthPlan::default());
    second.share.backup = true;
    let relay = Relay::start(&plan_of(vec![named("a", active.address(), health), second]));
    wait_for(&relay, "a", false);
    let client = relay.connect();
    let server = backup.accept();
    client.send("x");
    server.expect("x");
    pulse.start();
    client.expect_reset();
    server.expect_reset();
    assert_eq!(relay.end().reason, CloseReason::ServerUp);
    assert_eq!(met(&relay), "a");
}

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
    let relay = Relay::start(&plan_of(vec![named(
        "a",
        &Address::Inet(dead.address),
        checked_by(plan),
    )]));
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
    let tracks = HealthPlan {
        source: HealthSource::Tracked {
            pool: "forward".to_owned(),
            server: "a".to_owned(),
        },
        ..HealthPlan::default()
    };
    let relay = Relay::start(&plan_of(vec![
        named(
            "a",
            a.address(),
            checked_by(check(Script::connect(connect(pulse.address)))),
        ),
        named("b", b.address(), tracks),
    ]));
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
    assert_eq!([(); 2].map(|()| met(&relay)).concat().len(), 2);
}

#[test]
fn a_server_that_says_something_else_is_down() {
    let says = |reply: &'static str, expected: &str| {
        let service = Service::start(Listener::bind(LOOPBACK), move |peer| {
            // The check may have reset the connection already.
            let _ = peer.try_send(reply);
        });
        let expect = Step {
            number: 1,
            action: Action::Expect(Expect {
                pattern: Pattern::Text(expected.into()),
                negated: false,
                min_received: None,
            }),
            comment: None,
        };
        let script = Script::new(connect(service.address().inet()), 0, None, vec![expect]);
        let plan = CheckPlan {
            answer_timeout: Some(DEFAULT_DEADLINE),
            ..check(script)
        };
        let relay = Relay::start(&plan_of(vec![named("a", service.address(), checked_by(plan))]));
        eventually(DEFAULT_DEADLINE, "a result", || health(&relay, "a").unwrap().last)
    };
    let passed = says("+PONG", "PONG");
    assert_eq!(
        (passed.result, passed.info.as_str()),
        (CheckResult::Layer7Passed, "(tcp-check)")
    );
    let failed = says("-LOADING", "PONG");
    assert_eq!(
        (failed.result, failed.info.as_str()),
        (
            CheckResult::Layer7Invalid,
            "TCPCHK did not match content 'PONG' at step 1"
        )
    );
}

#[test]
fn a_check_that_meets_silence_ends_with_its_time() {
    let silent = Listener::bind(LOOPBACK);
    let expect = Step {
        number: 1,
        action: Action::Expect(Expect {
            pattern: Pattern::Text("x".into()),
            negated: false,
            min_received: None,
        }),
        comment: Some("the banner".to_owned()),
    };
    let script = Script::new(connect(silent.address().inet()), 0, None, vec![expect]);
    let mut plan = check(script);
    plan.answer_timeout = Some(A_WHILE);
    let relay = Relay::start(&plan_of(vec![named("a", silent.address(), checked_by(plan))]));
    let last = wait_for(&relay, "a", false).last.unwrap();
    assert_eq!(last.result, CheckResult::Layer7Timeout);
    assert_eq!(
        last.info,
        " at step 1 of tcp-check (expect string 'x') comment: 'the banner'"
    );
    assert!(
        last.duration.unwrap() + Duration::from_millis(10) >= A_WHILE,
        "{last:?}"
    );
}

#[test]
fn a_check_begins_with_the_header_that_the_server_wants() {
    for (header, expected) in [
        (HeaderPlan::V1, "PROXY TCP4 127.0.0.1 127.0.0.1 "),
        (
            HeaderPlan::V2(TlvPlan::default()),
            "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0",
        ),
    ] {
        let listener = Listener::bind(LOOPBACK);
        let to = Connect {
            send_header: Some(header),
            ..connect(listener.address().inet())
        };
        let expect = Step {
            number: 1,
            action: Action::Expect(Expect {
                pattern: Pattern::Text("x".into()),
                negated: false,
                min_received: None,
            }),
            comment: None,
        };
        let relay = Relay::start(&plan_of(vec![named(
            "a",
            listener.address(),
            checked_by(CheckPlan {
                answer_timeout: Some(DEFAULT_DEADLINE),
                ..check(Script::new(to, 0, None, vec![expect]))
            }),
        )]));
        listener.accept().expect(expected);
        relay.handle.stop();
        relay.engine.wait().unwrap();
    }
}

#[test]
fn checks_are_made_in_the_namespace_of_their_plan() {
    world("checks-in-netns", |w| {
        let tenant = w.add_netns("tenant");
        let to: SocketAddr = "127.0.0.1:8080".parse().unwrap();
        let service = Service::start(tenant.listen("127.0.0.1:8080"), |_| {});
        let in_tenant = CheckPlan {
            netns: Some("tenant".parse().unwrap()),
            ..check(Script::connect(connect(to)))
        };
        let relay = Relay::start(&plan_of(vec![
            named("inside", service.address(), checked_by(in_tenant)),
            named(
                "outside",
                service.address(),
                checked_by(check(Script::connect(connect(to)))),
            ),
        ]));
        wait_for(&relay, "inside", true);
        wait_for(&relay, "outside", false);
        w.remove_netns("tenant");
        let last = wait_for(&relay, "inside", false).last.unwrap();
        assert_eq!(last.result, CheckResult::SocketError);
        assert!(last.info.contains("netns `tenant`"), "{last:?}");
    });
}

#[test]
fn the_check_of_a_server_follows_the_address_of_its_host() {
    let pulse = Pulse::beating();
    let to = Connect {
        to: Destination::Host(pulse.address.port()),
        ..connect(pulse.address)
    };
    let mut host = named(
        "a",
        &Address::Inet(pulse.address),
        checked_by(check(Script::connect(to))),
    );
    host.target = Target::Host {
        name: "a.example".to_owned(),
        port: Some(pulse.address.port()),
        address: None,
    };
    let relay = Relay::start(&plan_of(vec![host]));
    let status = || relay.handle.servers().remove(0);
    assert_eq!(status().down, Down::UNRESOLVED);
    // Nobody is there.
    relay
        .handle
        .set_address("forward", "a", Some([127, 0, 0, 2].into()));
    wait_for(&relay, "a", false);
    assert_eq!(status().down, Down::UNHEALTHY);
    relay
        .handle
        .set_address("forward", "a", Some([127, 0, 0, 1].into()));
    wait_for(&relay, "a", true);
    assert!(status().down.is_empty());
}

#[test]
fn what_is_known_of_a_server_outlives_a_plan() {
    let a = service("a");
    let pulse = Pulse::stopped();
    let mut plan = plan_of(vec![named(
        "a",
        a.address(),
        checked_by(check(Script::connect(connect(pulse.address)))),
    )]);
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
    assert_eq!(met(&relay), "a");
    assert_eq!(health(&relay, "a"), None);
}

#[test]
fn nothing_is_checked_any_more_when_the_engine_has_ended() {
    let a = service("a");
    let listener = Listener::bind(LOOPBACK);
    let script = Script::connect(connect(listener.address().inet()));
    let relay = Relay::start(&plan_of(vec![named("a", a.address(), checked_by(check(script)))]));
    wait_for(&relay, "a", true);
    relay.handle.stop();
    relay.engine.wait().unwrap();
    while listener.try_accept(A_WHILE).is_ok() {}
    listener.expect_no_connection(A_WHILE);
}
