//! Sums of a relay, pool or server: a cell for each worker that has counted something.

use std::sync::OnceLock;
use std::time::Duration;

use super::timing::{Timing, TimingCell};
use crate::core::moment::Moment;
use crate::growing::Growing;
use crate::stats::{Counter, counters};

counters! {
    /// What one worker has counted.
    Numbers,
    /// What was counted of a relay, pool or server. Which of these mean something depends on which it is.
    Counts,
    /// Connections accepted; of relays.
    connections,
    /// Sessions that began: of relays, those that no rule about the connection has rejected; of pools, those that came to
    /// look for a server; of servers, those that got it.
    sessions,
    /// Times that it was chosen, waiting not counted; of pools and servers.
    chosen,
    /// Connection attempts; of pools and servers.
    attempts,
    /// Sessions that got no server or no connection; of pools and servers.
    failed,
    /// Attempts after a first one that failed, at the same server; of pools and servers.
    retries,
    /// The same, at another server; of pools and of the server that had failed.
    redispatches,
    /// Bytes delivered to servers: within 4096 bytes of each session that goes on.
    bytes_up,
    /// Bytes delivered to clients: within 4096 bytes of each session that goes on.
    bytes_down,
    /// Connections that a rule about the connection has rejected; of relays.
    rejected_connections,
    /// Sessions that a rule about the session has rejected; of relays.
    rejected_sessions,
    /// Sessions that a rule about what the client sends has rejected; of relays.
    rejected_contents,
    /// Sessions that a rule about what the server sends has rejected.
    rejected_responses,
    /// Sessions that ended for their PROXY header; of relays.
    header_refused,
    /// Sessions that the client has aborted or left idle.
    client_aborts,
    /// Sessions that the server has aborted or left idle.
    server_aborts,
}

/// What one worker counts, on cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Cell {
    pub(crate) numbers: Numbers,
    pub(crate) queue: TimingCell,
    pub(crate) connect: TimingCell,
    pub(crate) total: TimingCell,
    /// When a session last began, in milliseconds and one more: nothing for never.
    last: Counter,
}

impl Cell {
    /// A session begins.
    pub(crate) fn begin(&self, now: Moment) {
        self.numbers.sessions.add(1);
        self.last.put(now.as_millis() + 1);
    }
}

/// The cells of all workers. One that has never counted takes no room.
#[derive(Debug)]
pub(crate) struct Cells(Growing<OnceLock<Box<Cell>>>);

/// What was counted and measured of a pool or server, by all workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// How often what happened.
    pub counts: Counts,
    /// How long sessions waited for a server, or for this one.
    pub queue_time: Timing,
    /// How long connections took.
    pub connect_time: Timing,
    /// How long sessions lasted.
    pub total_time: Timing,
    /// Since a session last came, or got it.
    pub last_session: Option<Duration>,
}

impl Cells {
    /// For so many workers, and more if they come.
    pub(crate) fn new(workers: usize) -> Self {
        Self(Growing::new((0..workers).map(|_| OnceLock::new())))
    }

    /// That of a worker, for it alone to write.
    #[inline]
    pub(crate) fn of(&self, worker: usize) -> &Cell {
        self.0.get_or_grow(worker).get_or_init(Box::default)
    }

    pub(crate) fn sum(&self, now: Moment) -> Totals {
        let mut sum = Totals::default();
        let mut last = 0;
        let [mut queue, mut connect, mut total] = [(); 3].map(|()| TimingCell::default().measured());
        for cell in self.0.iter().filter_map(OnceLock::get) {
            sum.counts.add(&cell.numbers);
            queue = queue.with(cell.queue.measured());
            connect = connect.with(cell.connect.measured());
            total = total.with(cell.total.measured());
            last = last.max(cell.last.get());
        }
        [sum.queue_time, sum.connect_time, sum.total_time] = [queue, connect, total].map(Timing::from);
        sum.last_session = last
            .checked_sub(1)
            .map(|last| now.since(Moment::from_millis(last)));
        sum
    }
}
