//! Sessions with a connection in a namespace that no name leads to any more: they have some time yet, and then they are reset,
//! so that the namespace can die, and its links with it.
//!
//! What a session has in which namespace is written down nowhere: its route knows where its listener is, its server's name tells
//! where to look further, and then the socket itself tells. All sessions are gone through for that, which only happens when a
//! namespace is removed, or when somebody asks.

use std::sync::Arc;
use std::time::Duration;

use netns_core::NetnsId;

use super::Worker;
use super::entry::Entry;
use crate::core::close::CloseReason;
use crate::core::moment::{Moment, Span};
use crate::core::side::Side;
use crate::live::{Census, LeftNetns};
use crate::observer::Notice;

/// When it is looked once more for sessions that were on their way into the namespace while it was removed: between workers, or
/// with a socket of before.
const LAST_LOOK: Span = Span::SECOND;

/// The namespaces that were removed, while something may be left in them.
#[derive(Debug, Default)]
pub(super) struct Removed(Vec<RemovedNetns>);

#[derive(Debug)]
struct RemovedNetns {
    left: Arc<LeftNetns>,
    since: Moment,
    /// When there is something to be done.
    look_at: Moment,
}

impl Removed {
    /// A name leads there again.
    pub(super) fn forget(&mut self, id: NetnsId) {
        self.0.retain(|removed| removed.left.id != id);
    }

    /// When there is something to be done, if ever.
    #[inline]
    pub(super) fn look_at(&self) -> Option<Moment> {
        self.0.iter().map(|removed| removed.look_at).min()
    }
}

impl Worker {
    /// No name leads to this namespace any more.
    pub(super) fn on_netns_left(&mut self, left: Arc<LeftNetns>) {
        self.resources.opener.sweep();
        let now = self.resources.now();
        let inside = self.sessions.iter().filter_map(|(_, entry)| inside(entry, &left));
        let (mut sessions, mut soonest) = (0, None::<Span>);
        for (_, patience) in inside {
            sessions += 1;
            soonest = [soonest, patience].into_iter().flatten().min();
        }
        if let (Some(netns), 1..) = (left.names.first(), sessions) {
            self.resources.observer.notice(&Notice::NetnsLeft {
                netns,
                id: left.id,
                sessions,
                patience: soonest.map(Span::as_duration),
            });
        }
        let look_in = soonest.map_or(LAST_LOOK, |soonest| soonest.min(LAST_LOOK));
        self.removed.forget(left.id);
        self.removed.0.push(RemovedNetns {
            left,
            since: now,
            look_at: now.after(look_in),
        });
    }

    /// Resets the sessions whose time is over.
    pub(super) fn look_at_removed(&mut self) {
        let now = self.resources.now();
        if self.removed.look_at().is_none_or(|due| due > now) {
            return;
        }
        let mut removed = std::mem::take(&mut self.removed.0);
        removed.retain_mut(|removed| {
            if removed.look_at <= now {
                match self.reset_sessions_in(removed, now) {
                    Some(next) => removed.look_at = next,
                    None => return false,
                }
            }
            true
        });
        self.removed.0 = removed;
    }

    /// Says when to look again; `None` when nobody is left whose time will be over.
    fn reset_sessions_in(&mut self, removed: &RemovedNetns, now: Moment) -> Option<Moment> {
        let mut over = Vec::new();
        let mut next = Some(removed.since.after(LAST_LOOK)).filter(|last| *last > now);
        for (key, entry) in &self.sessions {
            let Some((side, Some(patience))) = inside(entry, &removed.left) else {
                continue;
            };
            let due = removed.since.after(patience);
            if due <= now {
                over.push((key, side));
            } else {
                next = [next, Some(due)].into_iter().flatten().min();
            }
        }
        for (key, side) in over {
            self.end(key, CloseReason::NetnsRemoved(side));
        }
        next
    }

    /// Who is in which namespace.
    pub(super) fn take_census(&self) -> Census {
        let mut census = Census::default();
        for (_, entry) in &self.sessions {
            let places = Side::BOTH.map(|side| place(entry, side));
            let [downstream, upstream] = &places;
            let twice = downstream == upstream;
            for place in places.into_iter().take(if twice { 1 } else { 2 }).flatten() {
                *census.sessions.entry(place).or_default() += 1;
            }
        }
        self.resources.opener.stock_by_netns(&mut |netns, sockets| {
            *census.stock.entry(netns.clone()).or_default() += sockets;
        });
        census
    }
}

/// Whether a session has a connection in this namespace: on which side, and how long it may go on.
fn inside(entry: &Entry, left: &LeftNetns) -> Option<(Side, Option<Span>)> {
    let route = &entry.route;
    let downstream = (route.netns.is_some() && route.netns_id == left.id)
        .then_some((Side::Downstream, route.netns_removed));
    let upstream = upstream_id(entry, |netns| left.names.contains(netns))
        .is_some_and(|id| id == left.id)
        .then_some((Side::Upstream, route.pool.netns_removed));
    match (downstream, upstream) {
        (Some(downstream), Some(upstream)) => {
            // `None` is for ever.
            let patience = |(_, span): &(Side, Option<Span>)| span.map_or(Duration::MAX, Span::as_duration);
            Some(if patience(&upstream) < patience(&downstream) {
                upstream
            } else {
                downstream
            })
        }
        (one, other) => one.or(other),
    }
}

/// The namespace of the connection to the server, if its name is one of these. Asks the kernel.
fn upstream_id(entry: &Entry, is_of_interest: impl Fn(&netns_core::NetnsSpec) -> bool) -> Option<NetnsId> {
    let netns = entry.server.as_ref()?.netns.as_deref()?;
    let socket = entry.socket(Side::Upstream).filter(|_| is_of_interest(netns))?;
    NetnsId::of_socket(socket).ok()
}

fn place(entry: &Entry, side: Side) -> Option<(netns_core::NetnsSpec, NetnsId)> {
    match side {
        Side::Downstream => Some((entry.route.netns.as_deref()?.clone(), entry.route.netns_id)),
        Side::Upstream => {
            let id = upstream_id(entry, |_| true)?;
            Some((entry.server.as_ref()?.netns.as_deref()?.clone(), id))
        }
    }
}
