//! One server of a plan.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::checker::Reporter;
use crate::clock::Clock;
use crate::core::balance::{Admin, Down, Load, Share, Standing};
use crate::core::moment::Moment;
use crate::health::{Health, Witness};
use crate::plan::{HeaderPlan, HealthSource, NetnsRef, ServerPlan, SourcePlan, Target, UpstreamNetns};
use crate::pool::reasons;
use crate::source_ports::SourcePorts;
use crate::tally::ServerTally;
use crate::whereabouts::{Moved, Whereabouts};

/// A server of one plan, with the load that it shares with those of other plans.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) name: String,
    /// As it is configured.
    pub(crate) target: Target,
    /// What an administrator has said since.
    pub(crate) moved: Arc<Moved>,
    pub(crate) netns: ServerNetns,
    pub(crate) source: Option<SourcePlan>,
    /// Those that are free of [`SourceAddress::Ports`](crate::plan::SourceAddress::Ports).
    pub(crate) source_ports: Option<Arc<SourcePorts>>,
    pub(crate) send_header: Option<HeaderPlan>,
    /// As it is configured.
    pub(crate) share: Share,
    /// What counted when its pool was set up; the pool knows what counts now.
    weight: u16,
    pub(crate) load: Arc<Load>,
    pub(crate) tally: Arc<ServerTally>,
    /// Where the host is that [`Target::Host`] names.
    pub(crate) whereabouts: Option<Arc<Whereabouts>>,
    /// `None`: it counts as up.
    pub(crate) witness: Option<Witness>,
    /// The pool and the name of the server whose health it has.
    pub(crate) tracked: Option<(String, String)>,
    /// Whether its sessions end when it goes down.
    pub(crate) ends_sessions: bool,
    /// Whether those of the backups end when it comes up.
    pub(crate) ends_backup_sessions: bool,
}

/// [`UpstreamNetns`], ready to be shared with each request.
#[derive(Debug, PartialEq)]
pub(crate) enum ServerNetns {
    /// This one; `None` is the default one.
    Fixed(NetnsRef),
    /// The client connection's.
    Client,
}

impl Server {
    /// Whether who has chosen it may go on with it, as far as is known.
    pub(crate) fn is_up(&self) -> bool {
        (self.load.down() - Down::DRAINED).is_empty()
    }

    /// Whether it can be chosen now.
    pub(crate) fn takes_sessions(&self) -> bool {
        self.load.down().is_empty()
    }

    /// Where it is now: as an administrator has said, or as it is configured.
    #[inline]
    pub(crate) fn target(&self) -> Cow<'_, Target> {
        self.moved.get().map_or(Cow::Borrowed(&self.target), Cow::Owned)
    }

    /// Its own address and port now, as far as it has them: it may take them from the client.
    pub(crate) fn place(&self) -> (Option<IpAddr>, Option<u16>) {
        match *self.target() {
            Target::Ip { address, port } => (Some(address), port),
            Target::Host { port, .. } => (self.whereabouts.as_ref().and_then(|place| place.get()), port),
            Target::ClientDestination { port } => (None, port),
            Target::Shifted { address, .. } => (address, None),
            Target::Unix(_) => (None, None),
        }
    }

    /// Its share of new sessions, as far as [`Down`] does not say it all.
    pub(crate) fn effective_share(&self) -> Share {
        Share {
            weight: self.weight,
            disabled: false,
            ..self.share
        }
    }

    /// Sees whether it can be used now.
    pub(crate) fn note_history(&self, now: Moment) {
        self.tally.history().set_up(self.is_up(), now);
    }

    /// The server of a plan, which stands so, with what it shares with the one of that name `before`.
    pub(crate) fn new(
        plan: &ServerPlan,
        standing: &Standing,
        before: Option<&Self>,
        witness: Option<Witness>,
        (clock, workers): (Clock, usize),
    ) -> Self {
        let netns = match &plan.netns {
            UpstreamNetns::Default => ServerNetns::Fixed(None),
            UpstreamNetns::Named(spec) => ServerNetns::Fixed(Some(Arc::new(spec.clone()))),
            UpstreamNetns::Client => ServerNetns::Client,
        };
        let load = before.map(|before| Arc::clone(&before.load)).unwrap_or_default();
        // Another address in the configuration is newer than what was set.
        let moved = before
            .filter(|before| before.target == plan.target)
            .map(|before| Arc::clone(&before.moved));
        let whereabouts = match &plan.target {
            Target::Host { name, address, .. } => {
                let same = before.filter(|before| before.host() == Some(name) && before.netns == netns);
                let known = same.and_then(|before| before.whereabouts.clone());
                Some(known.unwrap_or_else(|| Arc::new(Whereabouts::new(*address))))
            }
            _ => None,
        };
        let is_lost = whereabouts.as_ref().is_some_and(|place| place.get().is_none());
        load.set_down(Down::UNRESOLVED, is_lost);
        let is_unhealthy = witness.as_ref().is_some_and(|witness| !witness.health.is_up());
        load.set_down(Down::UNHEALTHY, is_unhealthy);
        for (reason, holds) in reasons(standing) {
            load.set_down(reason, holds);
        }
        let now = clock.now();
        let tally = before.map_or_else(
            || {
                // One that is out from the beginning has never gone down.
                let is_up = standing.effective() != Admin::Maintenance;
                Arc::new(ServerTally::new(workers, is_up, now))
            },
            |before| Arc::clone(&before.tally),
        );
        let tracked = match &plan.health.source {
            HealthSource::Tracked { pool, server } => Some((pool.clone(), server.clone())),
            HealthSource::Assumed | HealthSource::Checked(_) => None,
        };
        let server = Self {
            name: plan.name.clone(),
            target: plan.target.clone(),
            moved: moved.unwrap_or_default(),
            netns,
            source: plan.source.clone(),
            source_ports: source_ports(plan, before),
            send_header: plan.send_header.clone(),
            share: plan.share,
            weight: standing.effective_weight(),
            load,
            tally,
            whereabouts,
            witness,
            tracked,
            ends_sessions: plan.health.ends_sessions,
            ends_backup_sessions: plan.health.ends_backup_sessions,
        };
        server.note_history(now);
        server
    }

    /// The name of its host.
    fn host(&self) -> Option<&String> {
        match &self.target {
            Target::Host { name, .. } => Some(name),
            _ => None,
        }
    }
}

/// The ports that connections to a server come from. Sessions of the plan before hold some of the same.
fn source_ports(plan: &ServerPlan, before: Option<&Server>) -> Option<Arc<SourcePorts>> {
    let address = plan.source.as_ref()?.address;
    let before = before.and_then(|before| before.source_ports.as_ref());
    match before.filter(|ports| ports.are_of(address)) {
        Some(same) => Some(Arc::clone(same)),
        None => SourcePorts::of(address).map(Arc::new),
    }
}

/// Who knows of a server's health.
pub(crate) fn witness(
    pool: &str,
    server: &ServerPlan,
    healths: &HashMap<(String, String), Arc<Health>>,
    reporter: Option<&Reporter>,
) -> Option<Witness> {
    let (key, observe) = match &server.health.source {
        HealthSource::Assumed => return None,
        HealthSource::Checked(check) => (
            (pool.to_owned(), server.name.clone()),
            check.observe.zip(reporter.cloned()),
        ),
        HealthSource::Tracked { pool, server } => ((pool.clone(), server.clone()), None),
    };
    let health = Arc::clone(healths.get(&key)?);
    Some(Witness::new(health, observe))
}
