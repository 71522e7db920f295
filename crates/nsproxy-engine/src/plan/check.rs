//! What the types of a plan leave open.

use std::collections::BTreeSet;
use std::iter;

use super::{Endpoint, HeaderPlan, HealthSource, Plan, PoolPlan, ServerPlan};
use crate::core::rules::Rules;

/// A plan that does not hold together. Whoever made it has a mistake.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A relay refers to a pool that is not there.
    #[error("relay `{relay}` refers to pool {pool}, which is not in the plan")]
    NoSuchPool {
        /// The relay's name.
        relay: String,
        /// The index.
        pool: usize,
    },
    /// A rule of a pool asks about a pool that is not there.
    #[error("a rule of pool `{pool}` asks about pool {asked}, which is not in the plan")]
    AsksNoSuchPool {
        /// The name of the pool with the rule.
        pool: String,
        /// The index.
        asked: usize,
    },
    /// A relay that listens nowhere.
    #[error("relay `{relay}` has no listener")]
    NoListener {
        /// The relay's name.
        relay: String,
    },
    /// Two pools of one name.
    #[error("two pools are called `{pool}`")]
    DuplicatePool {
        /// The name.
        pool: String,
    },
    /// Two servers of one name in a pool.
    #[error("pool `{pool}` has two servers called `{server}`")]
    DuplicateServer {
        /// The pool's name.
        pool: String,
        /// The server's name.
        server: String,
    },
    /// A weight beyond 256.
    #[error("server `{server}` of pool `{pool}` has the weight {weight}, and the greatest is 256")]
    Weight {
        /// The pool's name.
        pool: String,
        /// The server's name.
        server: String,
        /// Its weight.
        weight: u16,
    },
    /// The health of a server is that of one that is not checked.
    #[error("server `{server}` of pool `{pool}` tracks `{tracked}`, which is not checked")]
    TracksUnchecked {
        /// The pool's name.
        pool: String,
        /// The server's name.
        server: String,
        /// The one that it tracks, with its pool.
        tracked: String,
    },
    /// Two listeners in one place.
    #[error("relay `{relay}` listens at {address} in the same namespace as another listener of the plan")]
    DuplicateListener {
        /// The relay's name.
        relay: String,
        /// The address.
        address: Endpoint,
    },
}

impl Plan {
    /// Checks what the types leave open, in a time in proportion to the plan.
    ///
    /// # Errors
    ///
    /// A pool index out of range, two servers of one name in a pool, two pools of one name, a relay without a listener, a
    /// weight beyond 256, a server that tracks one that is not checked.
    pub fn check(&self) -> Result<(), PlanError> {
        for relay in &self.relays {
            let rules = relay.rules.as_deref();
            let chosen = rules
                .iter()
                .flat_map(|rules| &rules.choices)
                .map(|choice| choice.pool);
            let logged = relay.logged.iter().filter_map(|logged| logged.fetch.pool());
            let mut pools = iter::once(relay.pool)
                .chain(chosen)
                .chain(asked(rules))
                .chain(logged);
            if let Some(pool) = pools.find(|pool| *pool >= self.pools.len()) {
                return Err(PlanError::NoSuchPool {
                    relay: relay.name.clone(),
                    pool,
                });
            }
            if relay.listeners.is_empty() {
                return Err(PlanError::NoListener {
                    relay: relay.name.clone(),
                });
            }
        }
        let mut pools = BTreeSet::new();
        for pool in &self.pools {
            if !pools.insert(&pool.name) {
                return Err(PlanError::DuplicatePool {
                    pool: pool.name.clone(),
                });
            }
            let rules = pool.rules.as_deref();
            let headers = pool
                .servers
                .iter()
                .filter_map(|server| server.send_header.as_ref());
            let composed = headers.flat_map(HeaderPlan::expressions);
            let composed = composed.filter_map(|expression| expression.fetch.pool());
            if let Some(asked) = asked(rules)
                .chain(composed)
                .find(|asked| *asked >= self.pools.len())
            {
                return Err(PlanError::AsksNoSuchPool {
                    pool: pool.name.clone(),
                    asked,
                });
            }
            let mut servers = BTreeSet::new();
            if let Some(server) = pool.servers.iter().find(|server| !servers.insert(&server.name)) {
                let (pool, server) = (pool.name.clone(), server.name.clone());
                return Err(PlanError::DuplicateServer { pool, server });
            }
            if let Some(server) = pool.servers.iter().find(|server| server.share.weight > 256) {
                return Err(PlanError::Weight {
                    pool: pool.name.clone(),
                    server: server.name.clone(),
                    weight: server.share.weight,
                });
            }
        }
        self.check_tracking()
    }

