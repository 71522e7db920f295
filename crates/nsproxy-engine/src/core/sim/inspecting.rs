//! Rules that look at the bytes of a side, in the simulation: they ask for more, decide or reject as the dice fall.

use super::socket::Answer;
use super::{Inspection, Sim};
use crate::core::close::{CloseReason, RuleStage};
use crate::core::session::Inspected;
use crate::core::side::Side;

impl Sim {
    /// What comes before a server is chosen.
    pub(super) fn begin_inspection(&mut self) {
        match self.inspects {
            Inspection::None => {}
            Inspection::Once => self.session.inspect(None, self.now),
            Inspection::For(patience) => self.session.inspect(Some(patience), self.now),
        }
    }

    /// What comes before a client gets anything.
    pub(super) fn begin_response_inspection(&mut self) {
        if self.relaying {
            match self.inspects_response {
                Inspection::None => {}
                Inspection::Once => self.session.inspect_response(None, self.now),
                Inspection::For(patience) => self.session.inspect_response(Some(patience), self.now),
            }
        }
    }

    pub(super) fn inspect_response(&mut self, last: bool) {
        assert!(self.inspects_response != Inspection::None, "nobody wants to look");
        let decided = last || self.rng.one_in(3);
        let rejected = CloseReason::Rejected(RuleStage::Response);
        let inspected = match self.sockets[1].recv(16 * 1024) {
            Answer::Moved(bytes) => {
                self.fruitless = 0;
                self.last_moved = [self.now; 2];
                self.holdings[1].push(bytes);
                match decided {
                    _ if self.rng.one_in(20) => Inspected::Refused(rejected),
                    true => Inspected::Decided,
                    false => Inspected::Incomplete,
                }
            }
            Answer::WouldBlock if decided => Inspected::Decided,
            Answer::WouldBlock => Inspected::WouldBlock,
            Answer::Eof => Inspected::Decided,
            Answer::Failed(_) => Inspected::Refused(CloseReason::Reset(Side::Upstream)),
        };
        let held = usize::try_from(self.holdings[1].len()).unwrap();
        self.session.on_response_inspected(inspected, held, self.now);
    }

    pub(super) fn inspect(&mut self, last: bool) {
        assert!(self.inspects != Inspection::None, "nobody wants to look");
        let decided = last || self.rng.one_in(3);
        let inspected = match self.sockets[0].recv(16 * 1024) {
            Answer::Moved(bytes) => {
                self.fruitless = 0;
                // It waits behind the header, for the server.
                self.header_read += bytes.len();
                match decided {
                    _ if self.rng.one_in(20) => Inspected::Refused(CloseReason::Rejected(RuleStage::Content)),
                    true => Inspected::Decided,
                    false => Inspected::Incomplete,
                }
            }
            Answer::WouldBlock if last => Inspected::Decided,
            Answer::WouldBlock => Inspected::WouldBlock,
            Answer::Eof => Inspected::Decided,
            Answer::Failed(_) => Inspected::Refused(CloseReason::Reset(Side::Downstream)),
        };
        if inspected == Inspected::Decided {
            self.began = self.now;
        }
        self.session.on_inspected(inspected, self.now);
    }
}
