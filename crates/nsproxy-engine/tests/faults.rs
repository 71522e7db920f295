//! What goes wrong in the engine itself, or around it, and what becomes of sessions then.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod common;

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{A_WHILE, Relay, plan, settings};
use nix::sys::resource::{Resource, getrlimit};
use nsproxy_engine::{Engine, InProcess, Observer, SessionSummary, Settings, WaitError};
use nsproxy_testkit::{Listener, Peer, Service, pattern};

/// Panics at the end of a session, on the worker that had it, once it is told to.
#[derive(Debug, Default)]
struct Bug(AtomicBool);

impl Observer for Bug {
    fn session_ended(&self, _: &SessionSummary<'_>) {
        assert!(
            !self.0.swap(false, Ordering::SeqCst),
            "a bug, for the purpose of this test"
        );
    }
}

#[test]
fn a_worker_that_panics_ends_the_engine_and_the_sessions_of_all_others() {
    let echo = Service::echo(Listener::bind("127.0.0.1:0"));
    let bug = Arc::<Bug>::default();
    let observer = Arc::clone(&bug) as Arc<dyn Observer>;
    let engine = Engine::start(&settings(3), Arc::new(InProcess), observer).unwrap();
    let handle = engine.handle();
    let status = handle.apply(&plan(echo.address())).unwrap().remove(0);
    let address: std::net::SocketAddr = status.address.to_string().parse().unwrap();
    let clients: Vec<_> = (0..9).map(|_| Peer::connect(address)).collect();
    for client in &clients {
        client.send("here");
        client.expect("here");
    }
    assert!(handle.sessions_by_worker().iter().all(|sessions| *sessions > 0));
    bug.0.store(true, Ordering::SeqCst);
    clients[0].half_close();
    assert!(matches!(engine.wait(), Err(WaitError::Panicked { .. })));
    for client in &clients[1..] {
        client.expect_closed();
    }
    handle.stop();
    let error = Peer::try_connect(address).expect_err("nobody was to listen any more");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert!(handle.comes_round(A_WHILE), "nobody is left to be waited for");
}

#[test]
fn without_a_pipe_large_transfers_go_on_by_copying_and_that_is_counted() {
    let source = Service::source(Listener::bind("127.0.0.1:0"), 7, 8 << 20);
    // So many sessions that no descriptor is left for a pipe.
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let settings = Settings {
        max_sessions: usize::try_from((limit - 256) / 2).ok(),
        ..settings(1)
    };
    let relay = Relay::start_with(&settings, Arc::new(InProcess), &plan(source.address()));
    let client = relay.connect();
    client.half_close();
    assert!(client.read_to_end(8 << 20) == pattern(7, 8 << 20));
    relay.eventually("the flow without a pipe", |stats| stats.pipes_denied >= 1);
    assert_eq!(relay.stats().pipes_in_use, 0);
}
