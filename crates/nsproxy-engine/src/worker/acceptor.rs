//! Accepting: small batches, an even spread over the workers, and pauses instead of spinning when there is no room.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use mio::Poll;

use super::token::About;
use crate::accepted::Accepted;
use crate::admission::Gate;
use crate::core::moment::{Moment, Span};
use crate::inbox::{Command, Mailbox, Mailboxes};
use crate::listeners::{Listener, ListenerId};
use crate::route::Route;
use crate::sys;

/// Connections accepted from one listener before other work gets its turn.
const BATCH: usize = 16;
/// Pause after a failed accept: descriptors or memory have run out, and trying at once would spin.
const PAUSE: Duration = Duration::from_millis(100);

/// The listeners of one worker.
#[derive(Debug, Default)]
pub(super) struct Acceptor {
    listeners: HashMap<ListenerId, Listening>,
    resume_at: Option<Moment>,
    /// Nothing is to be accepted for now.
    is_resting: bool,
}

#[derive(Debug)]
struct Listening {
    listener: Arc<Listener>,
    route: Arc<Route>,
    /// Registered with the poller. Not while there is no room.
    watched: bool,
}

/// How a batch went.
pub(super) struct Batch {
    /// The failure that made the listener pause.
    pub(super) result: io::Result<()>,
    /// A place was taken in vain and given back, and in between somebody else was turned away for it.
    pub(super) room_awaited: bool,
}

impl Acceptor {
    /// Accepts from `listener` on `route`; one that is known only changes its route.
    pub(super) fn listen(
        &mut self,
        poll: &Poll,
        listener: Arc<Listener>,
        route: Arc<Route>,
    ) -> io::Result<()> {
        let is_resting = self.is_resting;
        if let Some(known) = self.find(listener.id) {
            known.route = route;
            // The new route may have room where the old one had none.
            if !known.watched && !is_resting {
                sys::add_exclusive(poll, &*known.listener, About::Listener(known.listener.id).token())?;
                known.watched = true;
            }
            return Ok(());
        }
        if !is_resting {
            sys::add_exclusive(poll, &*listener, About::Listener(listener.id).token())?;
        }
        let listening = Listening {
            listener,
            route,
            watched: !is_resting,
        };
        self.listeners.insert(listening.listener.id, listening);
        Ok(())
    }

    /// Forgets a listener; the last worker to do so closes it.
    pub(super) fn unlisten(&mut self, poll: &Poll, id: ListenerId) -> Option<Arc<Listener>> {
        let mut listening = self.listeners.remove(&id)?;
        pause(poll, &mut listening);
        Some(listening.listener)
    }

    /// Forgets every listener.
    pub(super) fn unlisten_all(&mut self, poll: &Poll) {
        for (_, mut listening) in self.listeners.drain() {
            pause(poll, &mut listening);
        }
        self.resume_at = None;
    }

    pub(super) fn route(&mut self, id: ListenerId) -> Option<Arc<Route>> {
        self.find(id).map(|listening| Arc::clone(&listening.route))
    }

    /// Adds one batch of what waits at a listener to `accepted`. A listener without room pauses.
    pub(super) fn accept(
        &mut self,
        poll: &Poll,
        id: ListenerId,
        gate: &Gate,
        now: Moment,
        accepted: &mut Vec<Accepted>,
    ) -> Batch {
        let mut batch = Batch {
            result: Ok(()),
            room_awaited: false,
        };
        let Some(listening) = self.find(id) else {
            return batch;
        };
        // To be told by `accept4` that nobody waits costs ten times as much as to ask: it makes a socket first. Where there is
        // no answer (on a unix socket), that is the only way to know.
        let waiting = sys::acceptable(&*listening.listener).unwrap_or(BATCH);
        for _ in 0..waiting.min(BATCH) {
            // The place comes first: a connection that was accepted without one could only be dropped.
            if let Err(NoRoom { awaited, until }) = enter(gate, &listening.route) {
                pause(poll, listening);
                batch.room_awaited |= awaited;
                if let Some(wait) = until {
                    self.resume_within(wait, now);
                }
                return batch;
            }
            match accept_one(listening) {
                Ok(Some(connection)) => accepted.push(connection),
                none => {
                    batch.room_awaited |= give_back(gate, &listening.route);
                    if let Err(error) = none {
                        pause(poll, listening);
                        // The listener was shut; that it is to be forgotten is on its way. Until then it would report a
                        // hang-up all the time.
                        if error.kind() == ErrorKind::InvalidInput {
                            return batch;
                        }
                        if let Some(wait) = Span::from_duration(PAUSE) {
                            self.resume_within(wait, now);
                        }
                        batch.result = Err(error);
                    }
                    return batch;
                }
            }
        }
        batch
    }

