//! One accepted connection and the connection made for it, from accept to close.
//!
//! ```text
//! ExpectHeader -> Inspect -> AwaitSocket -> Connecting -> SendPreface -> [InspectResponse ->] Relaying -> Closed(reason)
//!                             |      ^  ^         |
//!                             v      |  |         v
//!                            Queued -+  +- [Pausing <-] Retrying
//! ```
//!
//! A session passes only through the states that its rules need. The methods are of three kinds:
//!
//! - `on_*` tell what happened: an edge, the outcome of a step, the time;
//! - [`Session::next_step`] says what to do next; ask again after every `on_*`;
//! - [`Session::deadline`] says when to call [`Session::on_time`] at the latest; it is a function of the state.
//!
//! After a [`Step::Close`] the session is over and is told nothing more; one that was closed by an outcome or by
//! [`Session::close`] stays closed, for the same reason, whatever it is told.

mod inspecting;
mod opening;
mod responding;
mod told;

pub use self::told::Stage;
pub use super::step::{Connect, HeaderRead, Inspected, Retries, Step, Timeouts};

use self::responding::Responding;
use super::close::{CloseReason, Errno};
use super::flow::{Fill, Flow, FlowStep, Flush};
use super::moment::Moment;
use super::readiness::Readiness;
use super::side::{Direction, Side};

/// One session.
#[derive(Debug, Clone)]
pub struct Session {
    state: State,
    readiness: [Readiness; 2],
    retries: Retries,
    /// Retries that were made.
    retried: u16,
}

/// Named by what the session waits for.
#[derive(Debug, Clone)]
enum State {
    ExpectHeader {
        since: Moment,
    },
    /// Rules need to know what the client sends. `None`: it is no longer waited for.
    Inspect {
        until: Option<Moment>,
    },
    /// No server has room.
    Queued {
        since: Moment,
    },
    AwaitSocket {
        since: Moment,
        requested: bool,
    },
    /// An attempt has failed, and what it leaves behind is to be cleared away.
    Retrying {
        redispatch: bool,
        pause: bool,
    },
    /// Before the next attempt.
    Pausing {
        until: Moment,
    },
    Connecting {
        since: Moment,
        started: bool,
    },
    SendPreface {
        since: Moment,
        left: usize,
        payload: usize,
    },
    /// Bytes of the client are relayed; rules look at what the server sends. Behind a pointer: few sessions come here.
    InspectResponse(Box<Responding>),
    Relaying(Relaying),
    Closed {
        reason: CloseReason,
        bytes: [u64; 2],
    },
}

#[derive(Debug, Clone)]
struct Relaying {
    flows: [Flow; 2],
    /// When each connection last moved a byte, either way, or began to be waited for.
    last_active: [Moment; 2],
    /// The direction whose turn it is, so that neither starves the other within a budget.
    turn: Direction,
    /// The side that no longer takes bytes. What it had sent before is still delivered.
    broken: Option<Side>,
}

impl Session {
    /// A session for a connection that was just accepted.
    pub fn new(expects_header: bool, now: Moment) -> Self {
        let (state, downstream) = if expects_header {
            // A header mostly comes along with the connection: it is looked for at once.
            (State::ExpectHeader { since: now }, Readiness::UNTRIED)
        } else {
            let state = State::AwaitSocket {
                since: now,
                requested: false,
            };
            // Whether there are bytes is known by the time that somebody takes them: registering brings the edge.
            (state, Readiness::WRITABLE)
        };
        Self {
            state,
            readiness: [downstream, Readiness::empty()],
            retries: Retries::default(),
            retried: 0,
        }
    }

    /// The same, but with other attempts should one to connect fail.
    #[must_use]
    pub fn with_retries(self, retries: Retries) -> Self {
        Self { retries, ..self }
    }

    /// An edge was reported for one of the sockets.
    #[inline]
    pub fn on_edge(&mut self, side: Side, edge: Readiness) {
        self.readiness[side.index()].insert(edge);
    }

