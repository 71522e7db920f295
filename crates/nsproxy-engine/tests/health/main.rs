//! Health checks: who is checked, what a result changes, and who hears of it.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod checks;
#[path = "../common/mod.rs"]
mod common;
mod pulse;
mod sessions;
mod verdicts;

use std::net::SocketAddr;
use std::num::NonZeroU32;

use common::checks::{checked_by, connect, often};
use common::{LOOPBACK, Relay, named, plan_of};
use nsproxy_engine::{Balancing, CheckPlan, HealthPlan, HealthStatus, Rules, Script, ServerPlan};
use nsproxy_testkit::{Address, DEFAULT_DEADLINE, Listener, Service, eventually};

/// Two results decide, and the observer hears of them.
fn check(script: Script) -> CheckPlan {
    let two = NonZeroU32::new(2).unwrap();
    let rules = Rules {
        rise: two,
        fall: two,
        ..often()
    };
    CheckPlan {
        reports: true,
        ..CheckPlan::new(script, rules)
    }
}

/// By connections to this address.
fn checked(to: SocketAddr) -> HealthPlan {
    checked_by(check(Script::connect(connect(to))))
}

fn with_health(name: &str, to: &Address, health: HealthPlan) -> ServerPlan {
    ServerPlan {
        health,
        ..named(name, to)
    }
}

fn relay_of(servers: Vec<ServerPlan>) -> Relay {
    Relay::start(&plan_of(servers, Balancing::default()))
}

fn health(relay: &Relay, name: &str) -> Option<HealthStatus> {
    relay.server(name).health
}

/// Waits until a server is on this side, as a check has found.
#[track_caller]
fn wait_for(relay: &Relay, name: &str, is_up: bool) -> HealthStatus {
    eventually(DEFAULT_DEADLINE, "a server on the other side", || {
        health(relay, name).filter(|health| health.is_up == is_up && health.last.is_some())
    })
}

fn service(name: &'static str) -> Service {
    Service::reply(Listener::bind(LOOPBACK), name)
}
