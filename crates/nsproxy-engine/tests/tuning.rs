//! What listening sockets are like, and that it changes with the plan while they listen.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod common;

use std::num::{NonZeroU16, NonZeroU32};
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use common::{A_WHILE, Relay, listener, plan};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::socket::{getsockopt, sockopt};
use nsproxy_engine::{Endpoint, KeepAlive, ListenerPlan, ListenerTuning, SocketBuffers};
use nsproxy_testkit::{Listener, Service, world};
use socket2::{Domain, Socket, Type};

fn everything() -> ListenerTuning {
    ListenerTuning {
        backlog: NonZeroU32::new(7),
        max_segment: NonZeroU16::new(1000),
        user_timeout: Some(Duration::from_secs(30)),
        defer_accept: true,
        fast_open: true,
        buffers: SocketBuffers {
            receive: NonZeroU32::new(32_768),
            send: NonZeroU32::new(16_384),
        },
        keep_alive: Some(KeepAlive {
            idle: NonZeroU16::new(60),
            interval: NonZeroU16::new(10),
            count: NonZeroU16::new(3),
        }),
    }
}

/// What can be seen of a socket's options.
fn options(socket: &Socket) -> (u32, Option<Duration>, bool, [u32; 3]) {
    (
        socket.tcp_mss().unwrap(),
        socket.tcp_user_timeout().unwrap().filter(|time| !time.is_zero()),
        socket.keepalive().unwrap(),
        [
            getsockopt(socket, sockopt::TcpKeepIdle).unwrap(),
            getsockopt(socket, sockopt::TcpKeepInterval).unwrap(),
            getsockopt(socket, sockopt::TcpKeepCount).unwrap(),
        ],
    )
}

#[test]
fn a_listener_has_the_options_of_its_plan_and_of_the_next_one() {
    // An inherited one, since whoever has handed it down can look at it.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    fcntl(&socket, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    let any_port: std::net::SocketAddr = ([127, 0, 0, 1], 0).into();
    socket.bind(&any_port.into()).unwrap();
    let before = options(&socket);
    let echo = Service::echo(Listener::bind("127.0.0.1:0"));
    let mut plan = plan(echo.address());
    plan.relays[0].listeners = vec![ListenerPlan {
        tuning: everything(),
        ..ListenerPlan::at(Endpoint::Inherited(socket.as_raw_fd()))
    }];
    let relay = Relay::start(&plan);
    let expected = (1000, Some(Duration::from_secs(30)), true, [60, 10, 3]);
    assert_eq!(options(&socket), expected);
    // Deferred: a client that says nothing is not accepted.
    let client = relay.connect();
    client.expect_silence(A_WHILE);
    assert_eq!(relay.handle.sessions(), 0);
    client.send("x");
    client.expect("x");
    plan.relays[0].listeners[0].tuning = ListenerTuning::default();
    assert!(relay.handle.apply(&plan).unwrap()[0].kept);
    let (mss, user_timeout, is_probed, _) = options(&socket);
    assert_eq!((mss, user_timeout, is_probed), (before.0, None, false));
    let silent = relay.connect();
    silent.expect_silence(A_WHILE);
    assert_eq!(relay.handle.sessions(), 2);
}

#[test]
fn listeners_keep_their_options_when_those_of_another_one_are_refused() {
    let sockets = [(); 2].map(|()| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        fcntl(&socket, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
        let any_port: std::net::SocketAddr = ([127, 0, 0, 1], 0).into();
        socket.bind(&any_port.into()).unwrap();
        socket
    });
    let echo = Service::echo(Listener::bind("127.0.0.1:0"));
    let mut plan = plan(echo.address());
    let inherited = sockets
        .each_ref()
        .map(|socket| Endpoint::Inherited(socket.as_raw_fd()));
    plan.relays[0].listeners = inherited.map(ListenerPlan::at).into();
    let relay = Relay::start(&plan);
    // Times of probes that nobody makes do not matter.
    let in_effect = |socket: &Socket| {
        let (mss, user_timeout, is_probed, _) = options(socket);
        (mss, user_timeout, is_probed)
    };
    let before = sockets.each_ref().map(in_effect);
    let listeners = &mut plan.relays[0].listeners;
    listeners[0].tuning = everything();
    // Smaller than the kernel has it. The time is set first, or not at all.
    listeners[1].tuning = ListenerTuning {
        max_segment: NonZeroU16::new(1),
        ..everything()
    };
    assert!(relay.handle.apply(&plan).is_err());
    assert_eq!(sockets.each_ref().map(in_effect), before);
}

