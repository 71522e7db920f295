//! What a session uses is given back. Alone in its program, since it counts the descriptors of the whole process.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod common;

use std::fs;

use common::relay_to;
use nsproxy_testkit::{DEFAULT_DEADLINE, Listener, Peer, Service, eventually, pattern};

const ABORTED: usize = 3_000;
/// Open at the same time.
const BATCH: usize = 30;

fn open_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn thousands_of_aborted_connections_leave_nothing_behind() {
    let echo = Service::echo(Listener::bind("127.0.0.1:0"));
    let relay = relay_to(echo.address());
    let before = eventually(DEFAULT_DEADLINE, "a quiet start", || Some(open_descriptors()));
    for batch in 0..ABORTED / BATCH {
        let clients: Vec<_> = (0..BATCH).map(|_| relay.connect()).collect();
        for (index, client) in clients.iter().enumerate() {
            // Some before the first byte, some with bytes on the way, some in the middle of an exchange.
            match (batch + index) % 3 {
                0 => {}
                1 => client.send(pattern(1, 100 * index)),
                _ => {
                    client.send("x");
                    client.expect("x");
                }
            }
        }
        clients.into_iter().for_each(Peer::reset);
    }
    relay.ends(ABORTED);
    relay.expect_idle();
    eventually(DEFAULT_DEADLINE, "the descriptors to be as before", || {
        (open_descriptors() <= before).then_some(())
    });
    assert_eq!(relay.stats().accepted, ABORTED as u64);
}
