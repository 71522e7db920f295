//! How the namespaces of a plan stand, for whoever asks.

use std::collections::BTreeMap;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use netns_core::{NetnsId, NetnsSpec};

use super::Census;
use crate::core::namespaces::{Condition, Lead};
use crate::handle::Handle;
use crate::inbox::Command;

/// How long workers may take to say what they have.
const PATIENCE: Duration = Duration::from_secs(1);

/// How a namespace stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NetnsStatus {
    /// As the plan calls it; by its name where a pattern matches.
    pub netns: NetnsSpec,
    /// Which one that is, or the one that sessions are still in. None while it is missing.
    pub id: Option<NetnsId>,
    /// Whether it is there.
    pub state: NetnsState,
    /// Listeners that are open in it.
    pub listeners: usize,
    /// Listeners that wait for it, or could not be opened.
    pub listeners_pending: usize,
    /// Sessions with a connection in it, one or both.
    pub sessions: usize,
    /// Sockets made ahead of time, for connections to come.
    pub sockets_in_stock: usize,
}

/// Whether a namespace is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NetnsState {
    /// Not yet.
    Pending,
    /// It is.
    Live,
    /// Not any more. What is in it has some time left.
    Removed,
}

impl Handle {
    /// Each namespace that the plan in force names or matches, and each that sessions are still in, ordered by name.
    ///
    /// Waits for the answers of all workers, for a second at most: sessions and sockets of a worker that has not answered by
    /// then are not counted. Not for an [`Observer`](crate::Observer), which is called on a thread that is waited for here.
    /// Without any workers left, the rows are those of the last plan, with no sessions in them.
    pub fn namespaces(&self) -> Vec<NetnsStatus> {
        let census = self.take_census();
        let state = self.state();
        let mut rows: BTreeMap<(NetnsSpec, Option<NetnsId>), NetnsStatus> = BTreeMap::new();
        for (netns, lead, listeners) in state.current.namespaces.names() {
            let mut status = NetnsStatus::new(netns, lead.id(), lead.into());
            for (_, condition) in listeners {
                if matches!(condition, Condition::Open(_)) {
                    status.listeners += 1;
                } else {
                    status.listeners_pending += 1;
                }
            }
            status.sockets_in_stock = census.stock.get(netns).copied().unwrap_or(0);
            rows.insert((netns.clone(), lead.id()), status);
        }
        drop(state);
        for ((netns, id), sessions) in census.sessions {
            let row = rows
                .entry((netns.clone(), Some(id)))
                .or_insert_with(|| NetnsStatus::new(&netns, Some(id), NetnsState::Removed));
            row.sessions = sessions;
        }
        // Where sessions are left, that says more than that it is missing now.
        let left: Vec<_> = rows
            .keys()
            .filter(|(_, id)| id.is_some())
            .map(|(netns, _)| netns.clone())
            .collect();
        for netns in left {
            let key = (netns, None);
            if let Some(missing) = rows.remove(&key) {
                for row in rows.values_mut().filter(|row| row.netns == key.0) {
                    row.listeners_pending = missing.listeners_pending;
                }
            }
        }
        rows.into_values().collect()
    }

    fn take_census(&self) -> Census {
        let (sender, receiver) = channel();
        self.tell(|| Command::TakeCensus(sender.clone()));
        // A worker that has ended drops its own with the command.
        drop(sender);
        let deadline = Instant::now() + PATIENCE;
        let mut all = Census::default();
        while let Ok(census) = receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            for (place, sessions) in census.sessions {
                *all.sessions.entry(place).or_default() += sessions;
            }
            for (netns, sockets) in census.stock {
                *all.stock.entry(netns).or_default() += sockets;
            }
        }
        all
    }
}

impl NetnsStatus {
    fn new(netns: &NetnsSpec, id: Option<NetnsId>, state: NetnsState) -> Self {
        Self {
            netns: netns.clone(),
            id,
            state,
            listeners: 0,
            listeners_pending: 0,
            sessions: 0,
            sockets_in_stock: 0,
        }
    }
}

impl From<Lead> for NetnsState {
    fn from(lead: Lead) -> Self {
        match lead {
            Lead::Pending => Self::Pending,
            Lead::Live(_) => Self::Live,
            Lead::Removed => Self::Removed,
        }
    }
}
