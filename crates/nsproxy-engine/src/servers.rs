//! Servers as they live on: keyed by pool and name, shared by the workers, kept from one plan to the next.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::checker::{Member, Reporter, Watched};
use crate::clock::Clock;
use crate::core::balance::{Admin, Down, Standing};
use crate::health::Health;
use crate::plan::{HealthSource, PoolPlan, ServerPlan, Target};
use crate::pool::{Pool, Waiter};
use crate::server::{Server, witness};
use crate::status::{PoolStatus, ServerStatus};

/// Every server of the current plan.
#[derive(Debug)]
pub(crate) struct ServerRegistry {
    clock: Clock,
    workers: usize,
    pools: HashMap<String, Arc<Pool>>,
    /// Of the servers that are checked, by pool and name.
    healths: HashMap<Name, Arc<Health>>,
    /// Of every server.
    standings: HashMap<Name, Standing>,
}

/// Of a server: its pool's, and its own.
type Name = (String, String);

fn name(pool: &PoolPlan, server: &ServerPlan) -> Name {
    (pool.name.clone(), server.name.clone())
}

impl ServerRegistry {
    /// None yet, for an engine with so many workers.
    pub(crate) fn new(clock: Clock, workers: usize) -> Self {
        Self {
            clock,
            workers,
            pools: HashMap::new(),
            healths: HashMap::new(),
            standings: HashMap::new(),
        }
    }

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
        self.adopt_standings(plans);
        let context = (self.clock, self.workers);
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
                let standing = &self.standings[&name(plan, server)];
                Arc::new(Server::new(server, standing, before.copied(), witness, context))
            });
            let places = before.map(|pool| Arc::clone(pool.places()));
            Arc::new(Pool::new(plan, servers.collect(), places, context, called))
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
        let Some((pool, server)) = self.find(pool, server) else {
            return false;
        };
        let Some(place) = &server.whereabouts else {
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

    /// An administrator has put a server there. `false`: there is none that can be, by these names.
    pub(crate) fn set_target(&self, (pool, server): (&str, &str), target: &Target) -> bool {
        let found = self.find(pool, server).map(|(_, server)| server);
        let movable = found.filter(|server| !matches!(server.target, Target::Unix(_) | Target::Host { .. }));
        if let Some(server) = movable {
            server.moved.set(target.clone());
        }
        movable.is_some()
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
                            is_paused: server.load.down().contains(Down::MAINTENANCE),
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
                    let key = name(plan, server);
                    let health = known.remove(&key).unwrap_or_default();
                    self.healths.insert(key, health);
                }
            }
        }
    }

    /// What administrators have set stays where it can. A server stands no better than the one whose health it has.
    fn adopt_standings(&mut self, plans: &[PoolPlan]) {
        let mut known = std::mem::take(&mut self.standings);
        let servers = plans
            .iter()
            .flat_map(|plan| plan.servers.iter().map(move |server| (plan, server)));
        for (plan, server) in servers.clone() {
            let key = name(plan, server);
            let mut standing = known.remove(&key).unwrap_or_else(|| Standing::new(&server.share));
            standing.configure(&server.share);
            self.standings.insert(key, standing);
        }
        for (plan, server) in servers {
            let inherited = match &server.health.source {
                HealthSource::Tracked { pool, server } => {
                    let tracked = self.standings.get(&(pool.clone(), server.clone()));
                    tracked.map(Standing::own).unwrap_or_default()
                }
                HealthSource::Assumed | HealthSource::Checked(_) => Admin::Ready,
            };
            if let Some(standing) = self.standings.get_mut(&name(plan, server)) {
                standing.inherit(inherited);
            }
        }
    }

    /// A server of the current plan.
    pub(crate) fn find(&self, pool: &str, server: &str) -> Option<(&Arc<Pool>, &Arc<Server>)> {
        let pool = self.pools.get(pool)?;
        let server = pool.servers().iter().find(|known| known.name == server)?;
        Some((pool, server))
    }

    /// Changes how a server stands, and with it those that have its health. The answer is what has become of each of them;
    /// `None`: there is no such server.
    pub(crate) fn change(
        &mut self,
        (pool, server): (&str, &str),
        change: impl FnOnce(&mut Standing),
        called: &mut Vec<Waiter>,
    ) -> Option<Vec<Changed>> {
        let key = (pool.to_owned(), server.to_owned());
        let standing = self.standings.get_mut(&key)?;
        let before = *standing;
        change(standing);
        let own = standing.own();
        let mut changed = vec![(key, before)];
        let trackers = self.pools.values().flat_map(|pool| {
            let of_pool = pool.servers().iter().filter(|known| {
                let tracked = known.tracked.as_ref();
                tracked
                    .is_some_and(|(its_pool, its_server)| its_pool == &changed[0].0.0 && its_server == server)
            });
            of_pool.map(|known| (pool.name.clone(), known.name.clone()))
        });
        for key in trackers.collect::<Vec<_>>() {
            if let Some(standing) = self.standings.get_mut(&key) {
                changed.push((key, *standing));
                standing.inherit(own);
            }
        }
        let changed = changed.into_iter().filter_map(|(key, before)| {
            let standing = *self.standings.get(&key)?;
            let (pool, server) = self.find(&key.0, &key.1)?;
            let requeued = pool.waiting_for(server);
            pool.set_standing(server, &standing, called);
            Some(Changed {
                pool: Arc::clone(pool),
                server: Arc::clone(server),
                before,
                now: standing,
                requeued,
            })
        });
        Some(changed.collect())
    }

    pub(crate) fn status(&self) -> Vec<ServerStatus> {
        let now = self.clock.now();
        let servers = self.pools.values().flat_map(|pool| {
            let status = |server: &Arc<Server>| {
                let standing = self.standings.get(&(pool.name.clone(), server.name.clone()))?;
                Some(ServerStatus::of(pool, server, standing, now))
            };
            pool.servers().iter().filter_map(status)
        });
        let mut status: Vec<_> = servers.collect();
        status.sort_by(|a, b| (&a.pool, &a.server).cmp(&(&b.pool, &b.server)));
        status
    }

    pub(crate) fn pool_status(&self) -> Vec<PoolStatus> {
        let now = self.clock.now();
        let pools = self.pools.values().map(|pool| PoolStatus::of(pool, now));
        let mut status: Vec<_> = pools.collect();
        status.sort_by(|a, b| a.pool.cmp(&b.pool));
        status
    }
}

