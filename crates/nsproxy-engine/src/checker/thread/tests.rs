//! What the thread makes of a plan, without running it: the moments between two messages.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::mpsc::channel;
use std::time::Instant;

use super::*;
use crate::core::balance::Down;
use crate::core::health::{Connect, Destination, OnError, Rules, Script};
use crate::inbox::Mailboxes;
use crate::observer::Silent;
use crate::opener::InProcess;
use crate::plan::{CheckPlan, Endpoint, HealthPlan, HealthSource, ListenerPlan, Plan, PoolPlan};
use crate::plan::{ServerPlan, Target, UpstreamNetns};
use crate::pool::Pool;
use crate::server::Server;
use crate::servers::ServerRegistry;

fn address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 1))
}

fn thread() -> CheckerThread {
    let (_messages, received) = channel();
    let poll = Poll::new().unwrap();
    let nobody = Arc::new(Mailboxes::new([]));
    CheckerThread::new(poll, received, &InProcess, Arc::new(Silent), nobody).unwrap()
}

fn checked() -> HealthSource {
    let connect = Connect::new(Destination::At(Endpoint::Ip(address())));
    let seldom = Rules {
        rise: NonZeroU32::MIN,
        fall: NonZeroU32::MIN,
        interval: Span::from_millis(60_000).unwrap(),
        fast_interval: None,
        down_interval: None,
        on_error: OnError::FailCheck,
    };
    HealthSource::Checked(Box::new(CheckPlan::new(Script::connect(connect), seldom)))
}

fn tracks(server: &str) -> HealthSource {
    HealthSource::Tracked {
        pool: "forward".to_owned(),
        server: server.to_owned(),
    }
}

fn pools(servers: impl IntoIterator<Item = (String, HealthSource)>) -> Vec<PoolPlan> {
    let server = |(name, source)| ServerPlan {
        source: None,
        name,
        target: Target::Ip {
            address: address().ip(),
            port: Some(address().port()),
        },
        netns: UpstreamNetns::Default,
        send_header: None,
        share: crate::core::balance::Share::default(),
        health: HealthPlan {
            source,
            ..HealthPlan::default()
        },
    };
    let servers: Vec<_> = servers.into_iter().map(server).collect();
    let mut plan = Plan::forward(
        ListenerPlan::at(Endpoint::Ip(address())),
        servers[0].clone(),
        None,
    );
    plan.pools[0].servers = servers;
    plan.pools
}

fn named(name: &str, source: HealthSource) -> (String, HealthSource) {
    (name.to_owned(), source)
}

/// What [`Handle::apply`](crate::Handle::apply) does of a plan; the thread has not heard of it yet.
fn apply(registry: &mut ServerRegistry, plans: &[PoolPlan]) -> (Arc<Pool>, Vec<Watched>) {
    let pools = registry.adopt(plans, None, &mut Vec::new());
    let watched = ServerRegistry::watched(plans, &pools);
    (Arc::clone(&pools[0]), watched)
}

/// A thread that checks `a`, which `b` tracks.
fn tracking() -> (CheckerThread, ServerRegistry) {
    let (mut thread, mut registry) = (thread(), ServerRegistry::new(Clock::start(), 1));
    let (_, watched) = apply(
        &mut registry,
        &pools([named("a", checked()), named("b", tracks("a"))]),
    );
    thread.adopt(watched, Spread::default());
    (thread, registry)
}

/// The check of the server in this slot fails.
fn fail(thread: &mut CheckerThread, slot: usize) {
    let report = CheckReport {
        result: CheckResult::Layer4Failed,
        info: String::new(),
        duration: None,
    };
    thread.finish(slot, Some(&report));
}

fn down(server: &Server) -> Down {
    server.load.down()
}

#[test]
fn a_server_that_is_not_checked_any_more_is_up_whatever_was_found_in_between() {
    let (mut thread, mut registry) = tracking();
    let (pool, watched) = apply(
        &mut registry,
        &pools([
            named("a", HealthSource::Assumed),
            named("b", HealthSource::Assumed),
        ]),
    );
    fail(&mut thread, 0);
    assert_eq!(down(&pool.servers()[0]), Down::UNHEALTHY);
    thread.adopt(watched, Spread::default());
    assert_eq!(down(&pool.servers()[0]), Down::empty());
    assert_eq!(down(&pool.servers()[1]), Down::empty());
    assert!(thread.checked.is_empty());
}

#[test]
fn a_server_that_tracks_none_any_more_is_up_and_the_one_that_it_tracked_is_down() {
    let (mut thread, mut registry) = tracking();
    let (pool, watched) = apply(
        &mut registry,
        &pools([named("a", checked()), named("b", HealthSource::Assumed)]),
    );
    fail(&mut thread, 0);
    thread.adopt(watched, Spread::default());
    assert_eq!(down(&pool.servers()[0]), Down::UNHEALTHY);
    assert_eq!(down(&pool.servers()[1]), Down::empty());
}

#[test]
fn a_server_that_tracks_another_one_goes_by_that() {
    let (mut thread, mut registry) = (thread(), ServerRegistry::new(Clock::start(), 1));
    let plan = |tracked| {
        pools([
            named("a", checked()),
            named("b", checked()),
            named("c", tracks(tracked)),
        ])
    };
    let (_, watched) = apply(&mut registry, &plan("a"));
    thread.adopt(watched, Spread::default());
    let (pool, watched) = apply(&mut registry, &plan("b"));
    fail(&mut thread, 0);
    assert_eq!(down(&pool.servers()[2]), Down::UNHEALTHY);
    thread.adopt(watched, Spread::default());
    assert_eq!(down(&pool.servers()[0]), Down::UNHEALTHY);
    assert_eq!(down(&pool.servers()[2]), Down::empty());
}

#[test]
fn many_servers_are_adopted_again_in_proportion_to_them() {
    const SERVERS: usize = 20_000;
    let (mut thread, mut registry) = (thread(), ServerRegistry::new(Clock::start(), 1));
    let plans = pools((0..SERVERS).map(|number| (number.to_string(), checked())));
    let mut adopt = || {
        let (_, watched) = apply(&mut registry, &plans);
        let begun = Instant::now();
        thread.adopt(watched, Spread::default());
        begun.elapsed()
    };
    let took = adopt() + adopt();
    assert_eq!(thread.checked.len(), SERVERS);
    assert!(took < Duration::from_secs(5), "{took:?}");
}
