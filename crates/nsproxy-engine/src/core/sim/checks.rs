//! What must be true of a session that has ended.

use super::socket::{ECONNREFUSED, ENETUNREACH, Phase};
use super::{Inspection, Sim};
use crate::core::close::{CloseReason, Errno, RuleStage};
use crate::core::flow::{Fill, Flush};
use crate::core::moment::Moment;
use crate::core::readiness::Readiness;
use crate::core::session::{Connect, HeaderRead, Inspected, Step};
use crate::core::side::{Direction, Side};

impl Sim {
    pub(super) fn check_end(&mut self, reason: CloseReason) {
        let reset = |side: Side| self.sockets[side.index()].phase == Phase::Dead;
        match reason {
            CloseReason::Finished => self.check_finished(),
            CloseReason::Reset(side) => assert!(reset(side), "{side} did not reset"),
            CloseReason::IdleTimeout(side) => {
                let (since, span) = if self.relaying {
                    let socket = &self.sockets[side.index()];
                    let whole = self.timeouts.idle(side);
                    let half_closed = self
                        .timeouts
                        .half_closed(side)
                        .filter(|_| socket.fin || socket.shut);
                    let span = half_closed.map_or(whole, |half| whole.map(|whole| whole.min(half)));
                    (self.last_moved[side.index()], span)
                } else {
                    assert_eq!(side, Side::Upstream);
                    (self.began, self.timeouts.server)
                };
                let idle = self.now.since(since);
                assert!(
                    idle >= span.unwrap().as_duration(),
                    "{side} was idle for {idle:?} only"
                );
            }
            CloseReason::ConnectTimeout => {
                let waited = self.now.since(self.began);
                assert!(
                    waited >= self.timeouts.connect.unwrap().as_duration(),
                    "{waited:?} is too early"
                );
            }
            CloseReason::QueueTimeout => {
                assert!(self.queued_for_server && !self.has_place);
                let waited = self.now.since(self.began);
                let span = self.timeouts.queue.or(self.timeouts.connect);
                assert!(waited >= span.unwrap().as_duration(), "{waited:?} is too early");
            }
            CloseReason::SocketFailed(errno) => assert_eq!(errno, Errno(ENETUNREACH)),
            CloseReason::HeaderTimeout => assert!(self.header_read < self.header),
            CloseReason::HeaderAborted(_) => assert!(self.sockets[0].fin),
            // A server that had accepted has reset, which is another thing.
            CloseReason::ConnectFailed(errno) => assert_eq!(errno, Errno(ECONNREFUSED)),
            CloseReason::Rejected(RuleStage::Response) => {
                assert!(self.inspects_response != Inspection::None);
                assert_eq!(
                    self.session.bytes()[1],
                    0,
                    "rejected when something had got through"
                );
            }
            CloseReason::Rejected(_) => assert!(self.inspects != Inspection::None),
            CloseReason::HeaderTooLong(_) | CloseReason::HeaderUnwritable => {}
            other => panic!("a session cannot end as {other:?}"),
        }
        let is_clean = matches!(
            reason,
            CloseReason::Finished | CloseReason::Rejected(RuleStage::Response)
        );
        if self.relaying && !is_clean {
            assert!(reason.aborts(), "{reason:?} would look like a clean end");
        }
        self.check_closed_for_good(reason);
    }

    fn check_finished(&self) {
        // The other side is told by the close itself.
        assert!(
            self.sockets.iter().any(|socket| socket.shut),
            "finished without telling anybody"
        );
        for direction in Direction::BOTH {
            let (from, to) = (
                &self.sockets[direction.from().index()],
                &self.sockets[direction.to().index()],
            );
            assert!(from.fin, "finished without an end from the {}", direction.from());
            assert_eq!(to.sent.tail, from.received.tail, "finished with bytes missing");
            let header = if direction == Direction::Up {
                self.header
            } else {
                0
            };
            let delivered = from.received.tail - super::START - header;
            assert_eq!(self.session.bytes()[direction.index()], delivered);
        }
    }

    /// Whatever is still told, a closed session stays closed, for the same reason.
    fn check_closed_for_good(&mut self, reason: CloseReason) {
        assert_eq!(self.session.next_step(), Step::Close(reason));
        let late = Moment::from_millis(u64::MAX);
        let bytes = self.session.bytes();
        self.session.close(reason);
        for side in Side::BOTH {
            self.session.on_edge(side, Readiness::all());
            self.session.on_read_failed(side, Errno(1));
            self.session.on_write_failed(side, Errno(1));
        }
        self.session
            .on_header(HeaderRead::Refused(CloseReason::Stopped), late);
        self.session.inspect(None, late);
        self.session.on_inspected(Inspected::Decided, late);
        self.session.inspect_response(None, late);
        self.session.on_response_inspected(Inspected::Decided, 1, late);
        self.session.on_server_dropped(1, late);
        self.session.on_queued(late);
        self.session.on_called(late);
        self.session.on_retry(late, &self.timeouts);
        self.session.on_socket_failed(Errno(1));
        self.session.on_socket();
        self.session.on_connect(Connect::Failed(Errno(1)), late);
        self.session.on_preface(Flush::Moved(1), late);
        for direction in Direction::BOTH {
            self.session.on_fill(direction, Fill::Spliced(1), late);
            self.session.on_flush(direction, Flush::Moved(1), late);
            self.session.on_shutdown(direction);
            self.session.on_no_pipe(direction);
        }
        self.session.on_time(late, &self.timeouts);
        self.session.close(CloseReason::Stopped);
        assert_eq!(self.session.next_step(), Step::Close(reason));
        assert_eq!(self.session.bytes(), bytes);
        assert_eq!(self.session.deadline(&self.timeouts), None);
    }
}
