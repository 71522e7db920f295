//! A TCP socket of Linux with its peer, as far as a relay can tell the difference. Each rule that is not plain from
//! tcp(7) is proved on real sockets in `tests/kernel_facts.rs`.

use crate::core::readiness::Readiness;

const ECONNRESET: i32 = 104;
const EPIPE: i32 = 32;
pub(super) const ENETUNREACH: i32 = 101;
pub(super) const ECONNREFUSED: i32 = 111;

/// Bytes `head..tail` of a stream in which the value of each byte is its position. So a queue of bytes is a range, and
/// a byte that is lost, doubled or out of order does not fit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Queue {
    pub(super) head: u64,
    pub(super) tail: u64,
}

impl Queue {
    pub(super) const fn empty_at(position: u64) -> Self {
        Self {
            head: position,
            tail: position,
        }
    }

    pub(super) const fn len(self) -> u64 {
        self.tail - self.head
    }

    pub(super) const fn is_empty(self) -> bool {
        self.head == self.tail
    }

    /// Adds what follows.
    pub(super) fn push(&mut self, bytes: Self) {
        assert_eq!(self.tail, bytes.head, "bytes were lost, doubled or mixed up");
        self.tail = bytes.tail;
    }

    /// Takes the first `count` bytes out.
    pub(super) fn take(&mut self, count: u64) -> Self {
        assert!(count <= self.len(), "more bytes were taken than there are");
        let taken = Self {
            head: self.head,
            tail: self.head + count,
        };
        self.head = taken.tail;
        taken
    }
}

/// The answer of a system call that moves bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Moved(Queue),
    WouldBlock,
    Eof,
    Failed(i32),
}

/// How far the connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// A connection attempt is under way.
    Connecting,
    Open,
    /// Reset by the peer, or refused.
    Dead,
}

/// One of the relay's sockets, and what its peer has done.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, as the kernel keeps them"
)]
pub(super) struct Socket {
    pub(super) phase: Phase,
    /// Sent by the peer and not read by the relay.
    pub(super) received: Queue,
    receive_room: u64,
    /// Sent by the relay and not read by the peer.
    pub(super) sent: Queue,
    send_room: u64,
    /// The peer's FIN has arrived.
    pub(super) fin: bool,
    /// The relay's FIN was sent.
    pub(super) shut: bool,
    /// What the next failing call reports (`sk_err`); reported once.
    error: Option<i32>,
    /// Position of the byte that the urgent pointer points at, until it is read.
    mark: Option<u64>,
    /// A write found no room (`SOCK_NOSPACE`): room brings an edge.
    starved: bool,
    /// Room is told of: it was waited for once.
    pub(super) told_of_room: bool,
    /// A change that was not reported yet.
    pub(super) edge: bool,
}

impl Socket {
    pub(super) fn new(phase: Phase, start: u64, receive_room: u64, send_room: u64) -> Self {
        Self {
            phase,
            received: Queue::empty_at(start),
            receive_room,
            sent: Queue::default(),
            send_room,
            fin: false,
            shut: false,
            error: None,
            mark: None,
            starved: false,
            told_of_room: false,
            edge: true,
        }
    }

    /// Another socket in its place, for another attempt to connect.
    pub(super) fn start_again(&mut self) {
        *self = Self::new(Phase::Connecting, super::START, self.receive_room, self.send_room);
    }

    /// The smaller one of its buffers.
    pub(super) fn narrowest(&self) -> u64 {
        self.receive_room.min(self.send_room)
    }

    /// What an event says now: the whole state, not only what has changed (epoll(7), `tcp_poll`), as the worker reads it.
    pub(super) fn readiness(&self) -> Readiness {
        let mut ready = Readiness::empty();
        if self.phase == Phase::Connecting {
            return ready;
        }
        let dead = self.phase == Phase::Dead;
        ready.set(Readiness::READABLE, !self.received.is_empty() || self.fin || dead);
        let has_room = dead || self.shut || self.has_send_space();
        ready.set(Readiness::WRITABLE, has_room && self.told_of_room);
        if self.fin || dead || self.mark.is_some() {
            ready |= Readiness::READABLE | Readiness::PENDING_MARK;
        }
        if self.error.is_some() {
            ready |= Readiness::READABLE | Readiness::WRITABLE | Readiness::PENDING_MARK | Readiness::ERROR;
        }
        ready
    }

