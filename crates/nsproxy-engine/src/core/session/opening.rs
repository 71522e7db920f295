//! From a session's wish for a server to its connection: waiting for room, the socket, the attempt, and other attempts.

#[cfg(doc)]
use super::Step;
use super::{Connect, Relaying, Session, State, Timeouts};
use crate::core::close::{CloseReason, Errno};
use crate::core::moment::{Moment, Span};
use crate::core::readiness::Readiness;
use crate::core::side::Side;

/// Longest pause before another attempt at the same server.
const PAUSE_MILLIS: u32 = 1_000;

impl Session {
    /// Outcome of [`Step::OpenSocket`]: the request is on its way.
    pub fn on_socket_requested(&mut self) {
        if let State::AwaitSocket { requested, .. } = &mut self.state {
            *requested = true;
        }
    }

    /// Other outcome of [`Step::OpenSocket`]: no server has room, and the session is in the queue.
    pub fn on_queued(&mut self, now: Moment) {
        if let State::AwaitSocket { requested: false, .. } = self.state {
            self.state = State::Queued { since: now };
        }
    }

    /// A server has room now, and its place is this session's.
    pub fn on_called(&mut self, now: Moment) {
        if let State::Queued { .. } = self.state {
            self.await_socket(now);
        }
    }

    /// Outcome of [`Step::Retry`].
    pub fn on_retry(&mut self, now: Moment, timeouts: &Timeouts) {
        let State::Retrying { pause, .. } = self.state else {
            return;
        };
        // Nothing that was reported of the socket before says anything of the next one.
        self.readiness[Side::Upstream.index()] = Readiness::empty();
        let longest = Span::from_millis(PAUSE_MILLIS);
        let pause = longest
            .filter(|_| pause)
            .map(|longest| timeouts.connect.map_or(longest, |connect| connect.min(longest)));
        match pause {
            Some(pause) => {
                self.state = State::Pausing {
                    until: now.after(pause),
                }
            }
            None => self.await_socket(now),
        }
    }

    /// The opener has answered that there can be no socket. Another attempt at the same server would hardly fare better.
    pub fn on_socket_failed(&mut self, errno: Errno) {
        self.go_elsewhere(true, CloseReason::SocketFailed(errno));
    }

    /// Other outcome of [`Step::OpenSocket`]: no port is free of those that connections to the server come from.
    pub fn on_no_source_port(&mut self) {
        self.go_elsewhere(false, CloseReason::NoSourcePort);
    }

    /// There can be no socket for this server: another one is tried if that is allowed. `was_requested` says when that was found out.
    fn go_elsewhere(&mut self, was_requested: bool, reason: CloseReason) {
        if let State::AwaitSocket { requested, .. } = self.state
            && requested == was_requested
            && self.retries.redispatch.is_some()
            && self.retried < self.retries.most
        {
            self.retried += 1;
            self.state = State::Retrying {
                redispatch: true,
                pause: false,
            };
        } else {
            self.close(reason);
        }
    }

    /// Whether it waits for the upstream connection.
    pub const fn is_connecting(&self) -> bool {
        matches!(self.state, State::Connecting { .. })
    }

    /// Retries that were made.
    pub const fn retried(&self) -> u16 {
        self.retried
    }

    pub(super) fn await_socket(&mut self, now: Moment) {
        self.state = State::AwaitSocket {
            since: now,
            requested: false,
        };
    }

    /// A connection attempt has failed, for `reason`. `pause` says that trying again at once would fail again.
    pub(super) fn retry(&mut self, reason: CloseReason, pause: bool) {
        if !matches!(self.state, State::Connecting { .. }) || self.retried >= self.retries.most {
            return self.close(reason);
        }
        self.retried += 1;
        let redispatch = self.retries.redispatches(self.retried);
        self.state = State::Retrying {
            redispatch,
            pause: pause && !(redispatch && self.retries.anywhere),
        };
    }

    /// The opener has answered with a socket.
    pub fn on_socket(&mut self) {
        if let State::AwaitSocket { since, .. } = self.state {
            self.state = State::Connecting {
                since,
                started: false,
            };
        }
    }

    /// Outcome of [`Step::Connect`] and [`Step::FinishConnect`].
    pub fn on_connect(&mut self, connect: Connect, now: Moment) {
        match connect {
            Connect::Established { preface, payload } => {
                // What the server may have sent already brings an edge of its own.
                self.readiness[Side::Upstream.index()].insert(Readiness::WRITABLE);
                self.state = if preface == 0 {
                    State::Relaying(Relaying::new(0, now))
                } else {
                    State::SendPreface {
                        since: now,
                        left: preface,
                        payload,
                    }
                };
            }
            Connect::InProgress => {
                self.readiness[Side::Upstream.index()].remove(Readiness::WRITABLE);
                if let State::Connecting { started, .. } = &mut self.state {
                    *started = true;
                }
            }
            // A server that refuses answers otherwise: this one had accepted, and may have sent something.
            Connect::Failed(errno) if errno.is_reset() => self.close(CloseReason::Reset(Side::Upstream)),
            Connect::Failed(errno) => {
                // What fails at once is a matter of this host; what fails later has asked the server.
                let asked = matches!(self.state, State::Connecting { started: true, .. });
                self.retry(CloseReason::ConnectFailed(errno), asked);
            }
            Connect::Impossible(reason) => self.close(reason),
        }
    }
}
