//! Listeners that the process was started with.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod common;

use std::io::ErrorKind;
use std::os::fd::AsRawFd as _;

use common::{Relay, plan};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nsproxy_engine::{ApplyError, Endpoint, ListenerNetns, ListenerPlan, Plan};
use nsproxy_testkit::{DEFAULT_DEADLINE, Listener, Peer, Service, eventually, world};
use socket2::{Domain, Socket, Type};

/// A socket as a process inherits it: not closed on exec.
fn inherited(domain: Domain, r#type: Type) -> Socket {
    let socket = Socket::new(domain, r#type, None).unwrap();
    fcntl(&socket, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    socket
}

fn tcp() -> Socket {
    let socket = inherited(Domain::IPV4, Type::STREAM);
    let any_port: std::net::SocketAddr = ([127, 0, 0, 1], 0).into();
    socket.bind(&any_port.into()).unwrap();
    socket
}

/// A relay from this socket to an echo.
fn relay_from(socket: &Socket, echo: &Service) -> Plan {
    let mut plan = plan(echo.address());
    plan.relays[0].listeners = vec![ListenerPlan::at(Endpoint::Inherited(socket.as_raw_fd()))];
    plan
}

fn expect_echo(client: &Peer) {
    client.send("x");
    client.expect("x");
}

#[track_caller]
fn expect_refused(socket: &Socket, netns: Option<&str>, reason: &str) {
    let echo = Service::echo(Listener::bind("127.0.0.1:0"));
    let mut plan = relay_from(socket, &echo);
    plan.relays[0].listeners[0].netns = netns.map(|name| ListenerNetns::Named(name.parse().unwrap()));
    let relay = Relay::start(&common::plan(echo.address()));
    let refused = relay.handle.apply(&plan).unwrap_err();
    let ApplyError::Listen { source, .. } = &refused else {
        panic!("{refused}");
    };
    let place = netns.map_or_else(String::new, |netns| format!(" in netns `{netns}`"));
    let descriptor = socket.as_raw_fd();
    assert_eq!(
        format!("{source}: {}", source.source),
        format!("cannot use the inherited socket fd@{descriptor}{place}: {reason}")
    );
}

#[test]
fn a_socket_that_is_bound_only_begins_to_listen() {
    let echo = Service::echo(Listener::bind("127.0.0.1:0"));
    let socket = tcp();
    let relay = Relay::start(&relay_from(&socket, &echo));
    assert_eq!(relay.address(), socket.local_addr().unwrap().as_socket().unwrap());
    expect_echo(&relay.connect());
}

#[test]
fn a_listener_goes_on_for_others_when_the_relay_leaves_it() {
    let echo = Service::echo(Listener::bind("127.0.0.1:0"));
    let socket = tcp();
    socket.listen(16).unwrap();
    let relay = Relay::start(&relay_from(&socket, &echo));
    let address = relay.address();
    expect_echo(&relay.connect());
    // The same socket in the next plan is the same listener.
    assert!(relay.handle.apply(&relay_from(&socket, &echo)).unwrap()[0].kept);
    relay.handle.apply(&plan(echo.address())).unwrap();
    relay.handle.stop();
    relay.engine.wait().unwrap();
    let client = Peer::connect(address);
    socket.set_nonblocking(false).unwrap();
    let (accepted, _) = socket.accept().unwrap();
    client.send("for another");
    Peer::new(accepted).expect("for another");
}

#[test]
fn a_unix_socket_is_inherited_and_its_file_stays() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("inherited.sock");
    let socket = inherited(Domain::UNIX, Type::STREAM);
    socket.bind(&socket2::SockAddr::unix(&path).unwrap()).unwrap();
    let echo = Service::echo(Listener::bind("127.0.0.1:0"));
    let relay = Relay::start(&relay_from(&socket, &echo));
    assert_eq!(relay.listeners[0].address, Endpoint::Unix(path.clone()));
    expect_echo(&Peer::connect(&path));
    drop(relay);
    assert!(path.exists());
}

#[test]
fn what_is_no_inherited_listener_is_refused() {
    let own = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    expect_refused(&own, None, "Bad file descriptor (os error 9)");
    expect_refused(
        &inherited(Domain::IPV4, Type::DGRAM),
        None,
        "it is no socket of TCP and no unix stream socket",
    );
    let connection = inherited(Domain::IPV4, Type::STREAM);
    let peer = Listener::bind("127.0.0.1:0");
    let nsproxy_testkit::Address::Inet(address) = peer.address() else {
        panic!("not TCP");
    };
    connection.connect(&(*address).into()).unwrap();
    expect_refused(&connection, None, "it is a connection");
}

#[test]
fn a_socket_is_taken_for_one_of_the_namespace_that_it_is_in_and_no_other() {
    world("inherited", |w| {
        let blue = w.add_netns("blue");
        let green = w.add_netns("green");
        let socket = blue.run(tcp);
        expect_refused(&socket, Some("green"), "it is a socket of another namespace");
        drop(green);
        let echo = Service::echo(Listener::bind("127.0.0.1:0"));
        let mut plan = relay_from(&socket, &echo);
        plan.relays[0].listeners[0].netns = Some(ListenerNetns::Named("blue".parse().unwrap()));
        let relay = Relay::start(&plan);
        let address = relay.address();
        expect_echo(&blue.run(|| Peer::connect(address)));
        let refused = Peer::try_connect(address).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        drop(relay);
        drop(socket);
    });
}

#[test]
fn a_socket_whose_namespace_was_replaced_is_not_tried_in_the_other_one_again_and_again() {
    world("inherited-replaced", |w| {
        let blue = w.add_netns("blue");
        let socket = blue.run(tcp);
        let echo = Service::echo(Listener::bind("127.0.0.1:0"));
        let mut plan = relay_from(&socket, &echo);
        plan.relays[0].listeners[0].netns = Some(ListenerNetns::Named("blue".parse().unwrap()));
        let relay = Relay::start(&plan);
        w.remove_netns("blue");
        w.add_netns("blue");
        let told = eventually(DEFAULT_DEADLINE, "the failure of the listener", || {
            let mut notices = relay.record.notices().into_iter();
            notices.find(|notice| notice.starts_with("ListenerFailed"))
        });
        assert!(told.contains("again: None"), "{told}");
        assert!(told.contains("it is a socket of another namespace"), "{told}");
        drop(relay);
        drop(socket);
    });
}
