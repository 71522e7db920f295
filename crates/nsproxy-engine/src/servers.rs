//! Servers as they live on: keyed by pool and name, shared by the workers, kept from one plan to the next.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use crate::checker::{Member, Reporter, Watched};
use crate::core::balance::{Down, Load, Share};
use crate::health::{Health, HealthStatus, Witness};
use crate::plan::{
    HeaderPlan, HealthSource, NetnsRef, PoolPlan, ServerPlan, SourcePlan, Target, UpstreamNetns,
};
use crate::pool::{Pool, Waiter};
use crate::whereabouts::Whereabouts;

/// How one server stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerStatus {
    /// Name of its pool.
    pub pool: String,
    /// Its name.
    pub server: String,
    /// Sessions that have a place on it now, connected or about to be.
    pub sessions: usize,
    /// Sessions that ever had.
    pub total: u64,
    /// Sessions that wait for it and for no other.
    pub waiting: usize,
    /// Its weight.
    pub weight: u16,
    /// Whether it is a backup.
    pub backup: bool,
    /// Whether it is disabled.
    pub disabled: bool,
    /// Why it gets no sessions now, although it is configured to.
    pub down: Down,
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
    /// Sessions that wait for one of its servers.
    pub waiting: usize,
}

/// Every server of the current plan.
#[derive(Debug, Default)]
pub(crate) struct ServerRegistry {
    pools: HashMap<String, Arc<Pool>>,
    /// Of the servers that are checked, by pool and name.
    healths: HashMap<(String, String), Arc<Health>>,
}

impl ServerRegistry {
    /// Takes over the servers of a plan: known ones keep their load, others start afresh, the rest is forgotten (sessions
    /// that still use one hold it until they end). Sessions that wait go on waiting, for the pool as it is now; those that
    /// have a place for it are added to `called`. Whoever makes checks is reached by `reporter`.
    pub(crate) fn adopt(
        &mut self,
        plans: &[PoolPlan],
        reporter: Option<&Reporter>,
        called: &mut Vec<Waiter>,
    ) -> Vec<Arc<Pool>> {
        self.adopt_healths(plans);
        let healths = &self.healths;
        let known = std::mem::take(&mut self.pools);
        let pools = plans.iter().map(|plan| {
            let before = known.get(&plan.name);
            let servers_before: HashMap<_, _> = before
                .iter()
                .flat_map(|pool| pool.servers())
                .map(|server| (server.name.as_str(), &**server))
                .collect();
            let servers = plan.servers.iter().map(|server| {
                let before = servers_before.get(server.name.as_str());
                let witness = witness(&plan.name, server, healths, reporter);
                Arc::new(Server::new(server, before.copied(), witness))
            });
            let places = before.map(|pool| Arc::clone(pool.places()));
            Arc::new(Pool::new(plan, servers.collect(), places, called))
        });
        let pools: Vec<_> = pools.collect();
        self.pools = pools
            .iter()
            .map(|pool| (pool.name.clone(), Arc::clone(pool)))
            .collect();
        pools
    }

    /// A server's host is at this address from now on, or nowhere. `false`: there is no such server.
    pub(crate) fn set_address(
        &self,
        (pool, server): (&str, &str),
        address: Option<IpAddr>,
        called: &mut Vec<Waiter>,
    ) -> bool {
        let Some(pool) = self.pools.get(pool) else {
            return false;
        };
        let servers = pool.servers().iter();
        let Some((server, place)) = servers
            .filter(|known| known.name == server)
            .find_map(|server| Some((server, server.whereabouts.as_ref()?)))
        else {
            return false;
        };
        // First the address, then the sessions that want it.
        if address.is_some() {
            place.set(address);
        }
        pool.set_down(server, Down::UNRESOLVED, address.is_none(), called);
        place.set(address);
        true
    }

    /// The servers to be checked, each with those that track it. `pools` are those of `plans`.
    pub(crate) fn watched(plans: &[PoolPlan], pools: &[Arc<Pool>]) -> Vec<Watched> {
        let mut watched = Vec::new();
        // By the health that they share.
        let mut places = HashMap::new();
        let mut trackers = Vec::new();
        for (plan, pool) in plans.iter().zip(pools) {
            for (server_plan, server) in plan.servers.iter().zip(pool.servers()) {
                let Some(witness) = &server.witness else {
                    continue;
                };
                let member = Member {
                    pool: Arc::clone(pool),
                    server: Arc::clone(server),
                };
                let key = Arc::as_ptr(&witness.health);
                match &server_plan.health.source {
                    HealthSource::Checked(check) => {
                        places.insert(key, watched.len());
                        watched.push(Watched {
                            health: Arc::clone(&witness.health),
                            netns: check.netns.clone().map(Arc::new),
                            plan: (**check).clone(),
                            members: vec![member],
                        });
                    }
                    _ => trackers.push((key, member)),
                }
            }
        }
        for (key, member) in trackers {
            if let Some(place) = places.get(&key) {
                watched[*place].members.push(member);
            }
        }
        watched
    }