    /// Goes on with every listener that has paused.
    pub(super) fn resume(&mut self, poll: &Poll, now: Moment) {
        self.resume_at = None;
        if self.is_resting {
            return;
        }
        for listening in self.listeners.values_mut().filter(|listening| !listening.watched) {
            let token = About::Listener(listening.listener.id).token();
            listening.watched = sys::add_exclusive(poll, &*listening.listener, token).is_ok();
            if !listening.watched {
                // The kernel is short of memory: later.
                self.resume_at = Span::from_duration(PAUSE).map(|pause| now.after(pause));
            }
        }
    }

    /// Pauses every listener, and those that come, until [`Acceptor::work`].
    pub(super) fn rest(&mut self, poll: &Poll) {
        self.is_resting = true;
        self.resume_at = None;
        for listening in self.listeners.values_mut() {
            pause(poll, listening);
        }
    }

    /// Goes on with every listener.
    pub(super) fn work(&mut self, poll: &Poll, now: Moment) {
        self.is_resting = false;
        self.resume(poll, now);
    }

    /// Has the poller tell again of every listener at which connections wait.
    pub(super) fn look_again(&mut self, poll: &Poll, now: Moment) {
        for listening in self.listeners.values_mut() {
            pause(poll, listening);
        }
        self.resume(poll, now);
    }

    /// When to [`Acceptor::resume`] after a failure, if one has been.
    #[inline]
    pub(super) fn resume_at(&self) -> Option<Moment> {
        self.resume_at
    }

    fn resume_within(&mut self, wait: Span, now: Moment) {
        let then = now.after(wait);
        self.resume_at = Some(self.resume_at.map_or(then, |earlier| earlier.min(then)));
    }

    fn find(&mut self, id: ListenerId) -> Option<&mut Listening> {
        self.listeners.get_mut(&id)
    }
}

/// The worker that a new connection goes to.
pub(super) fn worker_for(workers: &Mailboxes, own: usize) -> usize {
    choose(workers.len(), own, |worker| {
        let load = workers[worker].load();
        (load.is_saturated(), load.get())
    })
}

/// One with time for more, and among those the one with the fewest sessions; but this one if it has hardly more, since handing
/// over costs a wake-up. `load` says of a worker whether it is saturated, and how many sessions it has.
fn choose(workers: usize, own: usize, load: impl Fn(usize) -> (bool, usize)) -> usize {
    let is_saturated = |worker| load(worker).0;
    // A worker that has ended sorts behind all others.
    let place = |worker: &usize| {
        let (is_saturated, sessions) = load(*worker);
        (sessions == usize::MAX, is_saturated, sessions)
    };
    let least = (0..workers).min_by_key(place).unwrap_or(own);
    let (mine, fewest) = (load(own).1, load(least).1);
    if is_saturated(own) && !is_saturated(least) || mine > fewest.saturating_add(1 + fewest / 4) {
        least
    } else {
        own
    }
}

/// Hands a connection to another worker; gives it back when that one has ended.
pub(super) fn hand_over(to: &Mailbox, accepted: Accepted) -> Result<(), Accepted> {
    if to.load().add() {
        to.send(Command::Adopt(Box::new(accepted)));
        Ok(())
    } else {
        Err(accepted)
    }
}