#[test]
fn accepted_connections_inherit_what_their_listener_has() {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any_port: std::net::SocketAddr = ([127, 0, 0, 1], 0).into();
    listener.bind(&any_port.into()).unwrap();
    listener
        .set_tcp_keepalive(&socket2::TcpKeepalive::new().with_time(Duration::from_secs(77)))
        .unwrap();
    listener
        .set_tcp_user_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    listener.listen(1).unwrap();
    let client = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    client.connect(&listener.local_addr().unwrap()).unwrap();
    let (accepted, _) = listener.accept().unwrap();
    assert!(accepted.keepalive().unwrap());
    assert_eq!(getsockopt(&accepted, sockopt::TcpKeepIdle).unwrap(), 77);
    assert_eq!(accepted.tcp_user_timeout().unwrap(), Some(Duration::from_secs(5)));
}

#[test]
fn a_listener_of_one_link_hears_nothing_of_others() {
    world("interface", |w| {
        let (one, two) = (w.add_netns("one"), w.add_netns("two"));
        w.add_netns("relay");
        w.veth(
            ("one", "to-relay", "10.0.1.2/24"),
            ("relay", "to-one", "10.0.1.1/24"),
        );
        w.veth(
            ("two", "to-relay", "10.0.2.2/24"),
            ("relay", "to-two", "10.0.2.1/24"),
        );
        let echo = Service::echo(Listener::bind("127.0.0.1:0"));
        let mut plan = plan(echo.address());
        let of_link = |interface: Option<&str>| ListenerPlan {
            interface: interface.map(str::to_owned),
            netns: Some("relay".parse().unwrap()),
            ..common::listener_at("0.0.0.0:8000")
        };
        plan.relays[0].listeners = vec![of_link(Some("to-one"))];
        let relay = Relay::start(&plan);
        let client = one.connect("10.0.1.1:8000");
        client.send("x");
        client.expect("x");
        let refused = two.run(|| nsproxy_testkit::Peer::try_connect("10.0.2.1:8000"));
        assert_eq!(refused.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
        // Another link is another socket.
        plan.relays[0].listeners = vec![of_link(Some("to-two"))];
        assert!(!relay.handle.apply(&plan).unwrap()[0].kept);
        let client = two.connect("10.0.2.1:8000");
        client.send("x");
        client.expect("x");
        plan.relays[0].listeners = vec![of_link(Some("nowhere"))];
        let error = relay.handle.apply(&plan).unwrap_err();
        let text = common::whole(&error);
        assert!(
            text.contains("cannot set SO_BINDTODEVICE") && text.contains("No such device"),
            "{text}"
        );
    });
}

#[test]
fn a_listener_has_a_limit_of_its_own() {
    let echo = Service::echo(Listener::bind("127.0.0.1:0"));
    let mut plan = plan(echo.address());
    plan.relays[0].listeners = vec![
        ListenerPlan {
            max_sessions: Some(1),
            ..listener()
        },
        listener(),
    ];
    let relay = Relay::start(&plan);
    let connect = |index: usize| nsproxy_testkit::Peer::connect(relay.address_of(index));
    let first = connect(0);
    first.send("one");
    first.expect("one");
    let second = connect(0);
    second.send("two");
    second.expect_silence(A_WHILE);
    let elsewhere = connect(1);
    elsewhere.send("three");
    elsewhere.expect("three");
    // The next plan's limit counts those that are there, and room that it brings is used at once.
    plan.relays[0].listeners[0].max_sessions = Some(2);
    relay.handle.apply(&plan).unwrap();
    second.expect("two");
    let third = connect(0);
    third.send("four");
    third.expect_silence(A_WHILE);
    first.half_close();
    first.expect_eof();
    third.expect("four");
}
