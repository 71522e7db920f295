//! The order of a run: a stretch with upgrades, then stretches without, each with everything else at once; and after each, a
//! look at nsproxy at rest.
//!
//! The process that the last upgrade has left behind is compared with itself: at the end of the first stretch without upgrades,
//! when it has everything that it keeps, and at the end of the last one.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, ensure};
use nsproxy_testkit::{Netns, Peer, Rng, Service, World, world};

use crate::activity::{Activity, attempt, go_on};
use crate::churn::{Churn, Slowest, header};
use crate::exchange::{Order, exchange, serve};
use crate::log::Target;
use crate::proxy::{ECHO, FAR, HEADERS, INSIDE, NEAR, OTHER_SERVER, Proxy, SERVER};
use crate::reading::Reading;
use crate::staying::Staying;
use crate::{operate, vanish};

/// Parts of a run. The first one is that with upgrades.
const STRETCHES: u32 = 6;
/// Of each kind, at the same time.
const EXCHANGERS: usize = 3;
const CHURNERS: u64 = 2;

/// What was done.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    sessions: AtomicU64,
    bytes: AtomicU64,
    vanished: AtomicU64,
    pub(crate) namespaces: AtomicU64,
    pub(crate) slowest: Slowest,
    pub(crate) reloads: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) upgrades: AtomicU64,
}

impl Figures {
    /// A session has been what it should have been.
    pub(crate) fn exchanged(&self, order: &Order) {
        self.sessions.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(order.bytes(), Ordering::Relaxed);
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let get = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        write!(
            f,
            "{} sessions with {} MiB compared in both directions, {} clients who left, {} namespaces that came and went (slowest \
             listener after {:?}), {} reloads, {} reloads refused, {} upgrades",
            get(&self.sessions),
            get(&self.bytes) >> 20,
            get(&self.vanished),
            get(&self.namespaces),
            self.slowest.get(),
            get(&self.reloads),
            get(&self.refused),
            get(&self.upgrades),
        )
    }
}

/// Runs for so many minutes.
///
/// # Errors
///
/// What went wrong, in a sentence.
pub(crate) fn run(nsproxy: &Path, minutes: u32) -> anyhow::Result<()> {
    let mut outcome = None;
    let checked = attempt(|| world("soak", |w| outcome = Some(in_world(w, nsproxy, minutes))));
    outcome.unwrap_or_else(|| Err(anyhow!("there is no world to run in")))?;
    // Also what is left of the world.
    checked
}

fn in_world(w: &World, nsproxy: &Path, minutes: u32) -> anyhow::Result<()> {
    let mut rng = Rng::from_env();
    println!(
        "seed {:#x}: NSPROXY_SEED repeats it, as far as time lets it",
        rng.seed()
    );
    let far = w.add_netns("far");
    let log = Target::start(w).context("cannot receive the log")?;
    let services = [
        serve(w.home().listen(SERVER), "home".to_owned()),
        serve(w.home().listen(OTHER_SERVER), "home".to_owned()),
        serve(far.listen(SERVER), "far".to_owned()),
        Service::echo(w.home().listen(ECHO)),
    ];
    let figures = Figures::default();
    let mut proxy = attempt(|| Proxy::start(w, nsproxy)).context("nsproxy does not start")?;
    let outcome = stretches(w, &far, &mut proxy, (&mut rng, &figures), minutes);
    println!("{figures}");
    let said = match outcome {
        Ok(()) => attempt(|| proxy.end()).context("nsproxy does not end well"),
        Err(error) => {
            eprintln!("--- the last words of nsproxy:\n{}\n---", proxy.last_words());
            drop(proxy);
            Err(error)
        }
    };
    // A server that is in the middle of something ends when it finds its client gone.
    let served = attempt(|| drop(services)).context("a server has failed");
    let logged = log.end();
    let said = said?;
    served?;
    let mut endings = String::new();
    for (letters, count) in &logged.endings {
        let _ = write!(endings, " {count} {letters},");
    }
    println!(
        "sessions in the log by how they ended:{endings} {} lines dropped",
        logged.dropped
    );
    let complaints = [
        "panicked",
        "netns-unknown",
        "netns-unwatched",
        "accept-failed",
        "check-prevented",
    ];
    for line in said.lines() {
        ensure!(
            !complaints.iter().any(|word| line.contains(word)),
            "nsproxy complains: {line}"
        );
    }
    println!("nothing is lost, and nothing is left");
    Ok(())
}

/// All of them, with a reading after each.
fn stretches(
    w: &World,
    far: &Netns,
    proxy: &mut Proxy<'_>,
    (rng, figures): (&mut Rng, &Figures),
    minutes: u32,
) -> anyhow::Result<()> {
    let length = Duration::from_secs(60) * minutes / STRETCHES;
    let mut first = None;
    for stretch in 0..STRETCHES {
        let with_upgrades = stretch == 0;
        one_stretch(w, far, proxy, (rng, figures), (length, with_upgrades))?;
        let stock = attempt(|| {
            proxy.await_retired();
            // As it was in the readings before.
            proxy.reload(0);
            proxy.rest()
        })?;
        let reading = Reading::settled(proxy.pid(), stock)?;
        println!("after stretch {} of {STRETCHES}: {reading}", stretch + 1);
        if !with_upgrades {
            reading.compare(first.get_or_insert_with(|| reading.clone()))?;
        }
        let left = w.home().ip("netns list");
        ensure!(left.trim() == "far", "namespaces are left: {left}");
    }
    Ok(())
}

/// Everything at once, for this long.
fn one_stretch(
    w: &World,
    far: &Netns,
    proxy: &mut Proxy<'_>,
    (rng, figures): (&mut Rng, &Figures),
    (length, with_upgrades): (Duration, bool),
) -> anyhow::Result<()> {
    let mut seed = || Rng::new(rng.next_u64());
    let staying = attempt(Staying::begin)?;
    let mut churners: Vec<_> = (0..CHURNERS)
        .map(|number| Churn::new(w, number, seed(), figures))
        .collect();
    let mut activities = Vec::new();
    for _ in 0..EXCHANGERS {
        let mut rng = seed();
        activities.push(Activity::new("relaying", move || {
            relay_one(far, &mut rng, figures);
        }));
    }
    for churn in &mut churners {
        activities.push(Activity::new("namespaces", move || churn.round()));
    }
    let mut its_rng = seed();
    activities.push(Activity::new("vanishing", move || {
        vanish::one(far, &mut its_rng);
        figures.vanished.fetch_add(1, Ordering::Relaxed);
    }));
    let (mut its_rng, those) = (seed(), &staying);
    activities.push(Activity::new("staying", move || those.round(&mut its_rng)));
    let mut round = 0;
    activities.push(Activity::new("operating", move || {
        operate::next(proxy, round, with_upgrades, figures);
        round += 1;
    }));
    go_on(activities, Instant::now() + length)?;
    attempt(|| {
        staying.end();
        churners.iter_mut().for_each(Churn::await_death);
    })
}

/// A session by one of the relays whose servers stay.
fn relay_one(far: &Netns, rng: &mut Rng, figures: &Figures) {
    let order = Order::any(rng);
    let (peer, name) = match rng.between(0, 3) {
        0 => (Peer::connect(NEAR), "home"),
        1 => (Peer::connect(FAR), "far"),
        2 => (far.connect(INSIDE), "home"),
        _ => {
            let peer = Peer::connect(HEADERS);
            peer.send(header("far"));
            (peer, "far")
        }
    };
    exchange(&peer, &order, name);
    figures.exchanged(&order);
}
