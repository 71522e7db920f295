//! What a client says before its server's connection stands goes out with that connection's first segment, and is not lost.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod common;

use std::net::SocketAddr;
use std::num::NonZeroI16;
use std::sync::Arc;
use std::time::Duration;

use common::{A_WHILE, LOOPBACK, Relay, server, settings};
use nsproxy_engine::{Algorithm, Balancing, CloseReason, HeaderPlan, InProcess, Plan, ServerPlan, Settings};
use nsproxy_testkit::{Address, DEFAULT_DEADLINE, Listener, Peer, eventually, world};
use socket2::{Domain, SockAddr, Socket, Type};

/// A connection under way to `listener`, and what `connect` said of it.
fn connecting(listener: &SocketAddr, prepare: impl FnOnce(&Socket)) -> (Socket, Option<i32>) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), None).unwrap();
    prepare(&socket);
    let said = socket.connect(&SockAddr::from(*listener));
    (socket, said.err().and_then(|error| error.raw_os_error()))
}

#[test]
fn a_connection_to_this_host_stands_when_connect_says_that_it_is_under_way() {
    let listener = Listener::bind(LOOPBACK);
    let (socket, said) = connecting(&listener.address().inet(), |_| ());
    assert_eq!(said, Some(libc::EINPROGRESS));
    assert_eq!(
        socket.peer_addr().unwrap().as_socket(),
        Some(listener.address().inet())
    );
    listener.accept();
}

#[test]
fn asking_for_the_peer_of_a_refused_connection_leaves_the_error_to_be_had() {
    let bound = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    bound
        .bind(&SockAddr::from(LOOPBACK.parse::<SocketAddr>().unwrap()))
        .unwrap();
    let nobody = bound.local_addr().unwrap().as_socket().unwrap();
    let (socket, said) = connecting(&nobody, |_| ());
    assert_eq!(said, Some(libc::EINPROGRESS));
    assert_eq!(
        socket.peer_addr().unwrap_err().raw_os_error(),
        Some(libc::ENOTCONN)
    );
    let error = socket
        .take_error()
        .unwrap()
        .and_then(|error| error.raw_os_error());
    assert_eq!(error, Some(libc::ECONNREFUSED));
}

#[test]
fn without_quick_acknowledgement_the_first_bytes_end_the_handshake() {
    let listener = Listener::bind(LOOPBACK);
    let hold_back = |socket: &Socket| socket.set_tcp_quickack(false).unwrap();
    let (socket, _) = connecting(&listener.address().inet(), hold_back);
    // Less than the 200 ms after which the kernel sends the acknowledgement by itself (TCP_DELACK_MAX).
    listener.expect_no_connection(Duration::from_millis(50));
    socket.send(b"x").unwrap();
    listener.accept().expect("x");
}

/// Acknowledgements that have ended a handshake and carried nothing. A listener that defers says so.
fn bare_acknowledgements() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/net/netstat").unwrap();
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("TcpExt: "));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let mut counters = names.split(' ').zip(values.split(' '));
    let (_, value) = counters.find(|(name, _)| *name == "TCPDeferAcceptDrop").unwrap();
    value.parse().unwrap()
}

/// A relay for one session at a time. Whoever connects while there is one is accepted after it, with what it has said by then.
fn narrow_relay(plan: &Plan) -> Relay {
    let settings = Settings {
        max_sessions: Some(1),
        ..settings(1)
    };
    Relay::start_with(&settings, Arc::new(InProcess), plan)
}

/// A client that has said this before it is accepted. `first` is what the relay is busy with until then.
fn said_before_it_is_accepted(relay: &Relay, first: Peer, words: &str) -> Peer {
    let client = relay.connect();
    client.send(words);
    first.reset();
    client
}

