//! Unix sockets on either side, and their files.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod common;

use std::fs;
use std::os::unix::net::UnixListener;
use std::thread;

use common::{LOOPBACK, Relay, plan, server, unix_listener};
use nsproxy_engine::{ApplyError, CloseReason, Engine, HeaderPlan, InProcess, Plan, ServerPlan, Silent};
use nsproxy_testkit::{Listener, Peer, Service, pattern};

#[test]
fn bytes_pass_from_a_unix_listener_to_a_unix_server() {
    let directory = tempfile::tempdir().unwrap();
    let origin = Listener::bind(directory.path().join("server"));
    let path = directory.path().join("listener");
    let relay = Relay::start(&Plan::forward(
        unix_listener(&path),
        server(origin.address()),
        None,
    ));
    let client = Peer::connect(&path);
    let server = origin.accept();
    thread::scope(|scope| {
        let sent = scope.spawn(|| {
            let sent = client.send_pattern(1, 32 << 20);
            client.half_close();
            sent
        });
        assert_eq!(server.tally_to_end(), sent.join().unwrap());
    });
    thread::scope(|scope| {
        scope.spawn(|| {
            server.send(pattern(2, 1_000_000));
            server.half_close();
        });
        assert!(client.read_to_end(1_000_000) == pattern(2, 1_000_000));
    });
    let end = relay.end();
    assert_eq!(
        (end.reason, end.client, end.upstream),
        (CloseReason::Finished, None, None)
    );
    relay.expect_idle();
}

#[test]
fn a_client_without_an_address_is_announced_as_unknown() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("listener");
    let origin = Listener::bind(LOOPBACK);
    let to = ServerPlan {
        send_header: Some(HeaderPlan::V1),
        ..server(origin.address())
    };
    let _relay = Relay::start(&Plan::forward(unix_listener(&path), to, None));
    let _client = Peer::connect(&path);
    origin.accept().expect("PROXY UNKNOWN\r\n");
}

#[test]
fn a_client_of_a_unix_socket_has_no_destination_to_follow() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("listener");
    let origin = Listener::bind(LOOPBACK);
    let target = nsproxy_engine::Target::ClientDestination { port: None };
    let to = ServerPlan {
        target,
        ..server(origin.address())
    };
    let relay = Relay::start(&Plan::forward(unix_listener(&path), to, None));
    Peer::connect(&path).expect_closed();
    assert_eq!(relay.end().reason, CloseReason::NoDestination);
}

#[test]
fn a_stale_socket_file_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("listener");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let echo = Service::echo(Listener::bind(LOOPBACK));
    let _relay = Relay::start(&Plan::forward(unix_listener(&path), server(echo.address()), None));
    let client = Peer::connect(&path);
    client.send("x");
    client.expect("x");
}

#[test]
fn a_socket_that_somebody_listens_on_is_not_stolen() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("listener");
    let theirs = Service::reply(Listener::bind(&path), "theirs");
    let engine = Engine::start(
        &common::settings(1),
        std::sync::Arc::new(InProcess),
        std::sync::Arc::new(Silent),
    );
    let handle = engine.as_ref().unwrap().handle();
    let refused = handle.apply(&Plan::forward(
        unix_listener(&path),
        server(theirs.address()),
        None,
    ));
    assert!(matches!(refused, Err(ApplyError::Listen { .. })));
    let client = Peer::connect(&path);
    client.expect("theirs");
    client.expect_eof();
}

#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("listener");
    fs::write(&path, "precious").unwrap();
    let echo = Service::echo(Listener::bind(LOOPBACK));
    let relay = common::relay_to(echo.address());
    let refused = relay
        .handle
        .apply(&Plan::forward(unix_listener(&path), server(echo.address()), None));
    assert!(matches!(refused, Err(ApplyError::Listen { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[test]
fn the_socket_file_goes_with_the_listener() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("listener");
    let echo = Service::echo(Listener::bind(LOOPBACK));
    let with_unix = Plan::forward(unix_listener(&path), server(echo.address()), None);
    let relay = Relay::start(&with_unix);
    assert!(path.exists());
    relay.handle.apply(&plan(echo.address())).unwrap();
    nsproxy_testkit::eventually(nsproxy_testkit::DEFAULT_DEADLINE, "the file to go", || {
        (!path.exists()).then_some(())
    });
    relay.handle.apply(&with_unix).unwrap();
    assert!(path.exists());
    relay.handle.stop();
    relay.engine.wait().unwrap();
    assert!(!path.exists());
}