    /// Says what to do next. Its answer may change after every `on_*`.
    #[inline]
    #[must_use]
    pub fn next_step(&self) -> Step {
        let [downstream, upstream] = self.readiness;
        match &self.state {
            State::Relaying(relaying) => relaying.next_step(self.readiness),
            State::Closed { reason, .. } => Step::Close(*reason),
            State::InspectResponse(responding) => responding.next_step(self.readiness),
            State::ExpectHeader { .. } if downstream.contains(Readiness::READABLE) => Step::ReadHeader,
            // Nobody waits for the answer any more, and nothing was promised upstream.
            _ if downstream.contains(Readiness::ERROR) => Step::Close(CloseReason::Reset(Side::Downstream)),
            State::Inspect { until } if until.is_none() || downstream.contains(Readiness::READABLE) => {
                Step::Inspect {
                    last: until.is_none(),
                }
            }
            State::AwaitSocket { requested: false, .. } => Step::OpenSocket,
            State::Retrying { redispatch, .. } => Step::Retry {
                redispatch: *redispatch,
            },
            State::Connecting { started: false, .. } => Step::Connect,
            State::Connecting { .. } if upstream.intersects(Readiness::WRITABLE | Readiness::ERROR) => {
                let failed = upstream.contains(Readiness::ERROR);
                Step::FinishConnect { failed }
            }
            State::SendPreface { .. } if upstream.contains(Readiness::WRITABLE) => Step::SendPreface,
            State::ExpectHeader { .. }
            | State::Inspect { .. }
            | State::Queued { .. }
            | State::Pausing { .. }
            | State::AwaitSocket { .. }
            | State::Connecting { .. }
            | State::SendPreface { .. } => Step::Wait,
        }
    }

    /// Outcome of [`Step::ReadHeader`].
    pub fn on_header(&mut self, read: HeaderRead, now: Moment) {
        match read {
            HeaderRead::Complete => {
                self.state = State::AwaitSocket {
                    since: now,
                    requested: false,
                }
            }
            HeaderRead::Incomplete => {}
            HeaderRead::WouldBlock => self.readiness[Side::Downstream.index()].read_exhausted(),
            HeaderRead::Refused(reason) => self.close(reason),
        }
    }

    /// Outcome of [`Step::SendPreface`].
    pub fn on_preface(&mut self, flush: Flush, now: Moment) {
        let State::SendPreface { left, payload, .. } = &mut self.state else {
            return;
        };
        match flush {
            Flush::Moved(bytes) => {
                *left = left.saturating_sub(bytes);
                if *left == 0 {
                    self.state = State::Relaying(Relaying::new(*payload, now));
                }
            }
            Flush::WouldBlock => self.readiness[Side::Upstream.index()].write_exhausted(),
        }
    }

    /// Outcome of [`Step::Fill`].
    #[inline]
    pub fn on_fill(&mut self, direction: Direction, fill: Fill, now: Moment) {
        let Some(relaying) = self.state.relaying_mut() else {
            return;
        };
        let source = direction.from();
        let flow = &mut relaying.flows[direction.index()];
        flow.on_fill(fill, &mut self.readiness[source.index()]);
        match fill {
            Fill::Copied { .. } | Fill::Spliced(_) => {
                // The source was active, and from now on the sink is waited for.
                relaying.last_active = [now; 2];
                // What was filled is flushed next, whatever the other direction would like.
                relaying.turn = direction;
            }
            // The turn passes to the other direction.
            Fill::WouldBlock => relaying.turn = source.other().outgoing(),
            // After a reset the kernel reports an end to whoever reads: the reset must not pass for one.
            Fill::Eof if relaying.broken == Some(source) && flow.has_eof() => {
                self.close(CloseReason::Reset(source));
            }
            // The second end needs no `shutdown`: closing the socket sends it.
            Fill::Eof => {
                if flow.has_eof() {
                    // The other side is about to be told, and may have another time from then on: all of it.
                    relaying.last_active[source.other().index()] = now;
                }
                let [flow, other] =
                    [direction, source.other().outgoing()].map(|flow| &relaying.flows[flow.index()]);
                if flow.has_eof() && flow.in_flight() == 0 && other.is_done() {
                    self.close(CloseReason::Finished);
                }
            }
        }
    }

    /// Outcome of [`Step::Flush`].
    #[inline]
    pub fn on_flush(&mut self, direction: Direction, flush: Flush, now: Moment) {
        let Some(relaying) = self.state.relaying_mut() else {
            return;
        };
        let sink = direction.to();
        let flow = &mut relaying.flows[direction.index()];
        flow.on_flush(flush, &mut self.readiness[sink.index()]);
        if matches!(flush, Flush::Moved(_)) {
            relaying.last_active[sink.index()] = now;
        }
        if flow.in_flight() == 0 {
            // The source was not waited for while its bytes were in flight; now it is again.
            relaying.last_active[direction.from().index()] = now;
            relaying.turn = sink.outgoing();
        }
    }

