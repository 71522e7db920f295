//! How relays, pools and servers stand, for whoever asks.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use crate::core::balance::{Admin, Down, Standing};
use crate::core::history::Availability;
use crate::core::moment::Moment;
use crate::health::HealthStatus;
use crate::plan::Target;
use crate::pool::Pool;
use crate::server::Server;
use crate::tally::{Counts, RelayTally, Totals};

/// How one relay stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayStatus {
    /// Its name.
    pub relay: String,
    /// Sessions now.
    pub sessions: u32,
    /// The most that there ever were.
    pub most_sessions: u32,
    /// Sessions that began within the last second.
    pub rate: u32,
    /// The most that ever did.
    pub most_rate: u32,
    /// Connections within the last second, with those that a rule rejected.
    pub connection_rate: u32,
    /// The most that ever were.
    pub most_connection_rate: u32,
    /// What was counted of it.
    pub counts: Counts,
}

/// How one server stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerStatus {
    /// Name of its pool.
    pub pool: String,
    /// Its name.
    pub server: String,
    /// Sessions that have a place on it now, connected or about to be.
    pub sessions: usize,
    /// The most that ever had at a time.
    pub most_sessions: u32,
    /// Sessions that ever had.
    pub total: u64,
    /// Sessions that wait for it and for no other.
    pub waiting: usize,
    /// The most that ever did, since its pool was last set up.
    pub most_waiting: usize,
    /// Sessions that got it within the last second.
    pub rate: u32,
    /// The most that ever did.
    pub most_rate: u32,
    /// What was counted of it.
    pub totals: Totals,
    /// Since when it is up or down.
    pub availability: Availability,
    /// Its weight, as it was set or configured.
    pub weight: u16,
    /// Its weight, as it is configured.
    pub configured_weight: u16,
    /// What an administrator wants of it, or the configuration.
    pub admin: Admin,
    /// What applies because of the server whose health it has.
    pub inherited: Admin,
    /// The pool and the name of that server.
    pub tracked: Option<(String, String)>,
    /// Whether it is a backup.
    pub backup: bool,
    /// Whether it is disabled in the configuration, whatever was set since.
    pub disabled: bool,
    /// Why it gets no sessions now.
    pub down: Down,
    /// Where it is: as an administrator has said, or as it is configured.
    pub target: Target,
    /// The address of its host, for a server that is known by name.
    pub address: Option<IpAddr>,
    /// The most sessions that it may have.
    pub max_sessions: Option<NonZeroU32>,
    /// What is known of it; `None` where it is not checked.
    pub health: Option<HealthStatus>,
}

/// How one pool stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolStatus {
    /// Its name.
    pub pool: String,
    /// Sessions that came to it and have not ended.
    pub sessions: u32,
    /// The most that ever were.
    pub most_sessions: u32,
    /// Sessions that wait for one of its servers, those that wait for a certain one among them.
    pub waiting: usize,
    /// Sessions that wait for any of its servers.
    pub waiting_for_any: usize,
    /// The most that ever did.
    pub most_waiting_for_any: usize,
    /// Sessions that came within the last second.
    pub rate: u32,
    /// The most that ever did.
    pub most_rate: u32,
    /// What was counted of it.
    pub totals: Totals,
    /// Since when it has a server, or none.
    pub availability: Availability,
    /// Servers that can be used, without backups.
    pub active: usize,
    /// Backups that can be used.
    pub backups: usize,
}

impl RelayStatus {
    pub(crate) fn of(relay: &str, tally: &RelayTally, now: Moment) -> Self {
        Self {
            relay: relay.to_owned(),
            sessions: tally.level.now(),
            most_sessions: tally.level.most(),
            rate: tally.level.rate.rate(now),
            most_rate: tally.level.rate.most(),
            connection_rate: tally.connections.rate(now),
            most_connection_rate: tally.connections.most(),
            counts: tally.cells.sum(now).counts,
        }
    }
}

impl ServerStatus {
    pub(crate) fn of(pool: &Pool, server: &Arc<Server>, standing: &Standing, now: Moment) -> Self {
        let load = &server.load;
        Self {
            pool: pool.name.clone(),
            server: server.name.clone(),
            sessions: load.sessions() as usize,
            most_sessions: load.most(),
            total: load.total(),
            waiting: pool.places().waiting_for(load),
            most_waiting: pool.places().most_waited_for(load),
            rate: load.rate.rate(now),
            most_rate: load.rate.most(),
            totals: server.tally.cells.sum(now),
            availability: server.tally.history().at(now),
            weight: standing.weight(),
            configured_weight: standing.configured_weight(),
            admin: standing.own(),
            inherited: standing.inherited(),
            tracked: server.tracked.clone(),
            backup: server.share.backup,
            disabled: standing.is_configured_out(),
            down: load.down(),
            target: server.target().into_owned(),
            address: server.whereabouts.as_ref().and_then(|place| place.get()),
            max_sessions: server.share.max_sessions,
            health: server
                .witness
                .as_ref()
                .map(|witness| HealthStatus::of(&witness.health)),
        }
    }
}

impl PoolStatus {
    pub(crate) fn of(pool: &Pool, now: Moment) -> Self {
        let tally = pool.tally();
        let (waiting_for_any, most_waiting_for_any) = pool.places().line();
        let (active, backups) = pool.available();
        Self {
            pool: pool.name.clone(),
            sessions: tally.level.now(),
            most_sessions: tally.level.most(),
            waiting: pool.places().waiting(),
            waiting_for_any,
            most_waiting_for_any,
            rate: tally.level.rate.rate(now),
            most_rate: tally.level.rate.most(),
            totals: tally.cells.sum(now),
            availability: pool.places().history().at(now),
            active,
            backups,
        }
    }
}
