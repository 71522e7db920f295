//! The driver of the simulation: carries out steps on simulated sockets, as `worker/driver.rs` does on real ones.

use super::socket::{Answer, ECONNREFUSED, Phase, Queue};
use super::{FRUITLESS, START, Sim, pick, some};
use crate::core::close::{CloseReason, Errno};
use crate::core::flow::{Fill, Flush, Path};
use crate::core::session::{Connect, HeaderRead, Step};
use crate::core::side::{Direction, Side};

impl Sim {
    /// What the worker's driver does in one turn.
    pub(super) fn turn(&mut self) {
        self.queued = false;
        for _ in 0..self.rng.between(1, 64) {
            if self.closed.is_some() {
                return;
            }
            self.steps += 1;
            self.fruitless += 1;
            assert!(
                self.fruitless < FRUITLESS,
                "steps without progress: {:?}",
                self.session
            );
            match self.session.next_step() {
                Step::Wait => return self.check_wait(),
                Step::Close(reason) => self.closed = Some(reason),
                Step::ReadHeader => self.read_header(),
                Step::Inspect { last } => self.inspect(last),
                Step::OpenSocket => self.open_socket(),
                Step::Retry { redispatch } => self.retry(redispatch),
                Step::Connect => self.connect(),
                Step::FinishConnect { failed } => {
                    let error = if failed {
                        self.sockets[1].take_error()
                    } else {
                        None
                    };
                    let connect = match error {
                        Some(errno) => Connect::Failed(Errno(errno)),
                        None => self.established(),
                    };
                    self.session.on_connect(connect, self.now);
                    self.begin_response_inspection();
                }
                Step::SendPreface => self.send_preface(),
                Step::InspectResponse { last } => self.inspect_response(last),
                Step::Fill(direction, path) => self.fill(direction, path),
                Step::Flush(direction) => self.flush(direction),
                Step::ShutdownWrite(direction) => self.shutdown_write(direction),
            }
        }
        self.queued = true;
    }

    fn check_wait(&self) {
        if self.timeouts.client.is_some() {
            assert!(
                self.session.deadline(&self.timeouts).is_some(),
                "a session that may wait for ever: {:?}",
                self.session
            );
        }
    }

    fn read_header(&mut self) {
        let refused = self.rng.one_in(60);
        let read = match self.sockets[0].recv(16 * 1024) {
            Answer::Moved(_) if refused => HeaderRead::Refused(CloseReason::HeaderTooLong(65_551)),
            Answer::Moved(bytes) => {
                self.fruitless = 0;
                self.header_read += bytes.len();
                if self.header_read < self.header {
                    HeaderRead::Incomplete
                } else {
                    HeaderRead::Complete
                }
            }
            Answer::WouldBlock => HeaderRead::WouldBlock,
            Answer::Eof => HeaderRead::Refused(CloseReason::HeaderAborted(0)),
            Answer::Failed(_) => HeaderRead::Refused(CloseReason::Reset(Side::Downstream)),
        };
        if read == HeaderRead::Complete {
            self.began = self.now;
        }
        self.session.on_header(read, self.now);
        if read == HeaderRead::Complete {
            self.begin_inspection();
        }
    }

    /// Chooses a server, or waits for one.
    fn open_socket(&mut self) {
        assert!(!self.socket_awaited, "two requests for one session");
        assert!(!self.queued_for_server, "a request without a place");
        if !self.has_place && self.rng.one_in(4) {
            self.began = self.now;
            self.queued_for_server = true;
            return self.session.on_queued(self.now);
        }
        self.has_place = true;
        self.socket_awaited = true;
        self.session.on_socket_requested();
    }

    /// Another attempt: with a new socket, and a new server if so decided.
    fn retry(&mut self, redispatch: bool) {
        assert!(!self.relaying, "another attempt after relaying has begun");
        self.attempts += 1;
        assert!(
            self.attempts <= self.retries.most,
            "more retries than there may be"
        );
        assert!(!redispatch || self.retries.redispatch.is_some(), "sent elsewhere");
        self.fruitless = 0;
        self.has_place &= !redispatch;
        self.watched = false;
        self.sockets[1].start_again();
        self.began = self.now;
        self.session.on_retry(self.now, &self.timeouts);
    }

    fn connect(&mut self) {
        self.watched = true;
        let connect = match self.rng.between(0, 9) {
            0 => {
                self.sockets[1].phase = Phase::Dead;
                Connect::Failed(Errno(ECONNREFUSED))
            }
            1 => {
                self.sockets[1].phase = Phase::Dead;
                Connect::Impossible(CloseReason::HeaderUnwritable)
            }
            2 | 3 => {
                self.sockets[1].connection_ends(false);
                self.established()
            }
            _ => {
                self.sockets[1].told_of_room = true;
                Connect::InProgress
            }
        };
        self.session.on_connect(connect, self.now);
        self.begin_response_inspection();
    }

