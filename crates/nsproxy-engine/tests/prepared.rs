//! Listeners that are opened before the engine starts.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod common;

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::{io, thread};

use common::{Relay, in_netns, listener, plan, settings, unix_listener};
use nsproxy_engine::{ApplyError, InProcess, OpenerFactory, PrepareError, Prepared, SocketOpener};
use nsproxy_testkit::{Address, DEFAULT_DEADLINE, Listener, Peer, Service, eventually, world};

/// Knows which threads have asked for an opener.
#[derive(Debug, Default)]
struct Threads(Mutex<Vec<thread::ThreadId>>);

impl OpenerFactory for Threads {
    fn opener(&self, stock: usize) -> io::Result<Box<dyn SocketOpener>> {
        self.0.lock().unwrap().push(thread::current().id());
        InProcess.opener(stock)
    }
}

#[test]
fn the_engine_uses_the_listeners_that_were_opened_before_it_started() {
    world("prepared", |w| {
        let echo = Service::echo(Listener::bind("127.0.0.1:0"));
        w.add_netns("blue");
        let mut plan = plan(echo.address());
        let elsewhere = in_netns("blue", listener());
        let path = w.path("prepared.sock");
        plan.relays[0]
            .listeners
            .extend([listener(), elsewhere, unix_listener(&path)]);
        let threads = Arc::<Threads>::default();
        let prepared = Prepared::open(&plan, Arc::clone(&threads) as Arc<dyn OpenerFactory>).unwrap();
        assert_eq!(*threads.0.lock().unwrap(), [thread::current().id()]);
        assert!(path.exists());
        // Whatever would have to be opened now could not be.
        w.remove_netns("blue");
        let relay = Relay::start_with(&settings(2), Arc::new(prepared), &plan);
        assert_eq!(relay.listeners.len(), 4);
        for client in [
            Peer::connect(relay.address_of(0)),
            Peer::connect(relay.address_of(1)),
            Peer::connect(Address::Unix(path)),
        ] {
            client.send("x");
            client.expect("x");
        }
        // Another plan opens its own.
        plan.relays[0].listeners.push(listener());
        plan.relays[0].listeners.remove(2);
        let listeners = relay.handle.apply(&plan).unwrap();
        let kept: Vec<_> = listeners.iter().map(|listener| listener.kept).collect();
        assert_eq!(kept, [true, true, true, false]);
    });
}

#[test]
fn when_one_listener_fails_none_is_left_open() {
    world("prepared-fails", |w| {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let path = w.path("prepared.sock");
        let mut plan = plan(&Address::Inet("127.0.0.1:1".parse().unwrap()));
        plan.relays[0].listeners = vec![
            unix_listener(&path),
            common::listener_at(&taken.local_addr().unwrap().to_string()),
        ];
        let error = Prepared::open(&plan, Arc::new(InProcess)).unwrap_err();
        assert!(
            matches!(error, PrepareError::Apply(ApplyError::Listen { .. })),
            "{error}"
        );
        assert!(
            common::whole(&error).contains("in use"),
            "{}",
            common::whole(&error)
        );
        assert!(!path.exists());
    });
}

#[test]
fn the_file_of_a_listener_that_no_engine_has_asked_for_goes_with_it() {
    world("prepared-unused", |w| {
        let path = w.path("prepared.sock");
        let mut plan = plan(&Address::Inet("127.0.0.1:1".parse().unwrap()));
        plan.relays[0].listeners = vec![unix_listener(&path)];
        let prepared = Prepared::open(&plan, Arc::new(InProcess)).unwrap();
        assert!(path.exists());
        drop(prepared);
        assert!(!path.exists());
        // Nor does it outlive an engine that was given another plan.
        let prepared = Prepared::open(&plan, Arc::new(InProcess)).unwrap();
        plan.relays[0].listeners = vec![listener()];
        let relay = Relay::start_with(&settings(1), Arc::new(prepared), &plan);
        assert!(path.exists());
        drop(relay);
        eventually(DEFAULT_DEADLINE, "the file to go", || {
            (!path.exists()).then_some(())
        });
    });
}
