//! What a received NETNS TLV may do at a listener that narrows it.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod common;

use std::sync::Arc;

use common::{Relay, listener, server};
use nsproxy_engine::{CloseReason, ListenerPlan, NetnsTlv, Plan, ServerPlan, UpstreamNetns};
use nsproxy_testkit::{Address, Peer, Service, World, world};
use proxy_proto::{Addresses, Command, Transport, v2};

const SERVICE: &str = "127.0.0.1:8080";

/// A header that names a namespace, or none.
fn header(netns: Option<&str>) -> Vec<u8> {
    let addresses = Addresses::promoted(
        Transport::Stream,
        "192.0.2.1:1".parse().unwrap(),
        "198.51.100.1:2".parse().unwrap(),
    );
    let header = v2::to_vec(Command::Proxy(addresses), |header| {
        if let Some(netns) = netns {
            header.netns(netns.as_bytes());
        }
    });
    header.unwrap()
}

/// A LOCAL header that names a namespace all the same.
fn local_header(netns: &str) -> Vec<u8> {
    let header = v2::to_vec(Command::Local, |header| {
        header.netns(netns.as_bytes());
    });
    header.unwrap()
}

/// Services in the namespaces `one` and `two`, which are both listed, and in `home`.
fn services(w: &World) -> Vec<Service> {
    let mut services = vec![Service::reply(w.home().listen(SERVICE), "home")];
    for name in ["one", "two"] {
        services.push(Service::reply(w.add_netns(name).listen(SERVICE), name));
    }
    services
}

fn start(netns_tlv: NetnsTlv, netns: UpstreamNetns) -> Relay {
    let listener = ListenerPlan {
        accept_proxy: true,
        netns_tlv,
        ..listener()
    };
    let to = ServerPlan {
        netns,
        ..server(&Address::Inet(SERVICE.parse().unwrap()))
    };
    let mut plan = Plan::forward(listener, to, None);
    plan.selectable = ["one", "two"].map(|name| name.parse().unwrap()).into();
    Relay::start(&plan)
}

fn send(relay: &Relay, header: Vec<u8>) -> Peer {
    let client = relay.connect();
    client.send(header);
    client
}

fn expect_reply(relay: &Relay, header: Vec<u8>, reply: &str) {
    let client = send(relay, header);
    client.expect(reply);
    client.expect_eof();
}

/// The reason for which the next session of a relay, its `count`th, is refused.
fn refusal(relay: &Relay, header: Vec<u8>, count: usize) -> CloseReason {
    send(relay, header).expect_eof();
    relay.ends(count).last().unwrap().reason
}

#[test]
fn a_header_selects_only_what_its_listener_allows() {
    world("allow", |w| {
        let _services = services(w);
        let only = ["one".parse().unwrap()].into();
        let policy = NetnsTlv::Select {
            only: Some(Arc::new(only)),
            required: false,
        };
        let relay = start(policy.clone(), UpstreamNetns::Client);
        expect_reply(&relay, header(Some("one")), "one");
        expect_reply(&relay, header(None), "home");
        relay.ends(2);
        assert_eq!(refusal(&relay, header(Some("two")), 3), CloseReason::NetnsRefused);
        // Where the server does not follow the name, it is only told.
        let relay = start(policy, UpstreamNetns::Default);
        expect_reply(&relay, header(Some("two")), "home");
        relay.eventually("the name to be counted", |stats| stats.netns_unlisted == 1);
        assert_eq!(relay.stats().netns_refused, 0);
    });
}

#[test]
fn a_listener_that_requires_a_namespace_refuses_whoever_selects_none() {
    world("require", |w| {
        let _services = services(w);
        let policy = NetnsTlv::Select {
            only: None,
            required: true,
        };
        let relay = start(policy, UpstreamNetns::Default);
        assert_eq!(refusal(&relay, header(None), 1), CloseReason::NetnsMissing);
        assert_eq!(refusal(&relay, local_header("one"), 2), CloseReason::NetnsMissing);
        assert_eq!(
            refusal(&relay, header(Some("three")), 3),
            CloseReason::NetnsRefused
        );
        expect_reply(&relay, header(Some("two")), "home");
        relay.ends(4);
        let stats = relay.stats();
        assert_eq!((stats.netns_unlisted, stats.netns_refused), (1, 1));
        assert_eq!(relay.record.notices().len(), 1);
    });
}

#[test]
fn a_listener_that_ignores_the_name_uses_its_own_namespace() {
    world("ignore", |w| {
        let _services = services(w);
        let relay = start(NetnsTlv::Ignore, UpstreamNetns::Client);
        for name in ["one", "three"] {
            expect_reply(&relay, header(Some(name)), "home");
        }
        relay.ends(2);
        assert_eq!(relay.stats().netns_unlisted, 0);
    });
}