    /// Puts the outgoing header before what came with the client's.
    fn established(&mut self) -> Connect {
        let payload = START + self.header;
        let preface = Queue {
            head: payload - self.preface_header,
            tail: START + self.header_read,
        };
        self.sockets[1].sent = Queue::empty_at(preface.head);
        self.holdings[0] = preface;
        self.last_moved = [self.now; 2];
        self.relaying = preface.is_empty();
        Connect::Established {
            preface: usize::try_from(preface.len()).unwrap(),
            payload: usize::try_from(preface.tail - payload).unwrap(),
        }
    }

    fn send_preface(&mut self) {
        let limit = self.write_limit();
        match self.sockets[1].send(&mut self.holdings[0], limit) {
            Answer::Moved(bytes) => {
                self.fruitless = 0;
                if self.holdings[0].is_empty() {
                    self.relaying = true;
                    self.last_moved = [self.now; 2];
                }
                self.session
                    .on_preface(Flush::Moved(usize::try_from(bytes.len()).unwrap()), self.now);
                self.begin_response_inspection();
            }
            Answer::WouldBlock => self.session.on_preface(Flush::WouldBlock, self.now),
            Answer::Eof => unreachable!("a write has no end of stream"),
            Answer::Failed(errno) => self.session.on_write_failed(Side::Upstream, Errno(errno)),
        }
    }

    fn fill(&mut self, direction: Direction, path: Path) {
        assert!(self.relaying, "relaying before the preface has left");
        assert!(
            self.holdings[direction.index()].is_empty(),
            "a fill over bytes in flight"
        );
        if path == Path::Splice && self.rng.one_in(10) {
            return self.session.on_no_pipe(direction);
        }
        let socket = &mut self.sockets[direction.from().index()];
        let room = *pick(&mut self.rng, &[1, 4_096, 65_536, 65_536, 65_536]);
        let answer = match path {
            Path::Copy => socket.recv(room),
            // Slots of any size: as little as one byte, more than the pipe's nominal capacity.
            Path::Splice => {
                let slots = some(&mut self.rng, 2 * room);
                socket.splice(slots)
            }
        };
        let fill = match (answer, path) {
            (Answer::Moved(bytes), path) => {
                self.fruitless = 0;
                self.last_moved[direction.from().index()] = self.now;
                self.holdings[direction.index()].push(bytes);
                let (bytes, asked) = (
                    usize::try_from(bytes.len()).unwrap(),
                    usize::try_from(room).unwrap(),
                );
                if path == Path::Copy {
                    Fill::Copied { bytes, asked }
                } else {
                    Fill::Spliced(bytes)
                }
            }
            (Answer::WouldBlock, _) => Fill::WouldBlock,
            (Answer::Eof, _) => Fill::Eof,
            (Answer::Failed(errno), _) => {
                return self.session.on_read_failed(direction.from(), Errno(errno));
            }
        };
        self.session.on_fill(direction, fill, self.now);
        assert_eq!(
            self.session.in_flight(direction) as u64,
            self.holdings[direction.index()].len()
        );
    }

    fn flush(&mut self, direction: Direction) {
        let limit = self.write_limit();
        let holding = &mut self.holdings[direction.index()];
        assert!(!holding.is_empty(), "a flush of nothing");
        let flush = match self.sockets[direction.to().index()].send(holding, limit) {
            Answer::Moved(bytes) => {
                self.fruitless = 0;
                self.last_moved[direction.to().index()] = self.now;
                Flush::Moved(usize::try_from(bytes.len()).unwrap())
            }
            Answer::WouldBlock => Flush::WouldBlock,
            Answer::Eof => unreachable!("a write has no end of stream"),
            Answer::Failed(errno) => return self.session.on_write_failed(direction.to(), Errno(errno)),
        };
        self.session.on_flush(direction, flush, self.now);
    }

    fn shutdown_write(&mut self, direction: Direction) {
        let source = &self.sockets[direction.from().index()];
        assert!(
            source.fin && source.received.is_empty(),
            "an end before the last byte"
        );
        assert!(
            self.holdings[direction.index()].is_empty(),
            "an end that overtakes bytes in flight"
        );
        let sink = &mut self.sockets[direction.to().index()];
        assert!(!sink.shut, "a second end");
        if sink.phase == Phase::Dead {
            // ENOTCONN, which the driver takes for the reset that it is.
            return self.session.close(CloseReason::Reset(direction.to()));
        }
        sink.shut = true;
        self.session.on_shutdown(direction);
    }

    fn write_limit(&mut self) -> u64 {
        *pick(&mut self.rng, &[1, 1_000, u64::MAX, u64::MAX])
    }
}