    /// Outcome of [`Step::ShutdownWrite`].
    pub fn on_shutdown(&mut self, direction: Direction) {
        let Some(relaying) = self.state.relaying_mut() else {
            return;
        };
        relaying.flows[direction.index()].on_shutdown();
        if relaying.flows.iter().all(Flow::is_done) {
            self.close(CloseReason::Finished);
        }
    }

    /// The driver has no pipe to spare for this flow.
    pub fn on_no_pipe(&mut self, direction: Direction) {
        if let Some(relaying) = self.state.relaying_mut() {
            relaying.flows[direction.index()].demote();
        }
    }

    /// Reading from `side` failed.
    pub fn on_read_failed(&mut self, side: Side, errno: Errno) {
        self.close(failure(side, errno));
    }

    /// Writing to `side` failed. What that side had sent before is still delivered to the other one.
    pub fn on_write_failed(&mut self, side: Side, errno: Errno) {
        match self.state.relaying_mut() {
            // With both sides broken there is nobody left to deliver to.
            Some(relaying)
                if relaying.broken.is_none() && !relaying.flows[side.outgoing().index()].has_eof() =>
            {
                relaying.broken = Some(side);
                // The failure took the error with it; whatever the source holds ends in "end of stream".
                self.readiness[side.index()].insert(Readiness::READABLE | Readiness::PENDING_MARK);
            }
            _ => self.close(failure(side, errno)),
        }
    }

    /// The session cannot go on, for a reason from outside of it.
    pub fn close(&mut self, reason: CloseReason) {
        if !matches!(self.state, State::Closed { .. }) {
            self.state = State::Closed {
                reason,
                bytes: self.bytes(),
            };
        }
    }

    /// When [`Session::on_time`] is due, if ever. The timeouts are always those of the session's route.
    pub fn deadline(&self, timeouts: &Timeouts) -> Option<Moment> {
        let Timeouts {
            header,
            connect,
            queue,
            client,
            server,
            ..
        } = *timeouts;
        match &self.state {
            State::ExpectHeader { since } => header.or(client).map(|span| since.after(span)),
            State::Queued { since } => queue.or(connect).map(|span| since.after(span)),
            State::AwaitSocket { since, .. } | State::Connecting { since, .. } => {
                connect.map(|span| since.after(span))
            }
            State::Pausing { until } => Some(*until),
            State::Inspect { until } => *until,
            State::SendPreface { since, .. } => server.map(|span| since.after(span)),
            State::Relaying(relaying) => {
                let [downstream, upstream] =
                    Side::BOTH.map(|side| relaying.idle_deadline(side, self.readiness, timeouts));
                earlier(downstream, upstream)
            }
            State::InspectResponse(responding) => responding.deadline(self.readiness, timeouts),
            State::Retrying { .. } | State::Closed { .. } => None,
        }
    }

    /// Time has passed: closes the session when its deadline has, or tries again.
    pub fn on_time(&mut self, now: Moment, timeouts: &Timeouts) {
        if self.deadline(timeouts).is_none_or(|deadline| deadline > now) {
            return;
        }
        let reason = match &mut self.state {
            State::ExpectHeader { .. } => CloseReason::HeaderTimeout,
            State::Queued { .. } => CloseReason::QueueTimeout,
            // The opener still owes an answer: that must not come to another attempt.
            State::AwaitSocket { .. } => CloseReason::ConnectTimeout,
            State::Connecting { .. } => return self.retry(CloseReason::ConnectTimeout, false),
            State::Pausing { .. } => return self.await_socket(now),
            State::Inspect { until } => {
                *until = None;
                return;
            }
            State::SendPreface { .. } => CloseReason::IdleTimeout(Side::Upstream),
            State::Relaying(relaying) => relaying.idle_reason(self.readiness, now, timeouts),
            State::InspectResponse(responding) => match responding.on_time(self.readiness, now, timeouts) {
                Some(reason) => reason,
                None => return,
            },
            State::Retrying { .. } | State::Closed { .. } => return,
        };
        self.close(reason);
    }

