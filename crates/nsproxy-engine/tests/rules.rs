//! Rules of a relay together with what a connection brings: its PROXY header.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod common;

use std::net::IpAddr;
use std::sync::Arc;

use common::{LOOPBACK, Relay, plan};
use nsproxy_engine::HeaderPlan;
use nsproxy_engine::rules::{Action, Expression, Fetch, Rule, Rules, Subject, Value};
use nsproxy_testkit::Listener;
use proxy_proto::{Command, v2};

/// A rule that always applies.
fn set(subject: Subject, value: Value<'static>) -> Rule {
    let expression = Expression {
        fetch: Fetch::Constant(value),
        converters: Vec::new(),
    };
    Rule {
        condition: None,
        action: Action::Set(subject, expression),
    }
}

fn ip(ip: &str) -> Value<'static> {
    Value::Address(ip.parse::<IpAddr>().unwrap())
}

#[test]
fn an_address_that_a_rule_has_set_stays_under_a_header_without_addresses() {
    let origin = Listener::bind(LOOPBACK);
    let mut plan = plan(origin.address());
    plan.relays[0].listeners[0].accept_proxy = true;
    plan.relays[0].rules = Some(Arc::new(Rules {
        connection: vec![
            set(Subject::Source, ip("192.0.2.9")),
            set(Subject::SourcePort, Value::Number(7)),
            set(Subject::Destination, ip("198.51.100.1")),
            set(Subject::DestinationPort, Value::Number(8)),
        ],
        ..Rules::default()
    }));
    plan.pools[0].servers[0].send_header = Some(HeaderPlan::V1);
    let relay = Relay::start(&plan);
    let local = v2::to_vec(Command::Local, |_| {}).unwrap();
    for (header, expected) in [
        (&local[..], "PROXY TCP4 192.0.2.9 198.51.100.1 7 8\r\n"),
        (b"PROXY UNKNOWN\r\n", "PROXY TCP4 192.0.2.9 198.51.100.1 7 8\r\n"),
        (
            b"PROXY TCP4 203.0.113.1 203.0.113.2 1 2\r\n",
            "PROXY TCP4 203.0.113.1 203.0.113.2 1 2\r\n",
        ),
    ] {
        let client = relay.connect();
        client.send(header);
        origin.accept().expect(expected);
    }
}
