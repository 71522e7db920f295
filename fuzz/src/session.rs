//! One relayed session as a value: `nsproxy_engine::core::session`, driven by operations that the input spells out.
//!
//! The operations are what a driver and a kernel may do: edges, outcomes of the step that was asked for, answers of the
//! opener, time. What they bring is counted here on the side, and the session's own count must agree.

use nsproxy_engine::core::close::{CloseReason, Errno};
use nsproxy_engine::core::flow::{Fill, Flush, Path};
use nsproxy_engine::core::moment::{Moment, Span};
use nsproxy_engine::core::readiness::Readiness;
use nsproxy_engine::core::session::{Connect, HeaderRead, Inspected, Session, Step, Timeouts};
use nsproxy_engine::core::side::{Direction, Side};

use std::time::Duration;

/// Bytes that one fill can bring.
const MOST: usize = 64 * 1024;
/// More steps than a session can ask for when each is answered with "would block".
const PATIENCE: usize = 32;

/// Plays the operations, and checks after each what holds for every session.
pub fn operations(bytes: &[u8]) {
    let [first, rest @ ..] = bytes else {
        return;
    };
    let mut play = Play::new(*first);
    for pair in rest.chunks_exact(2) {
        play.operation(pair[0], pair[1]);
        play.check();
    }
    play.settle();
}

struct Play {
    session: Session,
    timeouts: Timeouts,
    /// Whether the client's bytes are looked at.
    inspects: bool,
    /// How long the server's bytes are waited for where they are looked at.
    response: Option<Option<Span>>,
    now: u64,
    /// Bytes filled, up and down.
    filled: [u64; 2],
    /// Bytes of payload that went with the preface and so were never filled.
    payload: u64,
    /// Nothing may be filled any more in this direction.
    ended: [bool; 2],
    shut: [bool; 2],
    closed: Option<CloseReason>,
}

impl Play {
    fn new(first: u8) -> Self {
        let span = |bit: u8| {
            let millis = u64::from(bit) + 1;
            (first & 1 << bit != 0)
                .then(|| Span::from_duration(Duration::from_millis(millis * 100)))
                .flatten()
        };
        let timeouts = Timeouts {
            header: span(1),
            connect: span(2),
            queue: None,
            client: span(3),
            server: span(4),
            // What a byte has no bit for follows from others.
            relaying: span(4).filter(|_| first & 2 != 0),
            client_half_closed: span(3).filter(|_| first & 4 != 0),
            server_half_closed: span(4).filter(|_| first & 8 != 0),
        };
        let mut session = Session::new(first & 1 == 1, Moment::from_millis(0));
        let inspects = first & 1 << 5 != 0;
        if inspects {
            session.inspect(span(6), Moment::from_millis(0));
        }
        Self {
            session,
            timeouts,
            inspects,
            response: (first & 1 << 7 != 0).then(|| span(6)),
            now: 0,
            filled: [0; 2],
            payload: 0,
            ended: [false; 2],
            shut: [false; 2],
            closed: None,
        }
    }

    fn now(&self) -> Moment {
        Moment::from_millis(self.now)
    }

    fn operation(&mut self, what: u8, value: u8) {
        match what % 8 {
            0 => self
                .session
                .on_edge(side(what), Readiness::from_bits_truncate(value)),
            1 => {
                self.now += u64::from(value) * 8;
                self.time_passes();
            }
            2 => self.session.on_socket(),
            3 if value == 0 => self.session.close(CloseReason::HeaderTimeout),
            _ => self.step(what, value),
        }
    }

    fn time_passes(&mut self) {
        let due = self
            .session
            .deadline(&self.timeouts)
            .is_some_and(|deadline| deadline <= self.now());
        let before = self.session.next_step();
        self.session.on_time(self.now(), &self.timeouts);
        // What was waited for decides without having come.
        let goes_on = matches!(
            self.session.next_step(),
            Step::Close(_) | Step::Inspect { last: true } | Step::InspectResponse { last: true }
        );
        if due {
            assert!(goes_on, "its deadline has passed");
        } else {
            assert_eq!(
                self.session.next_step(),
                before,
                "time alone changes nothing before the deadline"
            );
        }
    }

