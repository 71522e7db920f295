//! Servers that are known by the names of their hosts: an address that is told, changes, and is lost.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod common;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use common::{Relay, plan};
use nsproxy_engine::{CloseReason, Down, Family, Operation, Plan, SocketKind, SocketRequest, Target};
use nsproxy_testkit::{Address, Listener, Peer};
use socket2::Type;

fn loopback(last: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, last).into()
}

/// A listener at every address, and its port.
fn everywhere() -> (Listener, u16) {
    let listener = Listener::bind("0.0.0.0:0");
    let port = match listener.address() {
        Address::Inet(address) => address.port(),
        Address::Unix(path) => panic!("{} has no port", path.display()),
    };
    (listener, port)
}

/// The next connection, which is to have come to this address.
#[track_caller]
fn accept_at(listener: &Listener, address: IpAddr) -> Peer {
    let peer = listener.accept();
    assert!(matches!(peer.local_addr(), Address::Inet(local) if local.ip() == address));
    peer
}

fn plan_for(name: &str, port: u16, address: Option<IpAddr>) -> Plan {
    let mut plan = plan(&Address::Inet(SocketAddr::from(([127, 0, 0, 1], 1))));
    plan.pools[0].servers[0].target = Target::Host {
        name: name.to_owned(),
        port: Some(port),
        address,
    };
    plan
}

fn tell(relay: &Relay, address: Option<IpAddr>) {
    assert!(relay.handle.set_address("forward", "s", address));
}

#[test]
fn an_address_that_changes_is_for_new_sessions_and_running_ones_go_on() {
    let (listener, port) = everywhere();
    let relay = Relay::start(&plan_for("a.example", port, Some(loopback(1))));
    let (old, old_server) = (relay.connect(), accept_at(&listener, loopback(1)));
    tell(&relay, Some(loopback(2)));
    let (new, new_server) = (relay.connect(), accept_at(&listener, loopback(2)));
    for (client, server) in [(&old, &old_server), (&new, &new_server)] {
        client.send("a request");
        server.expect("a request");
        server.send("its reply");
        client.expect("its reply");
    }
    assert_eq!(relay.server("s").address, Some(loopback(2)));
}

#[test]
fn without_an_address_a_server_is_down_until_there_is_one() {
    let (listener, port) = everywhere();
    let relay = Relay::start(&plan_for("a.example", port, None));
    assert_eq!(relay.server("s").down, Down::UNRESOLVED);
    relay.connect().expect_closed();
    assert_eq!(relay.end().reason, CloseReason::NoServer);
    tell(&relay, Some(loopback(1)));
    let _client = relay.connect();
    let _server = accept_at(&listener, loopback(1));
    tell(&relay, None);
    relay.connect().expect_closed();
    let reasons: Vec<_> = relay.ends(2).into_iter().map(|end| end.reason).collect();
    assert_eq!(reasons, [CloseReason::NoServer; 2]);
}

#[test]
fn an_address_outlives_a_plan_unless_the_server_has_another_host() {
    let relay = Relay::start(&plan_for("a.example", 1, None));
    tell(&relay, Some(loopback(7)));
    relay.handle.apply(&plan_for("a.example", 2, None)).unwrap();
    assert_eq!(
        (relay.server("s").address, relay.server("s").down),
        (Some(loopback(7)), Down::empty())
    );
    relay.handle.apply(&plan_for("b.example", 2, None)).unwrap();
    assert_eq!(
        (relay.server("s").address, relay.server("s").down),
        (None, Down::UNRESOLVED)
    );
}

#[test]
fn only_servers_that_are_known_by_name_can_be_told_an_address() {
    let relay = Relay::start(&plan(&Address::Inet(SocketAddr::from(([127, 0, 0, 1], 1)))));
    for (pool, server) in [("forward", "s"), ("forward", "t"), ("other", "s")] {
        assert!(!relay.handle.set_address(pool, server, Some(loopback(1))));
    }
}

#[test]
fn the_engine_opens_sockets_for_others_through_its_opener() {
    let relay = Relay::start(&plan(&Address::Inet(SocketAddr::from(([127, 0, 0, 1], 1)))));
    let request = |netns: Option<&str>| SocketRequest {
        netns: netns.map(|netns| Arc::new(netns.parse().unwrap())),
        kind: SocketKind::Datagram { family: Family::Inet },
    };
    let socket = relay.handle.open(request(None)).unwrap();
    assert_eq!(socket.r#type().unwrap(), Type::DGRAM);
    let error = relay.handle.open(request(Some("/nowhere"))).unwrap_err();
    assert_eq!(error.operation, Operation::EnterNetns);
}
