//! Looking at what the client sends before a server is chosen: only sessions whose rules ask for it.

#[cfg(doc)]
use super::Step;
use super::{Inspected, Retries, Session, State, Timeouts};
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
            // Who asks for more when there is no more to come would be asked for ever.
            Inspected::Incomplete | Inspected::WouldBlock if until.is_none() => self.await_socket(now),
            Inspected::Incomplete => {}
            Inspected::WouldBlock => self.readiness[Side::Downstream.index()].read_exhausted(),
            Inspected::Refused(reason) => self.close(reason),
        }
    }

    /// Another pool was chosen: its limits apply from now on.
    pub fn set_limits(&mut self, timeouts: Timeouts, retries: Retries) {
        self.timeouts = timeouts;
        self.retries = retries;
    }
}
