//! Looking at what the server sends before the client gets any of it: only sessions whose pool has rules for that.
//!
//! What the client sends is relayed meanwhile. What the server has sent waits outside of the flows, where it is looked at; once
//! rules let it pass, it is in flight like any other bytes.

#[cfg(doc)]
use super::Step;
use super::{Inspected, Relaying, Session, State, Timeouts, earlier};
use crate::core::close::{CloseReason, RuleStage};
use crate::core::flow::Flow;
use crate::core::moment::{Moment, Span};
use crate::core::readiness::Readiness;
use crate::core::side::{Direction, Side};
use crate::core::step;

/// What a session has whose server's bytes are looked at.
#[derive(Debug, Clone)]
pub(super) struct Responding {
    pub(super) relaying: Relaying,
    /// `None`: nothing more is waited for.
    until: Option<Moment>,
}

impl Session {
    /// Has the server's bytes looked at before any of them goes to the client. They are waited for as long as `patience`
    /// says; without it, what is there decides.
    ///
    /// For a session that has just begun to relay.
    pub fn inspect_response(&mut self, patience: Option<Span>, now: Moment) {
        if let State::Relaying(relaying) = &self.state {
            self.state = State::InspectResponse(Box::new(Responding {
                relaying: relaying.clone(),
                until: patience.map(|span| now.after(span)),
            }));
            // Rules may need nothing of what the server sends: they are asked at once.
            self.readiness[Side::Upstream.index()].insert(Readiness::READABLE);
        }
    }

    /// Outcome of [`Step::InspectResponse`]. So many bytes of the server are `held` by now.
    pub fn on_response_inspected(&mut self, inspected: Inspected, held: usize, now: Moment) {
        let State::InspectResponse(responding) = &mut self.state else {
            return;
        };
        match inspected {
            Inspected::Decided => self.state = State::Relaying(responding.decided(held, now)),
            Inspected::Incomplete | Inspected::WouldBlock if responding.until.is_none() => {
                self.close(CloseReason::Rejected(RuleStage::Response));
            }
            Inspected::Incomplete => responding.relaying.last_active = [now; 2],
            Inspected::WouldBlock => self.readiness[Side::Upstream.index()].read_exhausted(),
            Inspected::Refused(reason) => self.close(reason),
        }
    }

    /// Other outcome of [`Step::InspectResponse`]: the server's connection was closed. The client gets the bytes that are
    /// `held`, and an end.
    pub fn on_server_dropped(&mut self, held: usize, now: Moment) {
        let State::InspectResponse(responding) = &mut self.state else {
            return;
        };
        let mut relaying = responding.decided(held, now);
        relaying.flows[Direction::Up.index()].sink_ended();
        relaying.flows[Direction::Down.index()].source_ended();
        self.state = State::Relaying(relaying);
    }
}

impl Responding {
    pub(super) fn next_step(&self, readiness: [Readiness; 2]) -> step::Step {
        let last = self.until.is_none();
        if last || readiness[Side::Upstream.index()].contains(Readiness::READABLE) {
            return step::Step::InspectResponse { last };
        }
        self.relaying.step_of(Direction::Up, readiness)
    }

    pub(super) fn deadline(&self, readiness: [Readiness; 2], timeouts: &Timeouts) -> Option<Moment> {
        let idle = Side::BOTH.map(|side| self.relaying.idle_deadline(side, readiness, timeouts));
        idle.into_iter().fold(self.until, earlier)
    }

    /// A deadline has passed: why the session ends, or nothing if it does not.
    pub(super) fn on_time(
        &mut self,
        readiness: [Readiness; 2],
        now: Moment,
        timeouts: &Timeouts,
    ) -> Option<CloseReason> {
        if self.until.is_some_and(|until| until <= now) {
            self.until = None;
            return None;
        }
        Some(self.relaying.idle_reason(readiness, now, timeouts))
    }

    /// The same, with the bytes that were held in flight to the client. An end that was seen is seen again behind them.
    fn decided(&self, held: usize, now: Moment) -> Relaying {
        let mut relaying = self.relaying.clone();
        relaying.flows[Direction::Down.index()] = Flow::holding(held);
        relaying.last_active = [now; 2];
        relaying.turn = Direction::Down;
        relaying
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Connect, Step};
    use super::*;
    use crate::core::flow::{Fill, Flush, Path};

