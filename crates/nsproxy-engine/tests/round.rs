//! Whether workers still turn to what there is to do.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{A_WHILE, plan, settings};
use nsproxy_engine::{Engine, InProcess, Observer, SessionSummary};
use nsproxy_testkit::{DEFAULT_DEADLINE, Listener, Peer, Service, eventually};

/// Holds the worker of a session that ends for as long as somebody has the lock; and knows that it does.
#[derive(Debug, Default)]
struct Holding {
    lock: Mutex<()>,
    holds: Mutex<bool>,
}

impl Observer for Holding {
    fn session_ended(&self, _: &SessionSummary<'_>) {
        *self.holds.lock().unwrap() = true;
        drop(self.lock.lock().unwrap());
    }
}

#[test]
fn a_worker_that_is_stuck_does_not_come_round() {
    let service = Service::reply(Listener::bind("127.0.0.1:0"), "x");
    let holding = Arc::<Holding>::default();
    let observer = Arc::clone(&holding) as Arc<dyn Observer>;
    let engine = Engine::start(&settings(3), Arc::new(InProcess), observer).unwrap();
    let handle = engine.handle();
    let status = handle.apply(&plan(service.address())).unwrap().remove(0);
    assert!(handle.comes_round(DEFAULT_DEADLINE));
    let held = holding.lock.lock().unwrap();
    let address: std::net::SocketAddr = status.address.to_string().parse().unwrap();
    let client = Peer::connect(address);
    client.expect("x");
    client.half_close();
    eventually(DEFAULT_DEADLINE, "the end of the session", || {
        holding.holds.lock().unwrap().then_some(())
    });
    assert!(!handle.comes_round(A_WHILE));
    drop(held);
    assert!(handle.comes_round(DEFAULT_DEADLINE));
    handle.drain(Duration::ZERO);
    engine.wait().unwrap();
    // Nobody is left who could be stuck.
    assert!(handle.comes_round(A_WHILE));
}
