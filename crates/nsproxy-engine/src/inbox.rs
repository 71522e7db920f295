//! How workers are told things: a queue and a wake-up, and how many sessions each of them has.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use mio::{Registry, Token, Waker};
use netns_core::NetnsId;

use crate::accepted::Accepted;
use crate::core::balance;
use crate::core::close::CloseReason;
use crate::growing::Growing;
use crate::listeners::{Listener, ListenerId};
use crate::listing::{Question, SessionId};
use crate::live::{Census, LeftNetns};
use crate::pool::Waiter;
use crate::route::Route;
use crate::stats::WorkerStats;

/// What a worker can be told.
#[derive(Debug)]
pub(crate) enum Command {
    /// Accept from this listener on this route; replaces the route of one that it knows.
    Listen(Arc<Listener>, Arc<Route>),
    /// Stop accepting from this listener.
    Unlisten(ListenerId),
    /// Take over a connection that another worker has accepted. It is counted already.
    Adopt(Box<Accepted>),
    /// A session of this worker that has waited has a place at a server; or it has ended since.
    Called(Waiter),
    /// The sessions of the server with this load end, for this reason.
    EndSessions(Arc<balance::Load>, CloseReason),
    /// No name leads to this namespace any more: what is left in it has some time yet.
    LeaveNetns(Arc<LeftNetns>),
    /// A name leads to this namespace again.
    EnterNetns(NetnsId),
    /// Say who is in which namespace.
    TakeCensus(Sender<Census>),
    /// This session ends, if there is one; whether there was is the answer.
    EndSession(SessionId, Sender<bool>),
    /// Tells of its sessions.
    List(Question),
    /// A place is free again.
    ResumeAccepting,
    /// Accept nothing until told to; sessions go on.
    Rest,
    /// Accept again.
    Work,
    /// Drop this, to show that commands are read.
    ComeRound(Sender<Infallible>),
    /// Connections may wait at a listener that nobody was told of.
    LookAgain,
    /// Stop accepting for good; sessions that are left at the deadline are stopped.
    Drain(Instant),
    /// End every session now.
    Stop,
}

/// The sending side of a worker's inbox, and what others see of the worker.
#[derive(Debug, Clone)]
pub(crate) struct Mailbox {
    sender: Sender<Command>,
    waker: Arc<Waker>,
    /// It was woken, and has not opened its mailbox since: whatever else comes until then needs no wake-up.
    is_woken: Arc<AtomicBool>,
    load: Arc<WorkerLoad>,
    stats: Arc<WorkerStats>,
}

/// Those of all workers.
pub(crate) type Mailboxes = Growing<Mailbox>;

impl Mailbox {
    /// A mailbox whose wake-ups arrive at `registry` as events with `token`.
    pub(crate) fn new(registry: &Registry, token: Token) -> io::Result<(Self, Receiver<Command>)> {
        let (sender, receiver) = channel();
        let mailbox = Self {
            sender,
            waker: Arc::new(Waker::new(registry, token)?),
            is_woken: Arc::default(),
            load: Arc::default(),
            stats: Arc::default(),
        };
        Ok((mailbox, receiver))
    }

    /// Tells the worker. One that has ended is told nothing, and needs to be told nothing.
    pub(crate) fn send(&self, command: Command) {
        if self.sender.send(command).is_ok() && !self.is_woken.swap(true, Ordering::AcqRel) {
            // A wake-up can only fail when the worker has ended in the meantime.
            let _ = self.waker.wake();
        }
    }

    /// To be called by the worker before it takes what is there: what is sent from now on wakes it again.
    pub(crate) fn open(&self) {
        // A store would not do: it is what was read here that makes everything seen that was sent without a wake-up.
        self.is_woken.swap(false, Ordering::AcqRel);
    }

    pub(crate) fn load(&self) -> &WorkerLoad {
        &self.load
    }

    /// What it has counted, for it alone to write.
    pub(crate) fn stats(&self) -> &Arc<WorkerStats> {
        &self.stats
    }
}

/// Tells each of these sessions, by its worker, that it has a place.
pub(crate) fn call(mailboxes: &Mailboxes, called: impl IntoIterator<Item = Waiter>) {
    for waiter in called {
        mailboxes[waiter.worker].send(Command::Called(waiter));
    }
}

/// How many sessions a worker has, those on the way to it included. A worker that has ended takes no more: so no session
/// can be handed to one that does not look into its inbox again.
#[derive(Debug, Default)]
pub(crate) struct WorkerLoad {
    sessions: AtomicUsize,
    is_saturated: AtomicBool,
    is_resting: AtomicBool,
}

const ENDED: usize = usize::MAX;

impl WorkerLoad {
    /// Counts one more; `false` when the worker has ended.
    #[must_use]
    pub(crate) fn add(&self) -> bool {
        let added = self
            .sessions
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |load| {
                (load != ENDED).then(|| load + 1)
            });
        added.is_ok()
    }

    /// One session has ended.
    pub(crate) fn remove(&self) {
        self.sessions.fetch_sub(1, Ordering::SeqCst);
    }

    /// Ends the worker, provided that it has no session left and none is on the way.
    #[must_use]
    pub(crate) fn end(&self) -> bool {
        self.sessions
            .compare_exchange(0, ENDED, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }

    /// Sessions now; a worker that has ended or rests counts as the busiest of all.
    pub(crate) fn get(&self) -> usize {
        if self.is_resting() {
            return ENDED;
        }
        self.sessions.load(Ordering::Relaxed)
    }

    /// Sessions now.
    pub(crate) fn sessions(&self) -> usize {
        match self.sessions.load(Ordering::Relaxed) {
            ENDED => 0,
            sessions => sessions,
        }
    }

    /// Whether others are to give it no sessions.
    pub(crate) fn is_resting(&self) -> bool {
        self.is_resting.load(Ordering::Relaxed)
    }

    /// Whether others are to give it no sessions. `true` when that was otherwise before.
    pub(crate) fn set_resting(&self, is_resting: bool) -> bool {
        self.is_resting.swap(is_resting, Ordering::Relaxed) != is_resting
    }

    /// Whether the worker has no time for more. Others only take advice from it.
    pub(crate) fn is_saturated(&self) -> bool {
        self.is_saturated.load(Ordering::Relaxed)
    }

    /// Only the worker itself may call this.
    pub(crate) fn set_saturated(&self, is_saturated: bool) {
        self.is_saturated.store(is_saturated, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use mio::{Events, Poll};

    #[test]
    fn a_worker_is_woken_once_for_what_is_sent_until_it_opens_its_mailbox() {
        let mut poll = Poll::new().unwrap();
        let mut events = Events::with_capacity(4);
        let (mailbox, commands) = Mailbox::new(poll.registry(), Token(0)).unwrap();
        let mut is_woken = || {
            poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
            !events.is_empty()
        };
        mailbox.send(Command::Rest);
        assert!(is_woken());
        mailbox.send(Command::Work);
        assert!(!is_woken());
        mailbox.open();
        assert_eq!(commands.try_iter().count(), 2);
        mailbox.send(Command::Stop);
        assert!(is_woken());
    }

    #[test]
    fn a_worker_with_a_session_on_the_way_does_not_end_and_an_ended_one_takes_none() {
        let load = WorkerLoad::default();
        assert!(load.add());
        assert!(!load.end());
        load.remove();
        assert!(load.end());
        assert!(!load.add());
    }
}
