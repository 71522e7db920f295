//! Looking at what the client sends before a server is chosen: only sessions whose rules ask for it.

#[cfg(doc)]
use super::Step;
use super::{Inspected, Retries, Session, State};
use crate::core::close::{CloseReason, RuleStage};
use crate::core::moment::{Moment, Span};
use crate::core::readiness::Readiness;
use crate::core::side::Side;

impl Session {
    /// Has the client's bytes looked at before a server is chosen. They are waited for as long as `patience` says; without
    /// it, what is there decides.
    ///
    /// For a session that has its PROXY header, or expects none, and has not asked for a server yet.
    pub fn inspect(&mut self, patience: Option<Span>, now: Moment) {
        if let State::AwaitSocket { requested: false, .. } = self.state {
            self.state = State::Inspect {
                until: patience.map(|span| now.after(span)),
            };
            // Bytes mostly come along with the connection: they are looked for at once.
            self.readiness[Side::Downstream.index()].insert(Readiness::READABLE);
        }
    }

    /// Outcome of [`Step::Inspect`].
    pub fn on_inspected(&mut self, inspected: Inspected, now: Moment) {
        let State::Inspect { until } = &mut self.state else {
            return;
        };
        match inspected {
            Inspected::Decided => self.await_socket(now),
            // Who asks for more when there is no more to come would be asked for ever. Nobody has let the session pass.
            Inspected::Incomplete | Inspected::WouldBlock if until.is_none() => {
                self.close(CloseReason::Rejected(RuleStage::Content));
            }
            Inspected::Incomplete => {}
            Inspected::WouldBlock => self.readiness[Side::Downstream.index()].read_exhausted(),
            Inspected::Refused(reason) => self.close(reason),
        }
    }

    /// Another pool was chosen: this is what follows a failed connection from now on.
    pub fn set_retries(&mut self, retries: Retries) {
        self.retries = retries;
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Step, Timeouts};
    use super::*;

    #[test]
    fn who_is_undecided_when_nothing_is_awaited_any_more_is_rejected() {
        let start = Moment::from_millis(0);
        for inspected in [Inspected::Incomplete, Inspected::WouldBlock] {
            for patience in [None, Span::from_millis(10)] {
                let mut session = Session::new(false, start);
                session.inspect(patience, start);
                if patience.is_some() {
                    session.on_inspected(inspected, start);
                    assert!(!matches!(session.next_step(), Step::Close(_)), "there is time");
                    session.on_time(Moment::from_millis(10), &Timeouts::default());
                }
                assert_eq!(session.next_step(), Step::Inspect { last: true });
                session.on_inspected(inspected, start);
                let rejected = CloseReason::Rejected(RuleStage::Content);
                assert_eq!(session.next_step(), Step::Close(rejected));
            }
        }
    }
}