    /// Whether anything asks which addresses are local.
    pub(crate) fn asks_local(&self) -> bool {
        let of_relays = self.relays.iter().flat_map(|relay| {
            let rules = relay.rules.iter().flat_map(|rules| rules.expressions());
            rules.chain(&*relay.logged)
        });
        let of_pools = self.pools.iter().flat_map(|pool| {
            let rules = pool.rules.iter().flat_map(|rules| rules.expressions());
            let headers = pool
                .servers
                .iter()
                .filter_map(|server| server.send_header.as_ref());
            let composed = headers.flat_map(HeaderPlan::expressions);
            rules.chain(&pool.hash_key).chain(composed)
        });
        of_relays
            .chain(of_pools)
            .any(|expression| expression.fetch.is_about_routes())
    }

    fn check_tracking(&self) -> Result<(), PlanError> {
        let servers: Vec<(&PoolPlan, &ServerPlan)> = self
            .pools
            .iter()
            .flat_map(|pool| pool.servers.iter().map(move |server| (pool, server)))
            .collect();
        let checked: BTreeSet<_> = servers
            .iter()
            .filter(|(_, server)| matches!(server.health.source, HealthSource::Checked(_)))
            .map(|(pool, server)| (&*pool.name, &*server.name))
            .collect();
        for (pool, server) in servers {
            if let HealthSource::Tracked {
                pool: other,
                server: tracked,
            } = &server.health.source
                && !checked.contains(&(&**other, &**tracked))
            {
                return Err(PlanError::TracksUnchecked {
                    pool: pool.name.clone(),
                    server: server.name.clone(),
                    tracked: format!("{other}/{tracked}"),
                });
            }
        }
        Ok(())
    }
}

/// The pools that rules ask about.
fn asked(rules: Option<&Rules>) -> impl Iterator<Item = usize> {
    let expressions = rules.into_iter().flat_map(Rules::expressions);
    expressions.filter_map(|expression| expression.fetch.pool())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::core::balance::Share;
    use crate::core::rules::{Action, Expression, Fetch, Rule, Subject};
    use crate::plan::{HealthPlan, ListenerPlan, Target, UpstreamNetns};

    fn plan() -> Plan {
        let listener = ListenerPlan::at(Endpoint::Ip(([127, 0, 0, 1], 0).into()));
        let server = ServerPlan {
            source: None,
            name: "s".to_owned(),
            target: Target::ClientDestination { port: None },
            netns: UpstreamNetns::Default,
            send_header: None,
            share: Share::default(),
            health: HealthPlan::default(),
        };
        Plan::forward(listener, server, None)
    }

    #[test]
    fn a_plan_that_refers_to_a_missing_pool_is_refused() {
        let mut plan = plan();
        plan.relays[0].pool = 1;
        assert!(matches!(plan.check(), Err(PlanError::NoSuchPool { pool: 1, .. })));
    }

    #[test]
    fn a_rule_that_asks_about_a_missing_pool_is_refused() {
        let expression = Expression {
            fetch: Fetch::UsableServers(1),
            converters: Vec::new(),
        };
        let rule = Rule {
            condition: None,
            action: Action::Set(Subject::SourcePort, expression),
        };
        let rules = Some(Arc::new(Rules {
            content: vec![rule],
            ..Rules::default()
        }));
        let mut of_relay = plan();
        of_relay.relays[0].rules.clone_from(&rules);
        assert!(matches!(
            of_relay.check(),
            Err(PlanError::NoSuchPool { pool: 1, .. })
        ));
        let mut of_pool = plan();
        of_pool.pools[0].rules = rules;
        assert!(matches!(
            of_pool.check(),
            Err(PlanError::AsksNoSuchPool { asked: 1, .. })
        ));
    }

    #[test]
    fn two_servers_of_one_name_are_refused() {
        let mut plan = plan();
        let twin = plan.pools[0].servers[0].clone();
        plan.pools[0].servers.push(twin);
        assert!(matches!(plan.check(), Err(PlanError::DuplicateServer { .. })));
    }

    #[test]
    fn a_server_that_tracks_one_without_checks_is_refused() {
        let mut plan = plan();
        plan.pools[0].servers[0].health.source = HealthSource::Tracked {
            pool: "forward".to_owned(),
            server: "s".to_owned(),
        };
        assert!(matches!(plan.check(), Err(PlanError::TracksUnchecked { .. })));
    }

    #[test]
    fn a_relay_without_a_listener_is_refused() {
        let mut plan = plan();
        plan.relays[0].listeners.clear();
        assert!(matches!(plan.check(), Err(PlanError::NoListener { .. })));
    }
}
