//! Connections are spread evenly over the workers, also when they are few and stay.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod common;

use std::sync::Arc;

use common::{Relay, listener, server, settings};
use nsproxy_engine::{InProcess, Plan};
use nsproxy_testkit::{Listener, Service};

#[test]
fn connections_that_stay_are_spread_over_the_workers() {
    let echo = Service::echo(Listener::bind("127.0.0.1:0"));
    let plan = Plan::forward(listener(), server(echo.address()), None);
    let relay = Relay::start_with(&settings(4), Arc::new(InProcess), &plan);
    let mut clients = Vec::new();
    for count in 1..=40 {
        let client = relay.connect();
        client.send("here");
        client.expect("here");
        clients.push(client);
        let loads = relay.handle.sessions_by_worker();
        let (most, fewest) = (loads.iter().max().unwrap(), loads.iter().min().unwrap());
        assert_eq!(loads.iter().sum::<usize>(), count);
        assert!(*most <= fewest + 2 + fewest / 4, "{loads:?}");
    }
}