    /// Carries out what the session asks for, with an outcome from the input.
    fn step(&mut self, what: u8, value: u8) {
        let (now, amount) = (self.now(), usize::from(value >> 2) * 1024 + 1);
        let outcome = value & 3;
        match self.session.next_step() {
            Step::ReadHeader => {
                let read = match outcome {
                    0 => HeaderRead::Complete,
                    1 => HeaderRead::Incomplete,
                    2 => HeaderRead::WouldBlock,
                    _ => HeaderRead::Refused(CloseReason::HeaderAborted(amount)),
                };
                self.session.on_header(read, now);
                if read == HeaderRead::Complete && self.inspects {
                    self.session.inspect(None, now);
                }
            }
            Step::Inspect { .. } => {
                let inspected = match outcome {
                    0 => Inspected::Decided,
                    1 => Inspected::Incomplete,
                    2 => Inspected::WouldBlock,
                    _ => Inspected::Refused(CloseReason::HeaderAborted(amount)),
                };
                self.session.on_inspected(inspected, now);
            }
            Step::OpenSocket => self.session.on_socket_requested(),
            Step::Retry { .. } => self.session.on_retry(now, &self.timeouts),
            Step::Connect | Step::FinishConnect { .. } => self.connect(outcome, amount),
            Step::InspectResponse { .. } => self.inspect_response(what, outcome, amount),
            Step::SendPreface => match outcome {
                0 => self.session.on_preface(Flush::WouldBlock, now),
                1 => self.session.on_write_failed(Side::Upstream, Errno(32)),
                _ => self.session.on_preface(Flush::Moved(amount), now),
            },
            Step::Fill(direction, path) => self.fill(direction, path, what, outcome, amount),
            Step::Flush(direction) => self.flush(direction, outcome, amount),
            Step::ShutdownWrite(direction) => {
                let index = direction.index();
                assert_eq!(self.session.in_flight(direction), 0, "bytes are in flight");
                assert!(self.ended[index], "the source has not ended");
                assert!(!self.shut[index], "told twice");
                self.shut[index] = true;
                self.session.on_shutdown(direction);
            }
            Step::Wait | Step::Close(_) => {}
        }
    }

    fn connect(&mut self, outcome: u8, amount: usize) {
        let connect = match outcome {
            0 => Connect::InProgress,
            1 => Connect::Failed(Errno(111)),
            2 => Connect::Established {
                preface: 0,
                payload: 0,
            },
            _ => {
                let payload = amount / 2;
                self.payload = payload as u64;
                Connect::Established {
                    preface: amount,
                    payload,
                }
            }
        };
        self.session.on_connect(connect, self.now());
        if let (Connect::Established { .. }, Some(patience)) = (connect, self.response) {
            self.session.inspect_response(patience, self.now());
        }
    }

    fn inspect_response(&mut self, what: u8, outcome: u8, amount: usize) {
        let (index, now) = (Direction::Down.index(), self.now());
        // What is held are all bytes that came this way so far.
        if outcome != 2 {
            self.filled[index] += amount as u64;
        }
        let held = self.filled[index] as usize;
        let inspected = match outcome {
            0 => Inspected::Decided,
            1 => Inspected::Incomplete,
            2 => Inspected::WouldBlock,
            _ if what & 0x80 != 0 => {
                self.ended[index] = true;
                return self.session.on_server_dropped(held, now);
            }
            _ => Inspected::Refused(CloseReason::Reset(Side::Upstream)),
        };
        self.session.on_response_inspected(inspected, held, now);
    }

