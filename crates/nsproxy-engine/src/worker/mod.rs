//! One thread: a poller, its sessions, and everything that they share. The loop is [`Worker::run`].
//!
//! | file | what it does |
//! |---|---|
//! | `acceptor.rs` | accepts, spreads connections over the workers, pauses when there is no room |
//! | `commands.rs` | does what it is told by mailbox |
//! | `driver.rs` | carries out the steps of one session |
//! | `header.rs`, `composed.rs` | PROXY headers in and out, and the TLVs that are made for each session |
//! | `rules.rs` | puts a session before the rules of its relay, and does what they say |
//! | `connector.rs` | chooses a server, makes the upstream connection |
//! | `early.rs` | sends what the client has said with the first segment of that connection |
//! | `counting.rs` | what is counted of sessions, and when |
//! | `listed.rs` | what is answered to who asks for its sessions |
//! | `entry.rs` | what is kept of one session |
//! | `facts.rs`, `milestones.rs` | what an observer can ask of a session, and what is remembered for it |
//! | `buffers.rs`, `pipes.rs` | where bytes wait, pooled and bounded |
//! | `resources.rs` | what the sessions share, the opener and the clock among them |
//! | `occupancy.rs` | whether it has time for more |
//! | `sockets.rs` | has sockets opened |
//! | `removed.rs` | sessions in namespaces that were removed |
//! | `timers.rs` | deadlines |
//! | `token.rs` | what a readiness event is about |

mod acceptor;
mod buffers;
mod commands;
mod composed;
mod connector;
mod counting;
mod driver;
mod early;
mod entry;
mod facts;
mod header;
mod listed;
mod loops;
mod milestones;
mod occupancy;
mod pipes;
mod removed;
mod resources;
mod rules;
mod sockets;
mod timers;
mod token;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::{Events, Poll};
use slab::Slab;

use self::acceptor::Acceptor;
use self::driver::Turn;
use self::entry::Entry;
pub use self::facts::SessionFacts;
use self::occupancy::Occupancy;
use self::removed::Removed;
use self::resources::Resources;
use self::timers::Timers;
use self::token::{About, edge};
use crate::accepted::Accepted;
use crate::admission::Gate;
use crate::clock::Clock;
use crate::core::close::{CloseReason, Errno, RuleStage};
use crate::core::moment::Moment;
use crate::core::side::Side;
use crate::inbox::{Command, Mailbox, Mailboxes};
use crate::listeners::ListenerId;
use crate::observer::{Notice, Observer};
use crate::opener::{OpenAnswer, OpenerFactory};
use crate::own::OwnConnections;

/// Events taken from the poller at a time: few, so that new work is seen soon (HAProxy gained 18 % by the same step).
const EVENTS: usize = 128;

/// What a worker is made from, on the thread of the engine.
pub(crate) struct Seed {
    pub(crate) poll: Poll,
    pub(crate) commands: Receiver<Command>,
    /// Its place in `mailboxes`.
    pub(crate) index: usize,
    /// Its own.
    pub(crate) mailbox: Mailbox,
    /// Of all workers; its own is not there yet if it comes later.
    pub(crate) mailboxes: Arc<Mailboxes>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) own: Arc<OwnConnections>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) clock: Clock,
    /// Of sessions that have a number: shared by all workers.
    pub(crate) numbers: Arc<AtomicU64>,
    /// Pipes that its flows may have.
    pub(crate) pipes: usize,
    /// Sockets that its opener may hold in stock.
    pub(crate) stock: usize,
}

/// The token under which a worker hears of its inbox.
pub(crate) const INBOX: mio::Token = About::Inbox.token();

/// One worker.
pub(crate) struct Worker {
    poll: Poll,
    commands: Receiver<Command>,
    index: usize,
    mailbox: Mailbox,
    mailboxes: Arc<Mailboxes>,
    gate: Arc<Gate>,
    sessions: Slab<Entry>,
    generation: u32,
    /// Sessions whose budget was used up: no new edge will come for them.
    run_queue: VecDeque<usize>,
    timers: Timers,
    acceptor: Acceptor,
    resources: Resources,
    removed: Removed,
    /// Requests that the opener has not answered. While there are none, it is not asked.
    awaiting_sockets: usize,
    /// While the opener has sockets in stock: when to have it throw away what nobody uses.
    stock_checked_at: Option<Moment>,
    /// Set once draining: when to give up on sessions.
    drain_until: Option<Instant>,
    /// Lists that keep their memory from round to round.
    due: Vec<usize>,
    answers: Vec<OpenAnswer>,
    accepted: Vec<Accepted>,
}

