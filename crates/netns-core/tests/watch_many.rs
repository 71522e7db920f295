//! A watch over a thousand names: each change is told, and costs as much as among few.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod util;

use std::time::{Duration, Instant};

use netns_core::{NetnsName, Registry, Watch, WatchEvent};
use nix::mount::{MntFlags, umount2};
use nix::time::{ClockId, clock_gettime};
use util::{in_private_namespaces, name};

const LIMIT: Duration = Duration::from_secs(30);

/// How many names there are; `NETNS_CORE_MANY` says otherwise, to measure.
fn many() -> usize {
    let number = std::env::var("NETNS_CORE_MANY").ok();
    number.and_then(|text| text.parse().ok()).unwrap_or(1000)
}

/// Names that are made while it is watched.
const CHANGES: usize = 100;

fn names(prefix: &str, count: usize) -> Vec<NetnsName> {
    (0..count)
        .map(|number| name(&format!("{prefix}{number}")))
        .collect()
}

/// CPU time of this thread, which another one's work does not add to.
fn cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
}

/// Waits for this event, and says what it has cost to hear of it. Others may come before.
fn wait_for(watch: &mut Watch, is_it: impl Fn(&WatchEvent) -> bool) -> Duration {
    let before = cpu();
    let deadline = Instant::now() + LIMIT;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "it is not told within {LIMIT:?}");
        if watch.wait(Some(left)).unwrap().iter().any(&is_it) {
            return cpu().saturating_sub(before);
        }
    }
}

/// Adds names one by one and removes them again, each change told before the next, and says what one has cost, and how long the
/// slowest one has taken.
fn follow(registry: &Registry, watch: &mut Watch) -> (Duration, Duration) {
    let (mut cost, mut slowest) = (Duration::ZERO, Duration::ZERO);
    for name in &names("change", CHANGES) {
        registry.add(name).unwrap();
        let since = Instant::now();
        cost += wait_for(
            watch,
            |event| matches!(event, WatchEvent::Ready { name: ready, .. } if ready == name),
        );
        slowest = slowest.max(since.elapsed());
        registry.remove(name).unwrap();
        let since = Instant::now();
        cost += wait_for(
            watch,
            |event| matches!(event, WatchEvent::Removed { name: removed } if removed == name),
        );
        slowest = slowest.max(since.elapsed());
    }
    (cost / u32::try_from(2 * CHANGES).unwrap(), slowest)
}

#[test]
fn a_change_among_a_thousand_names_costs_as_much_as_among_few() {
    in_private_namespaces(|| {
        let registry = Registry::system();
        let mut watch = registry.watch().unwrap();
        let (alone, slowest_alone) = follow(&registry, &mut watch);
        let count = many();
        for outcome in registry.add_each(&names("many", count)) {
            outcome.unwrap();
        }
        let last = name(&format!("many{}", count - 1));
        wait_for(
            &mut watch,
            |event| matches!(event, WatchEvent::Ready { name, .. } if *name == last),
        );
        let (among, slowest_among) = follow(&registry, &mut watch);
        println!(
            "{among:?} of CPU time a change among {count}, at most {slowest_among:?} until it is told; among none {alone:?} and \
             {slowest_alone:?}"
        );
        // A look at all of them, for each change, is fifty times as much.
        assert!(
            among < alone * 10 + Duration::from_micros(500),
            "{among:?}, and {alone:?} among none"
        );
        assert_eq!(watch.known().filter(|(_, id)| id.is_some()).count(), count);
    });
}

#[test]
fn what_nothing_is_heard_of_is_seen_when_all_are_looked_at() {
    in_private_namespaces(|| {
        let registry = Registry::system();
        for outcome in registry.add_each(&names("many", 300)) {
            outcome.unwrap();
        }
        let mut watch = registry.watch().unwrap();
        // The name stays, and the kernel does not say of which one a mount has gone.
        umount2("/run/netns/many7", MntFlags::MNT_DETACH).unwrap();
        wait_for(
            &mut watch,
            |event| matches!(event, WatchEvent::Unmounted { name } if name.to_string() == "many7"),
        );
        assert_eq!(watch.find(&name("many7")), None);
        // And then it is quiet.
        assert_eq!(watch.wait(Some(Duration::from_millis(100))).unwrap(), []);
    });
}