    /// `recv`: stops before an urgent mark, and reads on from it at the next call.
    pub(super) fn recv(&mut self, asked: u64) -> Answer {
        let before_mark = self.mark.map_or(u64::MAX, |mark| mark - self.received.head);
        let limit = if before_mark == 0 {
            asked
        } else {
            asked.min(before_mark)
        };
        self.read(limit)
    }

    /// `splice` into an empty pipe that has room for `room`: does not get past an urgent mark at all.
    pub(super) fn splice(&mut self, room: u64) -> Answer {
        let before_mark = self.mark.map_or(u64::MAX, |mark| mark - self.received.head);
        self.read(room.min(before_mark))
    }

    fn read(&mut self, limit: u64) -> Answer {
        let count = self.received.len().min(limit);
        if count > 0 {
            let bytes = self.received.take(count);
            if self.mark.is_some_and(|mark| mark < bytes.tail) {
                self.mark = None;
            }
            return Answer::Moved(bytes);
        }
        // The order is that of `tcp_recvmsg_locked` and `tcp_splice_read`.
        if self.fin {
            return Answer::Eof;
        }
        match self.error.take() {
            Some(error) => Answer::Failed(error),
            None if self.phase == Phase::Dead => Answer::Eof,
            None => Answer::WouldBlock,
        }
    }

    /// `send` or `splice` of `bytes`, of which at most `limit` are taken.
    pub(super) fn send(&mut self, bytes: &mut Queue, limit: u64) -> Answer {
        if let Some(error) = self.error.take() {
            return Answer::Failed(error);
        }
        if self.phase == Phase::Dead || self.shut {
            return Answer::Failed(EPIPE);
        }
        let count = bytes.len().min(limit).min(self.send_room - self.sent.len());
        if count == 0 {
            self.starved = true;
            self.told_of_room = true;
            return Answer::WouldBlock;
        }
        let moved = bytes.take(count);
        self.sent.push(moved);
        Answer::Moved(moved)
    }

    /// The pending error, taken (`SO_ERROR`).
    pub(super) fn take_error(&mut self) -> Option<i32> {
        self.error.take()
    }

    /// How many bytes the peer can send now.
    pub(super) fn receive_space(&self) -> u64 {
        if self.phase == Phase::Open && !self.fin {
            self.receive_room - self.received.len()
        } else {
            0
        }
    }

    pub(super) fn peer_sends(&mut self, count: u64, urgent: bool) {
        let tail = self.received.tail;
        self.received.push(Queue {
            head: tail,
            tail: tail + count,
        });
        if urgent {
            self.mark = Some(tail + count - 1);
        }
        self.edge = true;
    }

    pub(super) fn peer_ends(&mut self) {
        self.fin = true;
        self.edge = true;
    }

    /// What had arrived can still be read; what the peer had not read is lost.
    pub(super) fn peer_resets(&mut self) {
        self.phase = Phase::Dead;
        self.error = Some(if self.fin { EPIPE } else { ECONNRESET });
        self.sent = Queue::empty_at(self.sent.tail);
        self.edge = true;
    }

    pub(super) fn peer_reads(&mut self, count: u64) {
        self.sent.take(count);
        if self.starved && self.has_send_space() {
            self.starved = false;
            self.edge = true;
        }
    }

    /// The attempt to connect has ended.
    pub(super) fn connection_ends(&mut self, refused: bool) {
        if refused {
            self.peer_resets();
            self.error = Some(ECONNREFUSED);
        } else {
            self.phase = Phase::Open;
            self.edge = true;
        }
    }

    /// Room is reported once a third of the buffer is free (`sk_stream_is_writeable`).
    fn has_send_space(&self) -> bool {
        (self.send_room - self.sent.len()) * 3 >= self.send_room
    }
}