    /// Keeps the health of the servers that are checked under this plan, too; others start afresh.
    fn adopt_healths(&mut self, plans: &[PoolPlan]) {
        let mut known = std::mem::take(&mut self.healths);
        for plan in plans {
            for server in &plan.servers {
                if let HealthSource::Checked(_) = server.health.source {
                    let key = (plan.name.clone(), server.name.clone());
                    let health = known.remove(&key).unwrap_or_default();
                    self.healths.insert(key, health);
                }
            }
        }
    }

    pub(crate) fn status(&self) -> Vec<ServerStatus> {
        let status = |pool: &Pool, server: &Server| ServerStatus {
            pool: pool.name.clone(),
            server: server.name.clone(),
            sessions: server.load.sessions() as usize,
            total: server.load.total(),
            waiting: pool.places().waiting_for(&server.load),
            weight: server.share.weight,
            backup: server.share.backup,
            disabled: server.share.disabled,
            down: server.load.down(),
            address: server.whereabouts.as_ref().and_then(|place| place.get()),
            max_sessions: server.share.max_sessions,
            health: server
                .witness
                .as_ref()
                .map(|witness| HealthStatus::of(&witness.health)),
        };
        let mut status: Vec<_> = self
            .pools
            .values()
            .flat_map(|pool| pool.servers().iter().map(|server| status(pool, server)))
            .collect();
        status.sort_by(|a, b| (&a.pool, &a.server).cmp(&(&b.pool, &b.server)));
        status
    }

    pub(crate) fn pool_status(&self) -> Vec<PoolStatus> {
        let pools = self.pools.values().map(|pool| PoolStatus {
            pool: pool.name.clone(),
            waiting: pool.places().waiting(),
        });
        let mut status: Vec<_> = pools.collect();
        status.sort_by(|a, b| a.pool.cmp(&b.pool));
        status
    }
}

/// A server of one plan, with the load that it shares with those of other plans.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) target: Target,
    pub(crate) netns: ServerNetns,
    pub(crate) source: Option<SourcePlan>,
    pub(crate) send_header: Option<HeaderPlan>,
    pub(crate) share: Share,
    pub(crate) load: Arc<Load>,
    /// Where the host is that [`Target::Host`] names.
    pub(crate) whereabouts: Option<Arc<Whereabouts>>,
    /// `None`: it counts as up.
    pub(crate) witness: Option<Witness>,
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
    /// Whether it can be used now, as far as is known.
    pub(crate) fn is_up(&self) -> bool {
        self.load.down().is_empty()
    }

    /// The server of a plan, with what it shares with the one of that name `before`.
    fn new(plan: &ServerPlan, before: Option<&Self>, witness: Option<Witness>) -> Self {
        let netns = match &plan.netns {
            UpstreamNetns::Default => ServerNetns::Fixed(None),
            UpstreamNetns::Named(spec) => ServerNetns::Fixed(Some(Arc::new(spec.clone()))),
            UpstreamNetns::Client => ServerNetns::Client,
        };
        let load = before.map(|before| Arc::clone(&before.load)).unwrap_or_default();
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
        Self {
            name: plan.name.clone(),
            target: plan.target.clone(),
            netns,
            source: plan.source.clone(),
            send_header: plan.send_header.clone(),
            share: plan.share,
            load,
            whereabouts,
            witness,
            ends_sessions: plan.health.ends_sessions,
            ends_backup_sessions: plan.health.ends_backup_sessions,
        }
    }

    /// The name of its host.
    fn host(&self) -> Option<&String> {
        match &self.target {
            Target::Host { name, .. } => Some(name),
            _ => None,
        }
    }
}

