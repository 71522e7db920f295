//! Namespaces that come, go and are replaced at random, under load: no connection to one that is there fails, each is answered by
//! the right one, and nothing is left.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod common;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{Relay, listener, listener_at, server};
use netns_core::{Netns, NetnsId, NetnsName, Registry};
use nsproxy_engine::{ListenerNetns, Plan, ServerPlan, UpstreamNetns};
use nsproxy_testkit::{Address, DEFAULT_DEADLINE, Listener, Peer, Rng, Service, eventually, world};

const NAMES: usize = 50;
const WEB: &str = "0.0.0.0:8080";
const HERE: &str = "127.0.0.1:8080";

/// How long it goes on; `NSPROXY_CHURN_SECONDS` says otherwise.
fn duration() -> Duration {
    let seconds = std::env::var("NSPROXY_CHURN_SECONDS").ok();
    Duration::from_secs(seconds.and_then(|text| text.parse().ok()).unwrap_or(5))
}

fn name(number: usize) -> NetnsName {
    format!("tenant-{number}").parse().unwrap()
}

/// A namespace that is there: a service in it says its number.
struct Tenant {
    netns: Netns,
    id: NetnsId,
    /// Ends when this is dropped.
    _service: Service,
}

impl Tenant {
    fn add(registry: &Registry, name: &NetnsName) -> Self {
        let netns = registry.add(name).unwrap();
        let id = netns.id().unwrap();
        let listener = netns_core::run(&netns, || {
            let mut links = netns_core::Links::here().unwrap();
            links.set_up("lo").unwrap();
            Listener::bind("127.0.0.1:9000")
        });
        Self {
            id,
            _service: Service::reply(listener.unwrap(), id.to_string()),
            netns,
        }
    }

    /// Somebody inside asks the relay, which has its server in the client's namespace.
    fn ask(&self) -> Vec<u8> {
        let client = netns_core::run(&self.netns, || Peer::connect(HERE)).unwrap();
        client.read_to_end(100)
    }
}

fn held() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn namespaces_that_churn_under_load_lose_no_connection_and_leave_nothing() {
    world("churn", |_| {
        let registry = Registry::system();
        let before = held();
        let to = ServerPlan {
            netns: UpstreamNetns::Client,
            ..server(&Address::Inet("127.0.0.1:9000".parse().unwrap()))
        };
        let mut plan = Plan::forward(listener(), to, None);
        let mut matching = listener_at(WEB);
        matching.netns = Some(ListenerNetns::Matching("tenant-*".parse().unwrap()));
        plan.relays[0].listeners = vec![matching];
        plan.relays[0].netns_removed_timeout = Duration::from_millis(50);
        plan.pools[0].netns_removed_timeout = Duration::from_millis(50);
        let relay = Relay::start(&plan);
        let mut rng = Rng::from_env();
        let tenants: Vec<_> = (0..NAMES).map(|_| RwLock::new(None::<Tenant>)).collect();
        let is_over = AtomicBool::new(false);
        let asked = AtomicU64::new(0);
        let (mut changes, mut slowest) = (0_u64, Duration::ZERO);
        thread::scope(|scope| {
            for seed in 0..3 {
                let (tenants, is_over, asked) = (&tenants, &is_over, &asked);
                let mut rng = Rng::new(rng.next_u64() ^ seed);
                scope.spawn(move || {
                    while !is_over.load(Ordering::Relaxed) {
                        let number = rng.between(0, tenants.len() - 1);
                        // While this one is looked at, it is not changed; all others may be.
                        if let Some(tenant) = &*tenants[number].read().unwrap() {
                            let reply = tenant.ask();
                            assert_eq!(String::from_utf8_lossy(&reply), tenant.id.to_string());
                            asked.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                let end = Instant::now() + duration();
                while Instant::now() < end {
                    let number = rng.between(0, tenants.len() - 1);
                    let name = name(number);
                    let mut tenant = tenants[number].write().unwrap();
                    if tenant.take().is_some() {
                        registry.remove(&name).unwrap();
                        changes += 1;
                    }
                    // Otherwise it is gone for a while.
                    if !rng.one_in(3) {
                        let new = Tenant::add(&registry, &name);
                        let since = Instant::now();
                        eventually(DEFAULT_DEADLINE, "the listener of a new namespace", || {
                            netns_core::run(&new.netns, || Peer::try_connect(HERE))
                                .unwrap()
                                .ok()
                        });
                        slowest = slowest.max(since.elapsed());
                        *tenant = Some(new);
                        changes += 1;
                    }
                }
            }));
            is_over.store(true, Ordering::Relaxed);
            if let Err(panic) = outcome {
                resume_unwind(panic);
            }
        });
        println!(
            "{changes} changes, the slowest listener was open after {slowest:?}, {} connections",
            asked.load(Ordering::Relaxed)
        );
        assert!(changes > 20 && asked.load(Ordering::Relaxed) > 100);
        for (number, tenant) in tenants.into_iter().enumerate() {
            if tenant.into_inner().unwrap().is_some() {
                registry.remove(&name(number)).unwrap();
            }
        }
        relay.eventually("the listeners to be closed", |stats| stats.listeners == 0);
        relay.expect_idle();
        assert_eq!(relay.handle.namespaces(), []);
        drop(relay);
        eventually(DEFAULT_DEADLINE, "as many descriptors as before", || {
            (held() == before).then_some(())
        });
    });
}
