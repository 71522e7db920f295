//! Clients that come, go and stay while something happens to nsproxy.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use nsproxy_testkit::{DEFAULT_DEADLINE, Netns, Peer, eventually};

/// Clients that come and go at a time.
const CLIENTS: usize = 16;
/// Clients that stay.
const STAYING: usize = 50;

/// Has something happen so many times under load, at an address where somebody echoes. Every client is served, and those that
/// stay are served to the end.
#[track_caller]
pub(crate) fn under_load(netns: &Netns, address: &str, times: usize, mut happen: impl FnMut(usize)) {
    let staying: Vec<_> = (0..STAYING).map(|_| netns.connect(address)).collect();
    let (until, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        // Also when this fails: else it would wait for the clients for ever.
        let enough = Enough(&until);
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| scope.spawn(|| storm(netns, address, &until, &done)))
            .collect();
        for time in 0..times {
            happen(time);
            for client in &staying {
                client.send("still");
                client.expect("still");
            }
            // Load between two of them, however slow this machine is.
            let before = done.load(Ordering::Relaxed);
            eventually(DEFAULT_DEADLINE, "connections in between", || {
                (done.load(Ordering::Relaxed) > before + 2 * CLIENTS).then_some(())
            });
        }
        drop(enough);
        for client in clients {
            client.join().unwrap();
        }
    });
    for client in staying {
        client.half_close();
        client.expect_eof();
    }
}

/// Ends the clients that come and go when it is dropped.
struct Enough<'a>(&'a AtomicBool);

impl Drop for Enough<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Clients that connect to an echo, ask, and leave, one after the other. `done` counts them.
fn storm(netns: &Netns, address: &str, until: &AtomicBool, done: &AtomicUsize) {
    netns.run(|| {
        while !until.load(Ordering::Relaxed) {
            let client = Peer::connect(address);
            client.send("ping");
            client.expect("ping");
            client.half_close();
            client.expect_eof();
            done.fetch_add(1, Ordering::Relaxed);
        }
    });
}