/// One of the gates is full.
struct NoRoom {
    /// A place that was taken at another gate for an instant is awaited by somebody.
    awaited: bool,
    /// How long it stays so; `None` when whoever leaves will tell.
    until: Option<Span>,
}

/// Takes a place at the engine's gate, at the relay's and at the listener's, and counts against the relay's rate.
fn enter(gate: &Gate, route: &Route) -> Result<(), NoRoom> {
    if !gate.enter() {
        return Err(NoRoom {
            awaited: false,
            until: None,
        });
    }
    if route.gate.as_ref().is_some_and(|relay| !relay.enter()) {
        return Err(NoRoom {
            awaited: gate.leave(),
            until: None,
        });
    }
    if route.listener_gate.as_ref().is_some_and(|own| !own.enter()) {
        let relay = route.gate.as_ref().is_some_and(|relay| relay.leave());
        return Err(NoRoom {
            awaited: gate.leave() || relay,
            until: None,
        });
    }
    match route.rate.as_ref().map_or(Ok(()), |rate| rate.enter()) {
        Ok(()) => Ok(()),
        Err(wait) => Err(NoRoom {
            awaited: leave(gate, route),
            until: Some(wait),
        }),
    }
}

/// Gives back everything that [`enter`] has taken: no connection came, or one that is no session. `true` when somebody waits
/// for something of it.
pub(super) fn give_back(gate: &Gate, route: &Route) -> bool {
    let rate = route.rate.as_ref().is_some_and(|rate| rate.take_back());
    leave(gate, route) || rate
}

/// Gives the places back; `true` when somebody waits for one.
pub(super) fn leave(gate: &Gate, route: &Route) -> bool {
    let engine = gate.leave();
    let relay = route.gate.as_ref().is_some_and(|gate| gate.leave());
    let listener = route.listener_gate.as_ref().is_some_and(|gate| gate.leave());
    engine || relay || listener
}

fn accept_one(listening: &Listening) -> io::Result<Option<Accepted>> {
    match listening
        .listener
        .socket()
        .accept4(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC)
    {
        Ok((socket, peer)) => Ok(Some(Accepted {
            socket,
            peer: peer.as_socket(),
            route: Arc::clone(&listening.route),
        })),
        // The connection ended before it was accepted (accept(2)); level-triggered polling tells again if there is more.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::WouldBlock | ErrorKind::ConnectionAborted | ErrorKind::Interrupted
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn pause(poll: &Poll, listening: &mut Listening) {
    if std::mem::take(&mut listening.watched) {
        // It is registered; should the kernel disagree, there is nothing to undo.
        let _ = sys::remove(poll, &*listening.listener);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(own: usize, loads: &[(bool, usize)]) -> usize {
        choose(loads.len(), own, |worker| loads[worker])
    }

    #[test]
    fn a_connection_stays_unless_another_worker_has_clearly_fewer() {
        assert_eq!(chosen(0, &[(false, 0), (false, 0)]), 0);
        assert_eq!(chosen(1, &[(false, 0), (false, 1)]), 1);
        assert_eq!(chosen(1, &[(false, 0), (false, 2)]), 0);
        assert_eq!(chosen(1, &[(false, 40), (false, 51)]), 1);
        assert_eq!(chosen(1, &[(false, 40), (false, 52)]), 0);
    }

    #[test]
    fn a_saturated_worker_is_given_nothing_while_another_has_time() {
        assert_eq!(chosen(0, &[(true, 0), (false, 100)]), 1);
        assert_eq!(chosen(1, &[(true, 0), (false, 100)]), 1);
        assert_eq!(chosen(2, &[(true, 0), (false, 9), (false, 90)]), 1);
        // All of them: only their sessions count.
        assert_eq!(chosen(1, &[(true, 0), (true, 100)]), 0);
    }

    #[test]
    fn a_worker_that_has_ended_is_given_nothing() {
        assert_eq!(chosen(0, &[(true, 3), (false, usize::MAX)]), 0);
    }
}
