//! What the sessions of a worker share: places for bytes to wait, the opener, the clock, and whom to tell.

use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use mio::unix::SourceFd;
use mio::{Interest, Registry};
use socket2::Socket;

use super::buffers::{BufferPool, SCRATCH};
use super::counting::Counting;
use super::entry::Entry;
use super::facts::SessionFacts;
use super::milestones::{After, Followed, Milestones};
use super::pipes::PipePool;
use super::token::About;
use crate::admission::Gate;
use crate::clock::Clock;
use crate::core::balance::{Placed, Ticket};
use crate::core::close::CloseReason;
use crate::core::moment::Moment;
use crate::core::side::Side;
use crate::inbox::{self, Mailboxes};
use crate::observer::{Observer, SessionSummary};
use crate::opener::{OpenToken, SocketOpener, SocketRequest};
use crate::own::OwnConnections;
use crate::places::OwnPlaces;
use crate::pool::{Pool, Waiter, Wish};
use crate::server::Server;
use crate::stats::WorkerStats;

/// What every socket is watched for.
const TELLING: Interest = Interest::READABLE.add(Interest::PRIORITY);

/// What the sessions of a worker share.
pub(super) struct Resources {
    registry: Registry,
    pub(super) scratch: Box<[u8]>,
    pub(super) buffers: BufferPool,
    pub(super) pipes: PipePool,
    pub(super) opener: Box<dyn SocketOpener>,
    pub(super) own: Arc<OwnConnections>,
    /// Where the engine listens, as far as this worker was told.
    pub(super) places: OwnPlaces,
    pub(super) stats: Arc<WorkerStats>,
    pub(super) observer: Arc<dyn Observer>,
    worker: usize,
    mailboxes: Arc<Mailboxes>,
    pub(super) followed: Followed,
    /// Sessions to be called; empty but within a call.
    called: Vec<Waiter>,
    gate: Arc<Gate>,
    clock: Clock,
    now: Moment,
}

impl Resources {
    pub(super) fn new(
        registry: Registry,
        opener: Box<dyn SocketOpener>,
        own: Arc<OwnConnections>,
        stats: Arc<WorkerStats>,
        observer: Arc<dyn Observer>,
        (worker, mailboxes, gate): (usize, Arc<Mailboxes>, Arc<Gate>),
        (clock, numbers, pipes): (Clock, Arc<AtomicU64>, usize),
    ) -> Self {
        Self {
            registry,
            scratch: vec![0; SCRATCH].into(),
            buffers: BufferPool::default(),
            pipes: PipePool::new(pipes),
            opener,
            own,
            places: OwnPlaces::default(),
            stats,
            observer,
            followed: Followed::new(numbers),
            worker,
            mailboxes,
            called: Vec::new(),
            gate,
            clock,
            now: clock.now(),
        }
    }

    /// The time at the start of this round of the loop.
    #[inline]
    pub(super) fn now(&self) -> Moment {
        self.now
    }

    /// Looks at the clock.
    pub(super) fn tick(&mut self) -> Instant {
        let now = Instant::now();
        self.now = self.clock.at(now);
        now
    }

    /// Counts, for this worker and as of now.
    #[inline]
    pub(super) fn counting(&self) -> Counting {
        Counting {
            worker: self.worker,
            now: self.now,
        }
    }

    /// Has the poller tell of a socket: edge-triggered, urgent marks included. Of room for bytes only where that `is_awaited`: most
    /// sockets always have it, and would tell of it for nothing when they are registered.
    pub(super) fn watch(&self, socket: &Socket, key: usize, side: Side, is_awaited: bool) -> io::Result<()> {
        let room = is_awaited.then_some(Interest::WRITABLE);
        let interest = room.map_or(TELLING, |room| TELLING | room);
        self.registry.register(
            &mut SourceFd(&socket.as_raw_fd()),
            About::Session(key, side).token(),
            interest,
        )
    }

    /// Has the poller tell of room, too, for as long as the socket lives. What there is already is told of at once.
    pub(super) fn await_room(&self, socket: &Socket, key: usize, side: Side) -> io::Result<()> {
        self.registry.reregister(
            &mut SourceFd(&socket.as_raw_fd()),
            About::Session(key, side).token(),
            TELLING | Interest::WRITABLE,
        )
    }

    /// Asks the opener for a session's upstream socket.
    pub(super) fn request_socket(&mut self, key: usize, generation: u32, request: SocketRequest) {
        self.opener.request(join(key, generation), request);
    }

    /// What an observer can ask of this session now.
    pub(super) fn facts<'a>(&'a self, entry: &'a Entry, key: usize) -> SessionFacts<'a> {
        let milestones = entry.route.followed.then(|| self.followed.get(key)).flatten();
        SessionFacts::of(entry, &self.gate, milestones, self.now)
    }

    /// The milestones of a session, if it is followed, and how long it is since it was accepted.
    pub(super) fn milestones(&mut self, entry: &Entry, key: usize) -> Option<(&mut Milestones, After)> {
        let after = || After::between(entry.accepted_at, self.now);
        if entry.route.followed {
            let after = after();
            self.followed.get_mut(key).map(|milestones| (milestones, after))
        } else {
            None
        }
    }

    /// Finds a server for a session; see [`Pool::place`].
    pub(super) fn place(
        &mut self,
        pool: &Pool,
        wish: Wish<'_, impl FnOnce() -> Option<u32>>,
        (key, generation): (usize, u32),
    ) -> Placed<Arc<Server>> {
        let waiter = Waiter {
            worker: self.worker,
            key,
            generation,
        };
        let placed = pool.place(wish, waiter, &mut self.called);
        self.call();
        placed
    }

    /// Gives a place at a server back.
    pub(super) fn release(&mut self, pool: &Pool, server: &Server) {
        pool.release(server, &mut self.called);
        self.call();
    }

    /// A session waits no more.
    pub(super) fn abandon(&mut self, pool: &Pool, ticket: Ticket) {
        pool.abandon(ticket, &mut self.called);
        self.call();
    }

    fn call(&mut self) {
        inbox::call(&self.mailboxes, self.called.drain(..));
    }

    /// Counts the end of a session.
    pub(super) fn count(&self, summary: &SessionSummary<'_>) {
        let stats = &self.stats;
        let reason = summary.reason;
        if reason == CloseReason::Finished {
            &stats.finished
        } else {
            &stats.failed
        }
        .add(1);
        if reason.is_header_refused() {
            stats.header_refused.add(1);
        }
        if matches!(reason, CloseReason::NetnsRemoved(_)) {
            stats.netns_removed_sessions.add(1);
        }
        if reason.is_upstream_failure() {
            stats.upstream_failed.add(1);
        }
        stats.bytes_up.add(summary.bytes_up);
        stats.bytes_down.add(summary.bytes_down);
    }
}

/// A slab key is below the limit of open files, far below 2^32.
fn join(key: usize, generation: u32) -> OpenToken {
    OpenToken((key as u64) << 32 | u64::from(generation))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "both halves are of 32 bits by construction"
)]
pub(super) fn split(OpenToken(token): OpenToken) -> (usize, u32) {
    ((token >> 32) as usize, token as u32)
}
