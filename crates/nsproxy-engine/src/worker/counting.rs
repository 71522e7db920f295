//! What a worker counts of its sessions: at their begin and end, and on the way to a server. Each number has its place in
//! `tally`; here is when it changes.

use std::time::Duration;

use super::entry::Entry;
use crate::core::close::{CloseReason, RuleStage};
use crate::core::moment::Moment;
use crate::core::side::Side;
use crate::pool::Pool;
use crate::server::Server;
use crate::tally::{self, Cell};

/// Whose cells, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counting {
    pub(super) worker: usize,
    pub(super) now: Moment,
}

impl Counting {
    /// A connection was accepted, and the rules about connections have looked at it.
    pub(super) fn begin(self, entry: &Entry) {
        let tally = &entry.route.tally;
        let cell = tally.cells.of(self.worker);
        tally.level.enter();
        tally.connections.count(self.now);
        cell.numbers.connections.add(1);
        if !entry.core.is_rejected(RuleStage::Connection) {
            tally.level.rate.count(self.now);
            cell.begin(self.now);
        }
    }

    /// A session looks for a server, for the first time.
    pub(super) fn enter_pool(self, pool: &Pool) {
        let tally = pool.tally();
        tally.level.enter();
        tally.level.rate.count(self.now);
        tally.cells.of(self.worker).begin(self.now);
    }

    /// A session gets a server, another than `before` if it had one. One that was `called` has waited for it.
    pub(super) fn assign(self, pool: &Pool, before: Option<&Server>, server: &Server, called: bool) {
        let cells = [self.pool(pool), self.server(server)];
        server.load.rate.count(self.now);
        cells[1].begin(self.now);
        if !called {
            for cell in cells {
                cell.numbers.chosen.add(1);
                cell.queue.add(Duration::ZERO);
            }
        }
        match before {
            Some(before) if before.name != server.name => {
                cells[0].numbers.redispatches.add(1);
                self.server(before).numbers.redispatches.add(1);
            }
            Some(_) => self.retry(pool, server),
            None => {}
        }
    }

    /// A session that has waited so long gets this server.
    pub(super) fn call(self, pool: &Pool, server: &Server, waited: Duration) {
        self.pool(pool).queue.add(waited);
        self.server(server).queue.add(waited);
    }

    /// Another attempt at the same server.
    pub(super) fn retry(self, pool: &Pool, server: &Server) {
        self.pool(pool).numbers.retries.add(1);
        self.server(server).numbers.retries.add(1);
    }

    /// A connection is attempted.
    pub(super) fn attempt(self, pool: &Pool, server: &Server) {
        self.pool(pool).numbers.attempts.add(1);
        self.server(server).numbers.attempts.add(1);
    }

    /// A connection was established, which took so long.
    pub(super) fn connected(self, entry: &Entry, took: Duration) {
        self.pool(&entry.route.pool).connect.add(took);
        if let Some(chosen) = &entry.server {
            self.server(&chosen.server).connect.add(took);
        }
    }

    /// In a turn, the bytes of a session have grown from what they were `before`.
    #[inline]
    pub(super) fn bytes(self, entry: &Entry, before: [u64; 2]) {
        let after = entry.core.bytes();
        let [up, down] = [0, 1].map(|index| tally::steps(before[index], after[index]));
        if up | down != 0 {
            self.add_bytes(entry, [up, down]);
        }
    }

    /// A session has ended.
    pub(super) fn end(self, entry: &Entry, reason: CloseReason) {
        self.add_bytes(entry, entry.core.bytes().map(tally::rest));
        let tally = &entry.route.tally;
        let relay = tally.cells.of(self.worker);
        tally.level.leave();
        match reason {
            CloseReason::Rejected(RuleStage::Connection) => relay.numbers.rejected_connections.add(1),
            CloseReason::Rejected(RuleStage::Session) => relay.numbers.rejected_sessions.add(1),
            CloseReason::Rejected(RuleStage::Content) => relay.numbers.rejected_contents.add(1),
            CloseReason::Rejected(RuleStage::Response) => relay.numbers.rejected_responses.add(1),
            _ if reason.is_header_refused() => relay.numbers.header_refused.add(1),
            _ => {}
        }
        if !entry.is_in_pool() {
            return;
        }
        entry.route.pool.tally().level.leave();
        let server = entry.server.as_ref().map(|chosen| self.server(&chosen.server));
        let cells = [Some(self.pool(&entry.route.pool)), server];
        for cell in cells.into_iter().flatten() {
            cell.total.add(self.now.since(entry.accepted_at));
            if reason.is_upstream_failure() {
                cell.numbers.failed.add(1);
            }
            if reason == CloseReason::Rejected(RuleStage::Response) {
                cell.numbers.rejected_responses.add(1);
            }
        }
        let aborts: fn(&Cell) = match aborted_by(reason) {
            Some(Side::Downstream) => |cell| cell.numbers.client_aborts.add(1),
            Some(Side::Upstream) => |cell| cell.numbers.server_aborts.add(1),
            None => return,
        };
        cells.into_iter().flatten().chain([relay]).for_each(aborts);
    }

    fn add_bytes(self, entry: &Entry, [up, down]: [u64; 2]) {
        let relay = entry.route.tally.cells.of(self.worker);
        let server = entry.server.as_ref().map(|chosen| self.server(&chosen.server));
        let pool = server.map(|_| self.pool(&entry.route.pool));
        for cell in [Some(relay), pool, server].into_iter().flatten() {
            cell.numbers.bytes_up.add(up);
            cell.numbers.bytes_down.add(down);
        }
    }

    fn pool(self, pool: &Pool) -> &Cell {
        pool.tally().cells.of(self.worker)
    }

    fn server(self, server: &Server) -> &Cell {
        server.tally.cells.of(self.worker)
    }
}

/// The side whose fault the end was.
const fn aborted_by(reason: CloseReason) -> Option<Side> {
    match reason {
        CloseReason::Reset(side) | CloseReason::Failed(side, _) | CloseReason::IdleTimeout(side) => {
            Some(side)
        }
        _ => None,
    }
}