impl Worker {
    /// Makes the worker on the thread that it will run on.
    pub(crate) fn new(seed: Seed, factory: &dyn OpenerFactory) -> io::Result<Self> {
        let Seed {
            poll,
            commands,
            index,
            mailbox,
            mailboxes,
            gate,
            own,
            observer,
            clock,
            numbers,
            pipes,
            stock,
        } = seed;
        let mut opener = factory.opener(stock)?;
        opener.register(poll.registry(), About::Opener.token())?;
        let resources = Resources::new(
            poll.registry().try_clone()?,
            opener,
            own,
            Arc::clone(mailbox.stats()),
            observer,
            (index, Arc::clone(&mailboxes), Arc::clone(&gate)),
            (clock, numbers, pipes),
        );
        Ok(Self {
            poll,
            commands,
            index,
            mailbox,
            mailboxes,
            gate,
            sessions: Slab::new(),
            generation: 0,
            run_queue: VecDeque::new(),
            timers: Timers::new(),
            acceptor: Acceptor::default(),
            resources,
            removed: Removed::default(),
            awaiting_sockets: 0,
            stock_checked_at: None,
            drain_until: None,
            due: Vec::new(),
            answers: Vec::new(),
            accepted: Vec::new(),
        })
    }

    /// The event loop. Returns when the engine was drained or stopped.
    ///
    /// # Errors
    ///
    /// The poller failed: nothing can be known of any socket any more.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        let mut occupancy = Occupancy::of_this_thread(Instant::now());
        while !self.has_ended() {
            self.wait(&mut events, &mut occupancy)?;
            for event in &events {
                if let About::Session(key, side) = About::from(event.token()) {
                    self.on_edge(key, side, event);
                }
            }
            // Sessions begin only after that: one that took the key of a session that has just ended would otherwise be
            // told what had happened to the other.
            for event in &events {
                match About::from(event.token()) {
                    About::Listener(id) => self.accept(id),
                    About::Inbox => self.read_inbox(),
                    About::Session(..) | About::Opener => {}
                }
            }
            self.continue_unfinished();
            self.on_time();
            // Last of all that sessions do: whoever asks for a socket in this round gets it in this round.
            self.open_sockets();
            self.look_after_stock();
            self.publish();
        }
        Ok(())
    }

    /// Waits for events. Who sleeps has time for more, however busy it was before.
    fn wait(&mut self, events: &mut Events, occupancy: &mut Occupancy) -> io::Result<()> {
        let load = self.mailbox.load();
        if occupancy.is_saturated() {
            load.set_saturated(false);
        }
        if let Err(error) = self.poll.poll(events, self.patience())
            && error.kind() != io::ErrorKind::Interrupted
        {
            return Err(error);
        }
        occupancy.look(self.resources.tick());
        if occupancy.is_saturated() {
            load.set_saturated(true);
        }
        Ok(())
    }

    fn on_edge(&mut self, key: usize, side: Side, event: &Event) {
        // A session that has ended in this very batch of events may still be named in it.
        if let Some(entry) = self.sessions.get_mut(key) {
            entry.core.on_edge(side, edge(event));
            self.drive(key);
        }
    }

    /// One turn of a session.
    fn drive(&mut self, key: usize) {
        let Some(entry) = self.sessions.get_mut(key) else {
            return;
        };
        let before = entry.core.bytes();
        let turn = driver::turn(entry, key, &mut self.resources);
        self.resources.counting().bytes(entry, before);
        match turn {
            Turn::Ended(reason) => return self.end(key, reason),
            Turn::Waits => {}
            Turn::WaitsForSocket => self.awaiting_sockets += 1,
            Turn::Unfinished if entry.queued => {}
            Turn::Unfinished => {
                entry.queued = true;
                self.run_queue.push_back(key);
            }
        }
        // A deadline that has moved to later, as it does with every byte, is looked at when the timer fires.
        if let Some(deadline) = entry.core.deadline(&entry.route.timeouts)
            && self.timers.armed_at(key).is_none_or(|armed| deadline < armed)
        {
            self.timers.arm(key, deadline);
        }
    }

    /// Another turn for sessions that have used up their budget: each one once, so that new events come in between.
    fn continue_unfinished(&mut self) {
        for _ in 0..self.run_queue.len() {
            let Some(key) = self.run_queue.pop_front() else {
                return;
            };
            if let Some(entry) = self.sessions.get_mut(key)
                && std::mem::take(&mut entry.queued)
            {
                self.drive(key);
            }
        }
    }

    fn accept(&mut self, id: ListenerId) {
        let Some(route) = self.acceptor.route(id) else {
            return;
        };
        let mut accepted = std::mem::take(&mut self.accepted);
        let batch = self
            .acceptor
            .accept(&self.poll, id, &self.gate, self.resources.now(), &mut accepted);
        self.resources.stats.accepted.add(accepted.len() as u64);
        if let Err(error) = batch.result {
            self.resources.observer.notice(&Notice::AcceptFailed {
                relay: &route.relay,
                error: &error,
            });
        }
        for connection in accepted.drain(..) {
            self.place(connection);
        }
        self.accepted = accepted;
        if batch.room_awaited {
            self.announce_room();
        }
    }

    /// Somebody was turned away at a gate that has room again.
    fn announce_room(&self) {
        self.mailboxes
            .iter()
            .for_each(|mailbox| mailbox.send(Command::ResumeAccepting));
    }

    /// Gives a new connection to the worker that should have it.
    fn place(&mut self, accepted: Accepted) {
        let target = acceptor::worker_for(&self.mailboxes, self.index);
        if target == self.index {
            return self.begin_counted(accepted);
        }
        if let Err(accepted) = acceptor::hand_over(&self.mailboxes[target], accepted) {
            self.begin_counted(accepted);
        }
    }

    fn begin_counted(&mut self, accepted: Accepted) {
        // Only this worker ends its load, and only when it has returned from here.
        let _ = self.mailbox.load().add();
        self.begin(accepted);
    }

    /// Starts a session; it is counted already.
    fn begin(&mut self, accepted: Accepted) {
        self.generation = self.generation.wrapping_add(1);
        let slot = self.sessions.vacant_entry();
        let key = slot.key();
        if accepted.route.followed {
            self.resources.followed.add(key);
        }
        let entry = slot.insert(Entry::new(accepted, self.generation, self.resources.now()));
        if entry.route.judge.is_some() {
            rules::on_accepted(entry, self.resources.now());
        }
        self.resources.counting().begin(entry);
        if let Some(socket) = entry.socket(Side::Downstream)
            && let Err(error) = self.resources.watch(socket, key, Side::Downstream, false)
        {
            entry
                .core
                .close(CloseReason::Failed(Side::Downstream, Errno::from(&error)));
        }
        self.drive(key);
    }

    /// Releases everything that a session has, and tells whoever wants to know.
    fn end(&mut self, key: usize, reason: CloseReason) {
        self.timers.cancel(key);
        let mut entry = self.sessions.remove(key);
        // What was taken from the client and has not reached the server that should have it is lost.
        let has_lost = reason.is_upstream_failure() && !entry.contents(Side::Downstream).is_empty();
        if reason.aborts() || has_lost {
            for socket in Side::BOTH.iter().filter_map(|side| entry.socket(*side)) {
                // So that the close is a reset. Should it fail, the peer sees an end instead.
                let _ = socket.set_linger(Some(Duration::ZERO));
            }
        }
        let summary = entry.summary(reason, self.resources.facts(&entry, key));
        self.resources.count(&summary);
        self.resources.counting().end(&entry, reason);
        self.resources.observer.session_ended(&summary);
        for holding in &mut entry.holdings {
            holding.release(false, &mut self.resources.buffers, &mut self.resources.pipes);
        }
        self.mailbox.load().remove();
        let route = Arc::clone(&entry.route);
        if route.followed {
            self.resources.followed.remove(key);
        }
        // The sockets are closed before anybody is told that there is room.
        connector::drop_upstream(&mut entry, &self.resources);
        connector::leave(&mut entry, &mut self.resources);
        drop(entry);
        let leave = match reason {
            // It does not count against the rate (HAProxy's manual, `tcp-request connection reject`).
            CloseReason::Rejected(RuleStage::Connection) => acceptor::give_back,
            _ => acceptor::leave,
        };
        if leave(&self.gate, &route) {
            self.announce_room();
        }
    }

    fn on_time(&mut self) {
        let now = self.resources.now();
        let mut due = std::mem::take(&mut self.due);
        self.timers.expire(now, &mut due);
        for key in due.drain(..) {
            if let Some(entry) = self.sessions.get_mut(key) {
                let was_connecting = entry.core.is_connecting();
                entry.core.on_time(now, &entry.route.timeouts);
                if was_connecting && !entry.core.is_connecting() {
                    connector::testify(entry, false);
                }
                self.drive(key);
            }
        }
        self.due = due;
        self.look_at_removed();
        if self
            .acceptor
            .resume_at()
            .is_some_and(|resume_at| resume_at <= now)
        {
            self.acceptor.resume(&self.poll, self.resources.now());
        }
        if self
            .drain_until
            .is_some_and(|deadline| deadline <= Instant::now())
        {
            self.stop_sessions();
        }
    }

    /// Draining is over: no session is left, and none is on the way from another worker.
    fn has_ended(&self) -> bool {
        self.drain_until.is_some() && self.sessions.is_empty() && self.mailbox.load().end()
    }

    /// How long the poller may sleep.
    #[inline]
    fn patience(&self) -> Option<Duration> {
        if !self.run_queue.is_empty() {
            return Some(Duration::ZERO);
        }
        let now = self.resources.now();
        [
            self.timers.idle_for(now),
            self.acceptor.resume_at().map(|resume_at| resume_at.since(now)),
            self.stock_checked_at.map(|due| due.since(now)),
            self.removed.look_at().map(|due| due.since(now)),
            self.drain_until
                .map(|deadline| deadline.saturating_duration_since(Instant::now())),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Lets others see how much is in use.
    fn publish(&self) {
        let Resources {
            stats,
            pipes,
            buffers,
            opener,
            ..
        } = &self.resources;
        stats.sessions.set(self.sessions.len());
        stats.pipes_in_use.set(pipes.lent());
        stats.buffers_in_use.set(buffers.out());
        stats.timers_armed.set(self.timers.armed());
        stats.sockets_in_stock.set(opener.stock());
    }
}