    fn fill(&mut self, direction: Direction, path: Path, what: u8, outcome: u8, amount: usize) {
        let index = direction.index();
        assert!(!self.ended[index], "nothing comes after the end");
        let now = self.now();
        let bytes = amount.min(MOST);
        match (outcome, path) {
            (0, _) => self.session.on_fill(direction, Fill::WouldBlock, now),
            (1, _) if what & 0x80 != 0 => self.session.on_read_failed(direction.from(), Errno(104)),
            (1, _) => {
                // A splice reports the end also in front of an urgent mark: only a copy knows.
                self.ended[index] = path == Path::Copy;
                self.session.on_fill(direction, Fill::Eof, now);
            }
            (2, Path::Splice) if what & 0x80 != 0 => self.session.on_no_pipe(direction),
            (_, Path::Copy) => {
                self.filled[index] += bytes as u64;
                self.session
                    .on_fill(direction, Fill::Copied { bytes, asked: MOST }, now);
            }
            (_, Path::Splice) => {
                self.filled[index] += bytes as u64;
                self.session.on_fill(direction, Fill::Spliced(bytes), now);
            }
        }
    }

    fn flush(&mut self, direction: Direction, outcome: u8, amount: usize) {
        let in_flight = self.session.in_flight(direction);
        assert!(in_flight > 0, "nothing to flush");
        match outcome {
            0 => self.session.on_flush(direction, Flush::WouldBlock, self.now()),
            1 => self.session.on_write_failed(direction.to(), Errno(32)),
            _ => self
                .session
                .on_flush(direction, Flush::Moved(amount.min(in_flight)), self.now()),
        }
    }

    fn check(&mut self) {
        let step = self.session.next_step();
        assert_eq!(step, self.session.next_step(), "asking changes nothing");
        let flushed = self.session.bytes();
        for direction in Direction::BOTH {
            let index = direction.index();
            let carried = if direction == Direction::Up {
                self.payload
            } else {
                0
            };
            let came = self.filled[index] + carried;
            assert!(flushed[index] <= came, "more was delivered than came");
            let in_flight = self.session.in_flight(direction) as u64;
            assert!(flushed[index] + in_flight <= came, "bytes were made up");
        }
        match (self.closed, step) {
            (Some(before), step) => assert_eq!(step, Step::Close(before), "what is closed stays so"),
            // A driver tells it nothing more; here it is told more, and must not care.
            (None, Step::Close(reason)) => {
                self.session.close(reason);
                self.closed = Some(reason);
            }
            (None, _) => {}
        }
    }

    /// When nothing comes any more, the session comes to rest: it never asks without end for what would block.
    fn settle(&mut self) {
        for _ in 0..PATIENCE {
            let now = self.now();
            match self.session.next_step() {
                Step::Wait | Step::Close(_) => return,
                Step::ReadHeader => self.session.on_header(HeaderRead::WouldBlock, now),
                Step::Inspect { .. } => self.session.on_inspected(Inspected::WouldBlock, now),
                Step::OpenSocket => self.session.on_socket_requested(),
                Step::Retry { .. } => self.session.on_retry(now, &self.timeouts),
                Step::Connect | Step::FinishConnect { .. } => {
                    self.session.on_connect(Connect::Failed(Errno(111)), now);
                }
                Step::InspectResponse { .. } => {
                    self.session.on_response_inspected(Inspected::WouldBlock, 0, now)
                }
                Step::SendPreface => self.session.on_preface(Flush::WouldBlock, now),
                Step::Fill(direction, _) => self.session.on_fill(direction, Fill::WouldBlock, now),
                Step::Flush(direction) => self.session.on_flush(direction, Flush::WouldBlock, now),
                Step::ShutdownWrite(direction) => self.session.on_shutdown(direction),
            }
            self.check();
        }
        panic!("it never rests: {:?}", self.session.next_step());
    }
}

fn side(what: u8) -> Side {
    if what & 0x80 == 0 {
        Side::Downstream
    } else {
        Side::Upstream
    }
}