    fn at(millis: u64) -> Moment {
        Moment::from_millis(millis)
    }

    /// One whose server's connection stands.
    fn responding(patience: Option<Span>) -> Session {
        let mut session = Session::new(false, at(0));
        session.on_socket_requested();
        session.on_socket();
        let established = Connect::Established {
            preface: 0,
            payload: 0,
        };
        session.on_connect(established, at(0));
        session.inspect_response(patience, at(0));
        session
    }

    #[test]
    fn the_client_is_relayed_while_the_server_is_waited_for() {
        let mut session = responding(Span::from_millis(10));
        assert_eq!(session.next_step(), Step::InspectResponse { last: false });
        session.on_response_inspected(Inspected::WouldBlock, 0, at(0));
        session.on_edge(Side::Downstream, Readiness::READABLE);
        assert_eq!(session.next_step(), Step::Fill(Direction::Up, Path::Copy));
        let fill = Fill::Copied { bytes: 5, asked: 100 };
        session.on_fill(Direction::Up, fill, at(1));
        assert_eq!(session.next_step(), Step::Flush(Direction::Up));
        session.on_flush(Direction::Up, Flush::Moved(5), at(1));
        assert_eq!(session.next_step(), Step::Wait);
        assert_eq!(session.bytes(), [5, 0]);
    }

    #[test]
    fn what_was_held_goes_to_the_client_once_it_may() {
        let mut session = responding(Span::from_millis(10));
        session.on_response_inspected(Inspected::Incomplete, 3, at(1));
        session.on_response_inspected(Inspected::Decided, 7, at(2));
        assert_eq!(session.next_step(), Step::Flush(Direction::Down));
        session.on_flush(Direction::Down, Flush::Moved(7), at(2));
        // What it had seen of the server's socket still holds.
        assert_eq!(session.next_step(), Step::Fill(Direction::Down, Path::Copy));
        assert_eq!(session.bytes(), [0, 7]);
    }

    #[test]
    fn patience_ends_and_what_is_there_decides() {
        for inspected in [Inspected::Incomplete, Inspected::WouldBlock] {
            let mut session = responding(Span::from_millis(10));
            session.on_response_inspected(Inspected::WouldBlock, 0, at(0));
            let timeouts = Timeouts::default();
            assert_eq!(session.deadline(&timeouts), Some(at(10)));
            session.on_time(at(10), &timeouts);
            assert_eq!(session.next_step(), Step::InspectResponse { last: true });
            session.on_response_inspected(inspected, 0, at(10));
            let rejected = CloseReason::Rejected(RuleStage::Response);
            assert_eq!(
                session.next_step(),
                Step::Close(rejected),
                "nobody has let it pass"
            );
        }
    }

    #[test]
    fn who_is_idle_while_rules_wait_is_closed() {
        let mut session = responding(Span::from_millis(100));
        session.on_response_inspected(Inspected::WouldBlock, 0, at(0));
        let timeouts = Timeouts {
            server: Span::from_millis(20),
            ..Timeouts::default()
        };
        assert_eq!(session.deadline(&timeouts), Some(at(20)));
        session.on_time(at(20), &timeouts);
        let idle = CloseReason::IdleTimeout(Side::Upstream);
        assert_eq!(session.next_step(), Step::Close(idle));
    }

    #[test]
    fn a_server_that_was_dropped_leaves_what_it_has_sent() {
        let mut session = responding(Span::from_millis(10));
        session.on_server_dropped(4, at(1));
        assert_eq!(session.next_step(), Step::Flush(Direction::Down));
        session.on_flush(Direction::Down, Flush::Moved(4), at(1));
        assert_eq!(session.next_step(), Step::ShutdownWrite(Direction::Down));
        session.on_shutdown(Direction::Down);
        assert_eq!(session.next_step(), Step::Close(CloseReason::Finished));
        assert_eq!(session.bytes(), [0, 4]);
    }
}
