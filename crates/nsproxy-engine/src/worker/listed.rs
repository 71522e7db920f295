//! What a worker answers when it is asked for its sessions.

use super::Worker;
use super::entry::Entry;
use crate::listing::{PAGE, Page, Question, SessionId, SessionStatus};

impl Worker {
    /// A page of the sessions, or one session. Whoever asked may have gone.
    pub(super) fn answer(&self, Question { from, only, reply }: Question) {
        let places = self.sessions.capacity();
        let until = from.saturating_add(if only.is_some() { 1 } else { PAGE });
        let sessions = (from..until.min(places)).filter_map(|key| {
            let entry = self.sessions.get(key)?;
            let is_meant = only.is_none_or(|generation| generation == entry.generation);
            is_meant.then(|| self.status(key, entry))
        });
        let page = Page {
            sessions: sessions.collect(),
            next: (only.is_none() && until < places).then_some(until),
        };
        let _ = reply.send(page);
    }

    fn status(&self, key: usize, entry: &Entry) -> SessionStatus {
        let now = self.resources.now();
        let chosen = entry.server.as_ref();
        SessionStatus {
            id: SessionId {
                worker: self.index,
                key,
                generation: entry.generation,
            },
            relay: entry.route.relay.clone(),
            pool: entry.has_pool().then(|| entry.route.pool.name.clone()),
            server: chosen.map(|chosen| chosen.server.name.clone()),
            listener: (entry.route.address.clone(), entry.route.netns.clone()),
            client: entry.client(),
            client_netns: entry.client_netns().cloned(),
            source: entry.source(),
            upstream: entry.server_address(),
            upstream_netns: chosen.and_then(|chosen| chosen.netns.clone()),
            stage: entry.core.stage(),
            age: now.since(entry.accepted_at),
            idle: entry.core.idle(now),
            expires: entry
                .core
                .deadline(&entry.route.timeouts)
                .map(|deadline| deadline.since(now)),
            bytes: entry.core.bytes(),
            retries: entry.core.retried(),
        }
    }
}
