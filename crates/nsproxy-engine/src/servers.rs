//! Servers as they live on: keyed by pool and name, shared by the workers, kept from one plan to the next.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::core::session::Timeouts;
use crate::plan::{HeaderPlan, NetnsRef, PoolPlan, ServerPlan, SourcePlan, Target, UpstreamNetns};

/// What is known of a server, whatever the plan.
#[derive(Debug, Default)]
pub(crate) struct ServerState {
    /// Sessions that use it now.
    sessions: AtomicUsize,
    /// Sessions that ever did.
    total: AtomicU64,
}

impl ServerState {
    pub(crate) fn acquire(&self) {
        self.sessions.fetch_add(1, Ordering::Relaxed);
        self.total.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn release(&self) {
        self.sessions.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How one server stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerStatus {
    /// Name of its pool.
    pub pool: String,
    /// Its name.
    pub server: String,
    /// Sessions that use it now.
    pub sessions: usize,
    /// Sessions that ever did.
    pub total: u64,
}

/// Every server of the current plan.
#[derive(Debug, Default)]
pub(crate) struct ServerRegistry {
    states: HashMap<(String, String), Arc<ServerState>>,
}

impl ServerRegistry {
    /// Takes over the servers of a plan: known ones keep their state, others start afresh, the rest is forgotten (sessions
    /// that still use one hold it until they end).
    pub(crate) fn adopt(&mut self, pools: &[PoolPlan]) -> Vec<Arc<Pool>> {
        let mut known = std::mem::take(&mut self.states);
        pools
            .iter()
            .map(|plan| {
                let servers = plan.servers.iter().map(|server| {
                    let key = (plan.name.clone(), server.name.clone());
                    let state = known.remove(&key).unwrap_or_default();
                    self.states.insert(key, Arc::clone(&state));
                    Arc::new(Server::new(server, state))
                });
                Arc::new(Pool {
                    name: plan.name.clone(),
                    servers: servers.collect(),
                    source: plan.source,
                    timeouts: Timeouts {
                        connect: crate::core::moment::Span::from_duration(plan.connect_timeout),
                        server: crate::core::moment::Span::from_duration(plan.server_timeout),
                        ..Timeouts::default()
                    },
                    turn: AtomicUsize::new(0),
                })
            })
            .collect()
    }

    pub(crate) fn status(&self) -> Vec<ServerStatus> {
        let mut status: Vec<_> = self
            .states
            .iter()
            .map(|((pool, server), state)| ServerStatus {
                pool: pool.clone(),
                server: server.clone(),
                sessions: state.sessions.load(Ordering::Relaxed),
                total: state.total.load(Ordering::Relaxed),
            })
            .collect();
        status.sort_by(|a, b| (&a.pool, &a.server).cmp(&(&b.pool, &b.server)));
        status
    }
}

/// A pool of one plan.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) name: String,
    servers: Vec<Arc<Server>>,
    pub(crate) source: Option<SourcePlan>,
    /// Only the upstream ones are set.
    pub(crate) timeouts: Timeouts,
    turn: AtomicUsize,
}

impl Pool {
    /// The next server in turn: all workers share the turn.
    pub(crate) fn next_server(&self) -> Option<&Arc<Server>> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        self.servers.get(turn.checked_rem(self.servers.len())?)
    }

    /// Whether one of the servers gets the TLVs of the client's header.
    pub(crate) fn passes_tlvs(&self) -> bool {
        let passes =
            |server: &Arc<Server>| matches!(server.send_header, Some(HeaderPlan::V2(tlvs)) if tlvs.received);
        self.servers.iter().any(passes)
    }
}

/// A server of one plan, with the state that it shares with those of other plans.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) target: Target,
    pub(crate) netns: ServerNetns,
    pub(crate) send_header: Option<HeaderPlan>,
    pub(crate) state: Arc<ServerState>,
}

/// [`UpstreamNetns`], ready to be shared with each request.
#[derive(Debug)]
pub(crate) enum ServerNetns {
    /// This one; `None` is the default one.
    Fixed(NetnsRef),
    /// The client connection's.
    Client,
}

impl Server {
    fn new(plan: &ServerPlan, state: Arc<ServerState>) -> Self {
        Self {
            name: plan.name.clone(),
            target: plan.target.clone(),
            netns: match &plan.netns {
                UpstreamNetns::Default => ServerNetns::Fixed(None),
                UpstreamNetns::Named(spec) => ServerNetns::Fixed(Some(Arc::new(spec.clone()))),
                UpstreamNetns::Client => ServerNetns::Client,
            },
            send_header: plan.send_header,
            state,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn pool(servers: &[&str]) -> PoolPlan {
        PoolPlan {
            name: "p".to_owned(),
            servers: servers
                .iter()
                .map(|name| ServerPlan {
                    name: (*name).to_owned(),
                    target: Target::ClientDestination { port: None },
                    netns: UpstreamNetns::Default,
                    send_header: None,
                })
                .collect(),
            source: None,
            connect_timeout: Duration::ZERO,
            server_timeout: Duration::ZERO,
        }
    }

    #[test]
    fn servers_take_turns() {
        let pools = ServerRegistry::default().adopt(&[pool(&["a", "b", "c"])]);
        let names: Vec<_> = (0..6)
            .map(|_| pools[0].next_server().unwrap().name.clone())
            .collect();
        assert_eq!(names, ["a", "b", "c", "a", "b", "c"]);
    }

    #[test]
    fn a_pool_without_servers_has_no_next_one() {
        let pools = ServerRegistry::default().adopt(&[pool(&[])]);
        assert!(pools[0].next_server().is_none());
    }

    #[test]
    fn a_server_that_stays_keeps_its_state_and_one_that_goes_is_forgotten() {
        let mut registry = ServerRegistry::default();
        let first = registry.adopt(&[pool(&["a", "b"])]);
        first[0].next_server().unwrap().state.acquire();
        registry.adopt(&[pool(&["a"])]);
        let status = registry.status();
        assert_eq!(status.len(), 1);
        assert_eq!(
            (status[0].server.as_str(), status[0].sessions, status[0].total),
            ("a", 1, 1)
        );
    }
}
