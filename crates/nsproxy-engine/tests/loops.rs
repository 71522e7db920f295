//! Connections that would lead back to where they come from end, and those that only look like it do not.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod common;

use std::fs;

use common::{Relay, in_netns, listener_at, server};
use nsproxy_engine::{CloseReason, Endpoint, ListenerPlan, Plan, ServerPlan, Target, UpstreamNetns};
use nsproxy_testkit::{Address, Netns, Service, World, world};

fn address(text: &str) -> Address {
    Address::Inet(text.parse().unwrap())
}

/// Namespaces that all have these addresses.
fn alike<const N: usize>(w: &World, names: [&str; N]) -> [Netns; N] {
    names.map(|name| {
        let netns = w.add_netns(name);
        netns.ip("address add 10.0.0.1/32 dev lo");
        netns.ip("address add 2001:db8::1/128 dev lo nodad");
        netns
    })
}

fn listener_in(netns: &str, place: &str, transparent: bool) -> ListenerPlan {
    ListenerPlan {
        transparent,
        ..in_netns(netns, ListenerPlan::at(Endpoint::Ip(place.parse().unwrap())))
    }
}

/// A server at the client's destination, in this namespace.
fn onward(netns: &str) -> ServerPlan {
    ServerPlan {
        target: Target::ClientDestination { port: None },
        netns: UpstreamNetns::Named(netns.parse().unwrap()),
        ..server(&address("192.0.2.1:1"))
    }
}

/// Both relays of two plans in one.
fn both(mut one: Plan, mut other: Plan) -> Plan {
    other.relays[0].pool = 1;
    "other".clone_into(&mut other.pools[0].name);
    one.relays.append(&mut other.relays);
    one.pools.append(&mut other.pools);
    one
}

#[test]
fn a_circle_of_listeners_ends_with_its_first_round() {
    for (place, destination) in [
        ("10.0.0.1:80", "10.0.0.1:80"),
        ("[2001:db8::1]:80", "[2001:db8::1]:80"),
        ("0.0.0.0:80", "10.0.0.1:80"),
        ("[::]:80", "[2001:db8::1]:80"),
        ("[::]:80", "10.0.0.1:80"),
    ] {
        for transparent in [false, true] {
            world("circle", |w| {
                let [one, _two] = alike(w, ["one", "two"]);
                let there = Plan::forward(listener_in("one", place, transparent), onward("two"), None);
                let back = Plan::forward(listener_in("two", place, transparent), onward("one"), None);
                let relay = Relay::start(&both(there, back));
                one.connect(destination).expect_closed();
                relay.expect_idle();
                let ends = relay.record.ends();
                assert!(
                    ends.iter().any(|end| end.reason == CloseReason::Loop),
                    "{place}: {ends:?}"
                );
                assert!(ends.len() <= 3, "{place}: {ends:?}");
                assert_eq!(relay.stats().loops_refused, 1);
            });
        }
    }
}

#[test]
fn a_way_through_two_listeners_that_ends_elsewhere_is_no_loop() {
    world("chain", |w| {
        let [one, _two, three] = alike(w, ["one", "two", "three"]);
        let service = Service::reply(three.listen("10.0.0.1:80"), "arrived");
        let first = Plan::forward(listener_in("one", "10.0.0.1:80", false), onward("two"), None);
        for target in [
            onward("three"),
            ServerPlan {
                netns: UpstreamNetns::Named("three".parse().unwrap()),
                ..server(service.address())
            },
        ] {
            let second = Plan::forward(listener_in("two", "0.0.0.0:80", false), target, None);
            let relay = Relay::start(&both(first.clone(), second));
            let client = one.connect("10.0.0.1:80");
            client.expect("arrived");
            client.expect_eof();
            client.close();
            relay.expect_idle();
            assert_eq!(relay.stats().loops_refused, 0);
        }
    });
}

#[test]
fn a_namespace_is_the_same_by_whatever_name() {
    world("names", |w| {
        let [one] = alike(w, ["one"]);
        let plan = Plan::forward(
            listener_in("one", "10.0.0.1:80", false),
            onward("/run/netns/one"),
            None,
        );
        let relay = Relay::start(&plan);
        one.connect("10.0.0.1:80").expect_closed();
        assert_eq!(relay.end().reason, CloseReason::Loop);
    });
}

#[test]
fn a_fixed_server_that_is_the_listener_itself_is_refused() {
    world("fixed", |w| {
        w.home().ip("address add 10.0.0.1/32 dev lo");
        for (place, to) in [
            ("10.0.0.1:80", "10.0.0.1:80"),
            ("0.0.0.0:80", "127.0.0.1:80"),
            ("0.0.0.0:80", "10.0.0.1:80"),
            ("[::]:80", "[::1]:80"),
        ] {
            let plan = Plan::forward(listener_at(place), server(&address(to)), None);
            let relay = Relay::start(&plan);
            w.home().connect("10.0.0.1:80").expect_closed();
            assert_eq!(relay.end().reason, CloseReason::Loop, "{place}, {to}");
        }
    });
}

#[test]
fn a_circle_of_fixed_servers_ends_with_its_first_round() {
    world("fixed-circle", |w| {
        w.home().ip("address add 10.0.0.1/32 dev lo");
        let [there, back] = [("10.0.0.1:80", "10.0.0.1:81"), ("10.0.0.1:81", "10.0.0.1:80")]
            .map(|(place, to)| Plan::forward(listener_at(place), server(&address(to)), None));
        let relay = Relay::start(&both(there, back));
        w.home().connect("10.0.0.1:80").expect_closed();
        relay.expect_idle();
        assert_eq!(relay.stats().loops_refused, 1);
        assert_eq!(relay.record.ends().len(), 2);
    });
}

#[test]
fn a_listener_that_the_namespace_keeps_to_ipv6_takes_no_connection_to_an_address_of_ipv4() {
    world("v6only-by-default", |w| {
        let [one] = alike(w, ["one"]);
        one.run(|| fs::write("/proc/sys/net/ipv6/bindv6only", "1").unwrap());
        let service = Service::reply(one.listen("10.0.0.1:80"), "arrived");
        let to = ServerPlan {
            netns: UpstreamNetns::Named("one".parse().unwrap()),
            ..server(service.address())
        };
        let relay = Relay::start(&Plan::forward(listener_in("one", "[::]:80", false), to, None));
        let client = one.connect("[2001:db8::1]:80");
        client.expect("arrived");
        client.expect_eof();
        client.close();
        relay.expect_idle();
        assert_eq!(relay.stats().loops_refused, 0);
    });
}
