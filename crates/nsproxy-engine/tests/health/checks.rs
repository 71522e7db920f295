//! What one check does, where, and what it finds.

use std::net::SocketAddr;
use std::time::Duration;

use nsproxy_engine::{
    Action, CheckPlan, CheckResult, Connect, Destination, Down, Expect, HeaderPlan, Pattern, Script, Step,
    Target, TlvPlan,
};
use nsproxy_testkit::{Address, DEFAULT_DEADLINE, Listener, Service, eventually, world};

use crate::common::checks::{checked_by, connect};
use crate::common::{A_WHILE, LOOPBACK, POOL};
use crate::pulse::Pulse;
use crate::{check, checked, health, relay_of, wait_for, with_health};

/// Connects, and has so long to find a text.
fn expecting(text: &str, comment: Option<&str>, to: Connect, answer_timeout: Duration) -> CheckPlan {
    let expect = Step {
        number: 1,
        action: Action::Expect(Expect {
            pattern: Pattern::Text(text.into()),
            negated: false,
            min_received: None,
        }),
        comment: comment.map(str::to_owned),
    };
    CheckPlan {
        answer_timeout: Some(answer_timeout),
        ..check(Script::new(to, 0, None, vec![expect]))
    }
}

#[test]
fn a_server_that_says_something_else_is_down() {
    let says = |reply: &'static str, expected: &str| {
        let service = Service::start(Listener::bind(LOOPBACK), move |peer| {
            // The check may have reset the connection already.
            let _ = peer.try_send(reply);
        });
        let plan = expecting(
            expected,
            None,
            connect(service.address().inet()),
            DEFAULT_DEADLINE,
        );
        let relay = relay_of(vec![with_health("a", service.address(), checked_by(plan))]);
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
    let plan = expecting("x", Some("the banner"), connect(silent.address().inet()), A_WHILE);
    let relay = relay_of(vec![with_health("a", silent.address(), checked_by(plan))]);
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
        let plan = expecting("x", None, to, DEFAULT_DEADLINE);
        let relay = relay_of(vec![with_health("a", listener.address(), checked_by(plan))]);
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
        let relay = relay_of(vec![
            with_health("inside", service.address(), checked_by(in_tenant)),
            with_health("outside", service.address(), checked(to)),
        ]);
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
        to: Destination::Server {
            address: None,
            port: Some(pulse.address.port()),
        },
        ..connect(pulse.address)
    };
    let mut host = with_health(
        "a",
        &Address::Inet(pulse.address),
        checked_by(check(Script::connect(to))),
    );
    host.target = Target::Host {
        name: "a.example".to_owned(),
        port: Some(pulse.address.port()),
        address: None,
    };
    let relay = relay_of(vec![host]);
    let status = || relay.server("a");
    assert_eq!(status().down, Down::UNRESOLVED);
    // Nobody is there.
    relay.handle.set_address(POOL, "a", Some([127, 0, 0, 2].into()));
    wait_for(&relay, "a", false);
    assert_eq!(status().down, Down::UNHEALTHY);
    relay.handle.set_address(POOL, "a", Some([127, 0, 0, 1].into()));
    wait_for(&relay, "a", true);
    assert!(status().down.is_empty());
}