    /// Whether bytes of `direction` wait between the sockets.
    #[inline]
    pub fn in_flight(&self, direction: Direction) -> usize {
        self.state
            .relaying()
            .map_or(0, |relaying| relaying.flows[direction.index()].in_flight())
    }

    /// Bytes delivered so far: up, down. A header that was written to the server counts for neither; what had come
    /// with the client's header counts once relaying has begun.
    pub fn bytes(&self) -> [u64; 2] {
        match &self.state {
            State::Relaying(relaying) => relaying.bytes(),
            State::InspectResponse(responding) => responding.relaying.bytes(),
            State::Closed { bytes, .. } => *bytes,
            _ => [0, 0],
        }
    }
}

impl State {
    /// Its flows, while there are any.
    #[inline]
    fn relaying(&self) -> Option<&Relaying> {
        match self {
            Self::Relaying(relaying) => Some(relaying),
            Self::InspectResponse(responding) => Some(&responding.relaying),
            _ => None,
        }
    }

    #[inline]
    fn relaying_mut(&mut self) -> Option<&mut Relaying> {
        match self {
            Self::Relaying(relaying) => Some(relaying),
            Self::InspectResponse(responding) => Some(&mut responding.relaying),
            _ => None,
        }
    }
}

impl Relaying {
    /// `payload` bytes were delivered upstream with the preface.
    fn new(payload: usize, now: Moment) -> Self {
        Self {
            flows: [Flow::after(payload), Flow::default()],
            last_active: [now, now],
            turn: Direction::Up,
            broken: None,
        }
    }

    #[inline]
    fn next_step(&self, readiness: [Readiness; 2]) -> Step {
        for direction in [self.turn, self.turn.to().outgoing()] {
            let step = self.step_of(direction, readiness);
            if !matches!(step, Step::Wait) {
                return step;
            }
        }
        Step::Wait
    }

    #[inline]
    fn bytes(&self) -> [u64; 2] {
        [self.flows[0].flushed(), self.flows[1].flushed()]
    }

    #[inline]
    fn step_of(&self, direction: Direction, readiness: [Readiness; 2]) -> Step {
        let (source, sink) = (direction.from(), direction.to());
        let flow = &self.flows[direction.index()];
        if self.broken == Some(sink) {
            return Step::Wait;
        }
        match flow.next_step(readiness[source.index()], readiness[sink.index()]) {
            FlowStep::Fill(path) => Step::Fill(direction, path),
            FlowStep::Flush => Step::Flush(direction),
            FlowStep::ShutdownWrite => Step::ShutdownWrite(direction),
            // Reading would tell of the reset, but that side has nothing to be read any more.
            FlowStep::Done if readiness[source.index()].contains(Readiness::ERROR) => {
                Step::Close(CloseReason::Reset(source))
            }
            FlowStep::Wait | FlowStep::Done => Step::Wait,
        }
    }

    /// Whose fault it is that nothing has moved for too long.
    fn idle_reason(&self, readiness: [Readiness; 2], now: Moment, timeouts: &Timeouts) -> CloseReason {
        let client = self.idle_deadline(Side::Downstream, readiness, timeouts);
        CloseReason::IdleTimeout(if client.is_some_and(|deadline| deadline <= now) {
            Side::Downstream
        } else {
            Side::Upstream
        })
    }

    /// When `side` has been idle for too long, provided that the session waits for it.
    fn idle_deadline(&self, side: Side, readiness: [Readiness; 2], timeouts: &Timeouts) -> Option<Moment> {
        let from_side = &self.flows[side.outgoing().index()];
        let into_side = &self.flows[side.other().outgoing().index()];
        let half_closed = timeouts
            .half_closed(side)
            .filter(|_| from_side.has_eof() || into_side.is_done());
        let span = half_closed.or_else(|| timeouts.idle(side))?;
        let other_takes = readiness[side.other().index()].contains(Readiness::WRITABLE);
        let awaited =
            (!from_side.has_eof() && from_side.in_flight() == 0 && other_takes) || into_side.in_flight() > 0;
        awaited.then(|| self.last_active[side.index()].after(span))
    }
}

/// A reset is a reset, whichever call reports it; anything else keeps its number.
fn failure(side: Side, errno: Errno) -> CloseReason {
    if errno.is_reset() {
        CloseReason::Reset(side)
    } else {
        CloseReason::Failed(side, errno)
    }
}

fn earlier(a: Option<Moment>, b: Option<Moment>) -> Option<Moment> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    }
}