#[test]
fn what_a_client_has_said_comes_with_the_end_of_the_handshake() {
    world("early-words", |w| {
        w.home().run(|| {
            let listener = Listener::bind(LOOPBACK);
            listener.defer_accept();
            let relay = narrow_relay(&common::plan(listener.address()));
            // This one says nothing until the server's connection stands.
            let first = relay.connect();
            eventually(DEFAULT_DEADLINE, "a bare acknowledgement", || {
                (bare_acknowledgements() == 1).then_some(())
            });
            first.send("one");
            let served = listener.accept();
            served.expect("one");
            let client = said_before_it_is_accepted(&relay, first, "two");
            let served = listener.accept();
            served.expect("two");
            served.send("three");
            client.expect("three");
            assert_eq!(bare_acknowledgements(), 1);
        });
    });
}

#[test]
fn a_header_comes_with_the_end_of_the_handshake_although_the_client_is_silent() {
    world("early-header", |w| {
        w.home().run(|| {
            let listener = Listener::bind(LOOPBACK);
            listener.defer_accept();
            let to = ServerPlan {
                send_header: Some(HeaderPlan::V1),
                ..server(listener.address())
            };
            let relay = Relay::start(&Plan::forward(common::listener(), to, None));
            let client = relay.connect();
            let served = listener.accept();
            served.expect("PROXY TCP4 127.0.0.1 127.0.0.1 ");
            assert_eq!(bare_acknowledgements(), 0);
            drop(client);
        });
    });
}

#[test]
fn a_server_that_speaks_first_is_not_kept_waiting_by_a_silent_client() {
    let listener = Listener::bind(LOOPBACK);
    let relay = common::relay_to(listener.address());
    let client = relay.connect();
    let served = listener
        .try_accept(A_WHILE)
        .expect("the acknowledgement is held back");
    served.send("welcome");
    client.expect("welcome");
}

#[test]
fn what_a_client_has_said_and_nobody_took_ends_in_a_reset() {
    // Alone: the port that is given up here must not be given to another test.
    world("early-lost", |w| {
        w.home().run(|| {
            let first_server = Listener::bind(LOOPBACK);
            let relay = narrow_relay(&common::plan(first_server.address()));
            let first = relay.connect();
            let served = first_server.accept();
            drop(first_server);
            let client = said_before_it_is_accepted(&relay, first, "lost");
            client.expect_reset();
            drop(served);
            let ends = relay.ends(2);
            assert!(
                matches!(ends[1].reason, CloseReason::ConnectFailed(_)),
                "{ends:?}"
            );
            relay.expect_idle();
        });
    });
}

#[test]
fn what_a_client_has_said_goes_to_the_server_that_takes_the_session_in_the_end() {
    // Alone: the port that is given up here must not be given to another test.
    world("early-elsewhere", |w| {
        w.home().run(|| {
            let (dead, alive) = (Listener::bind(LOOPBACK), Listener::bind(LOOPBACK));
            let named = |name: &str, address: &Address| ServerPlan {
                name: name.to_owned(),
                send_header: Some(HeaderPlan::V1),
                ..server(address)
            };
            let mut plan = common::plan(dead.address());
            plan.pools[0].servers = vec![named("dead", dead.address()), named("alive", alive.address())];
            plan.pools[0].balance = Balancing {
                algorithm: Algorithm::First,
                retries: 1,
                redispatch: NonZeroI16::new(-1),
                ..Balancing::default()
            };
            let relay = narrow_relay(&plan);
            let first = relay.connect();
            let served = dead.accept();
            drop(dead);
            let client = said_before_it_is_accepted(&relay, first, "words");
            drop(served);
            let served = alive.accept();
            let port = client.local_addr().inet().port();
            let to = relay.address().port();
            served.expect(format!("PROXY TCP4 127.0.0.1 127.0.0.1 {port} {to}\r\nwords"));
            served.send("answer");
            client.expect("answer");
            client.half_close();
            served.expect_eof();
            served.close();
            client.expect_eof();
            let end = relay.ends(2).remove(1);
            assert_eq!((end.bytes_up, end.bytes_down), (5, 6));
            relay.expect_idle();
        });
    });
}