/// Who knows of a server's health.
fn witness(
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::balance::Placed;
    use crate::plan::{Balancing, HealthPlan};
    use std::time::Duration;

    const WAITER: Waiter = Waiter {
        worker: 0,
        key: 0,
        generation: 0,
    };

    fn pool(servers: &[(&str, u32)]) -> PoolPlan {
        let server = |(name, most): &(&str, u32)| ServerPlan {
            source: None,
            name: (*name).to_owned(),
            target: Target::ClientDestination { port: None },
            netns: UpstreamNetns::Default,
            send_header: None,
            share: Share {
                max_sessions: NonZeroU32::new(*most),
                ..Share::default()
            },
            health: HealthPlan::default(),
        };
        PoolPlan {
            name: "p".to_owned(),
            servers: servers.iter().map(server).collect(),
            connect_timeout: Duration::ZERO,
            server_timeout: Duration::ZERO,
            server_half_closed_timeout: None,
            relaying_timeout: None,
            keep_alive: None,
            netns_removed_timeout: crate::plan::NETNS_REMOVED_TIMEOUT,
            balance: Balancing::default(),
            hash_key: None,
            rules: None,
        }
    }

    fn place(pool: &Pool) -> Placed<String> {
        match pool.place(|| None, None, WAITER, &mut Vec::new()) {
            Placed::At(server) => Placed::At(server.name.clone()),
            Placed::Waits(ticket) => Placed::Waits(ticket),
            Placed::NoServer => Placed::NoServer,
            Placed::QueueFull(server) => Placed::QueueFull(server.name.clone()),
        }
    }

    #[test]
    fn servers_take_turns() {
        let pools =
            ServerRegistry::default().adopt(&[pool(&[("a", 0), ("b", 0), ("c", 0)])], None, &mut Vec::new());
        for name in ["a", "b", "c", "a", "b", "c"] {
            assert_eq!(place(&pools[0]), Placed::At(name.to_owned()));
        }
    }

    #[test]
    fn a_pool_without_servers_has_no_place() {
        let pools = ServerRegistry::default().adopt(&[pool(&[])], None, &mut Vec::new());
        assert_eq!(place(&pools[0]), Placed::NoServer);
    }

    #[test]
    fn a_server_that_stays_keeps_its_load_and_one_that_goes_is_forgotten() {
        let mut registry = ServerRegistry::default();
        let first = registry.adopt(&[pool(&[("a", 0), ("b", 0)])], None, &mut Vec::new());
        place(&first[0]);
        registry.adopt(&[pool(&[("a", 0)])], None, &mut Vec::new());
        let status = registry.status();
        assert_eq!(status.len(), 1);
        assert_eq!(
            (status[0].server.as_str(), status[0].sessions, status[0].total),
            ("a", 1, 1)
        );
    }

    #[test]
    fn who_waits_is_called_when_the_next_plan_has_room() {
        let mut registry = ServerRegistry::default();
        let first = registry.adopt(&[pool(&[("a", 1)])], None, &mut Vec::new());
        assert_eq!(place(&first[0]), Placed::At("a".to_owned()));
        let Placed::Waits(ticket) = place(&first[0]) else {
            panic!("a second place");
        };
        assert_eq!(registry.pool_status()[0].waiting, 1);
        let mut called = Vec::new();
        registry.adopt(&[pool(&[("b", 1)])], None, &mut called);
        assert_eq!(called, [WAITER]);
        let (server, _) = first[0].collect(ticket).unwrap();
        assert_eq!(server.name, "b");
        assert_eq!(registry.pool_status()[0].waiting, 0);
    }

    #[test]
    fn rules_count_the_servers_that_a_session_may_get() {
        let mut plan = pool(&[("a", 0), ("b", 0), ("c", 0), ("d", 0)]);
        plan.servers[2].share.backup = true;
        plan.servers[3].share.backup = true;
        for (all_backups, expected) in [(false, [2, 1, 1, 1, 0]), (true, [2, 1, 2, 1, 0])] {
            plan.balance.all_backups = all_backups;
            let pools = ServerRegistry::default().adopt(&[plan.clone()], None, &mut Vec::new());
            let usable = || pools[0].standing().usable;
            assert_eq!(usable(), expected[0]);
            for (server, expected) in pools[0].servers().iter().zip(&expected[1..]) {
                pools[0].set_down(server, Down::UNHEALTHY, true, &mut Vec::new());
                assert_eq!(usable(), *expected, "without {}", server.name);
            }
            assert_eq!(place(&pools[0]), Placed::NoServer);
        }
    }

    #[test]
    fn a_place_without_a_lock_counts_under_the_plan_that_limits_it() {
        let mut registry = ServerRegistry::default();
        let first = registry.adopt(&[pool(&[("a", 0)])], None, &mut Vec::new());
        assert_eq!(place(&first[0]), Placed::At("a".to_owned()));
        let second = registry.adopt(&[pool(&[("a", 1)])], None, &mut Vec::new());
        let Placed::Waits(ticket) = place(&second[0]) else {
            panic!("a second place");
        };
        let mut called = Vec::new();
        first[0].release(&first[0].servers()[0], &mut called);
        assert_eq!(called, [WAITER]);
        assert!(second[0].collect(ticket).is_some());
    }
}