/// A server that stands otherwise than it did.
#[derive(Debug)]
pub(crate) struct Changed {
    pub(crate) pool: Arc<Pool>,
    pub(crate) server: Arc<Server>,
    pub(crate) before: Standing,
    pub(crate) now: Standing,
    /// Sessions that waited for it and for no other, and may have any now if it gets none.
    pub(crate) requeued: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::balance::Placed;
    use crate::core::balance::Share;
    use crate::plan::{Balancing, HealthPlan, SocketBuffers};
    use crate::plan::{Target, UpstreamNetns};
    use crate::pool::Wish;
    use std::num::NonZeroU32;
    use std::time::Duration;

    fn registry() -> ServerRegistry {
        ServerRegistry::new(Clock::start(), 1)
    }

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
            buffers: SocketBuffers::default(),
            netns_removed_timeout: crate::plan::NETNS_REMOVED_TIMEOUT,
            balance: Balancing::default(),
            hash_key: None,
            rules: None,
        }
    }

    fn place(pool: &Pool) -> Placed<String> {
        match pool.place(
            Wish {
                wanted: None,
                avoid: None,
                hash: || None,
            },
            WAITER,
            &mut Vec::new(),
        ) {
            Placed::At(server) => Placed::At(server.name.clone()),
            Placed::Waits(ticket) => Placed::Waits(ticket),
            Placed::NoServer => Placed::NoServer,
            Placed::QueueFull(server) => Placed::QueueFull(server.name.clone()),
        }
    }

    #[test]
    fn servers_take_turns() {
        let pools = registry().adopt(&[pool(&[("a", 0), ("b", 0), ("c", 0)])], None, &mut Vec::new());
        for name in ["a", "b", "c", "a", "b", "c"] {
            assert_eq!(place(&pools[0]), Placed::At(name.to_owned()));
        }
    }

    #[test]
    fn a_pool_without_servers_has_no_place() {
        let pools = registry().adopt(&[pool(&[])], None, &mut Vec::new());
        assert_eq!(place(&pools[0]), Placed::NoServer);
    }

    #[test]
    fn a_server_that_stays_keeps_its_load_and_one_that_goes_is_forgotten() {
        let mut registry = registry();
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
        let mut registry = registry();
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
            let pools = registry().adopt(&[plan.clone()], None, &mut Vec::new());
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
        let mut registry = registry();
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
