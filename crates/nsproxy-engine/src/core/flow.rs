//! One direction of a relayed session: fill from one connection, flush to the other, pass the half-close on.
//!
//! A flow *flushes first*: it never fills while bytes are in flight. Three rules follow from that by construction:
//!
//! - "Would block" on a fill is unambiguous. A splice pipe holds a limited number of *slots*, so `splice` into a pipe
//!   that holds data answers `EAGAIN` both when the socket is empty and when the slots are full; into an empty pipe it
//!   can only mean that the socket is empty. [`Flow::on_fill`] still checks, so that a driver that fills early is safe.
//! - Bytes wait in one place only, bounded by one fill.
//! - The half-close is passed on exactly when nothing is in flight, and the last byte leaves before it.
//!
//! A flow starts on the copy path and is promoted to splice after consecutive large fills: below about 16 KiB a fill,
//! two more system calls cost more than the copy that they save. It is demoted again when fills turn small.

use super::readiness::Readiness;

/// A fill of at least this many bytes is large.
pub const LARGE_FILL: usize = 16 * 1024;
/// A spliced fill below this many bytes is small.
pub const SMALL_FILL: usize = 8 * 1024;
/// Consecutive large fills that promote a flow, and consecutive small ones that demote it.
pub const STREAK: u8 = 3;

/// How bytes get from one socket to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// `recv` into the worker's scratch buffer, `send` from it.
    Copy,
    /// `splice` into a pipe and out of it: the bytes never enter user space.
    Splice,
}

/// What a flow wants done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowStep {
    /// Move bytes from the source into the holding place.
    Fill(Path),
    /// Move bytes in flight to the sink.
    Flush,
    /// Nothing is in flight and the source has ended: tell the sink.
    ShutdownWrite,
    /// Nothing can be done before one of the sockets reports an edge.
    Wait,
    /// The end has been passed on.
    Done,
}

/// What a fill brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// `bytes` (at least one) by `recv` that asked for `asked`.
    Copied {
        /// Bytes received.
        bytes: usize,
        /// Bytes that there was room for.
        asked: usize,
    },
    /// Bytes (at least one) by `splice`. A short splice says nothing about the source.
    Spliced(usize),
    /// The source had nothing.
    WouldBlock,
    /// The source has ended: a FIN was read.
    Eof,
}

/// What a flush did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flush {
    /// `bytes` (at least one) were taken by the sink.
    Moved(usize),
    /// The sink took nothing.
    WouldBlock,
}

/// How far the end of the stream has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum End {
    /// The source is open.
    #[default]
    Open,
    /// The source has ended; bytes may still be in flight.
    Eof,
    /// The end was passed on to the sink.
    ShutSent,
}

/// One direction of a session.
#[derive(Debug, Clone, Default)]
pub struct Flow {
    /// Bytes that the sink has taken.
    flushed: u64,
    /// Bytes filled and not flushed. A fill is at most one pipe or one scratch buffer, far below 4 GiB.
    in_flight: u32,
    end: End,
    splicing: bool,
    /// Consecutive fills that argue for the other path.
    streak: u8,
}

impl Flow {
    /// A flow whose first `bytes` the sink has taken already.
    pub fn after(bytes: usize) -> Self {
        Self {
            flushed: bytes as u64,
            ..Self::default()
        }
    }

    /// A flow of which so many bytes are held that were filled before.
    pub fn holding(bytes: usize) -> Self {
        Self {
            in_flight: u32::try_from(bytes).unwrap_or(u32::MAX),
            ..Self::default()
        }
    }

    /// What to do next, given what is known of both sockets.
    #[inline]
    #[must_use]
    pub fn next_step(&self, source: Readiness, sink: Readiness) -> FlowStep {
        if self.in_flight > 0 {
            return if sink.contains(Readiness::WRITABLE) {
                FlowStep::Flush
            } else {
                FlowStep::Wait
            };
        }
        match self.end {
            End::ShutSent => FlowStep::Done,
            End::Eof => FlowStep::ShutdownWrite,
            // Only what the sink can take at once is read: the kernel's buffers are the place to wait in.
            End::Open if source.contains(Readiness::READABLE) && sink.contains(Readiness::WRITABLE) => {
                FlowStep::Fill(if self.splicing { Path::Splice } else { Path::Copy })
            }
            End::Open => FlowStep::Wait,
        }
    }

    /// Learns what a fill brought.
    #[inline]
    pub fn on_fill(&mut self, fill: Fill, source: &mut Readiness) {
        match fill {
            Fill::Copied { bytes, asked } => {
                self.add(bytes);
                if bytes < asked {
                    source.read_short();
                }
                self.judge(bytes >= LARGE_FILL);
            }
            Fill::Spliced(bytes) => {
                self.add(bytes);
                self.judge(bytes < SMALL_FILL);
            }
            // A splice does not get past an urgent mark. Before one it reports "would block" or, after a FIN, the end of
            // the stream, even when the edge of the mark has yet to be seen. Only a `recv` can tell.
            Fill::Eof if self.splicing => self.demote(),
            Fill::WouldBlock if self.splicing && source.contains(Readiness::PENDING_MARK) => self.demote(),
            // With bytes in flight it may be the pipe that is full.
            Fill::WouldBlock if self.in_flight > 0 => {}
            Fill::WouldBlock => source.read_exhausted(),
            Fill::Eof => self.end = End::Eof,
        }
    }

    /// Learns what a flush did.
    #[inline]
    pub fn on_flush(&mut self, flush: Flush, sink: &mut Readiness) {
        match flush {
            Flush::Moved(bytes) => {
                let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
                debug_assert!(bytes <= self.in_flight, "flushed more than was in flight");
                self.in_flight = self.in_flight.saturating_sub(bytes);
                self.flushed += u64::from(bytes);
            }
            Flush::WouldBlock => sink.write_exhausted(),
        }
    }

    /// Learns that the end was passed on to the sink.
    pub fn on_shutdown(&mut self) {
        debug_assert!(
            self.in_flight == 0 && self.end == End::Eof,
            "shut down before the flush or the end"
        );
        self.end = End::ShutSent;
    }

    /// Nothing more comes from the source, which was closed: the end is passed on behind what is in flight.
    pub fn source_ended(&mut self) {
        self.end = End::Eof;
    }

    /// Nothing more goes to the sink, which was closed.
    pub fn sink_ended(&mut self) {
        self.in_flight = 0;
        self.end = End::ShutSent;
    }

    /// The driver has no pipe to spare: this flow goes on by copying, and has to earn its promotion again.
    pub fn demote(&mut self) {
        self.splicing = false;
        self.streak = 0;
    }

    /// Bytes filled and not flushed.
    pub const fn in_flight(&self) -> usize {
        self.in_flight as usize
    }

    /// Bytes that the sink has taken.
    pub const fn flushed(&self) -> u64 {
        self.flushed
    }

    /// Whether the source has ended.
    pub const fn has_eof(&self) -> bool {
        matches!(self.end, End::Eof | End::ShutSent)
    }

    /// Whether the end was passed on.
    pub const fn is_done(&self) -> bool {
        matches!(self.end, End::ShutSent)
    }

    fn add(&mut self, bytes: usize) {
        debug_assert!(bytes > 0, "an empty fill is an end or a would-block");
        self.in_flight = self
            .in_flight
            .saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
    }

    /// Counts one fill for or against the path in use.
    #[inline]
    fn judge(&mut self, argues_for_change: bool) {
        if !argues_for_change {
            self.streak = 0;
            return;
        }
        self.streak += 1;
        if self.streak == STREAK {
            self.splicing = !self.splicing;
            self.streak = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READY: Readiness = Readiness::UNTRIED;

    fn large() -> Fill {
        Fill::Copied {
            bytes: LARGE_FILL,
            asked: LARGE_FILL,
        }
    }

    #[test]
    fn would_block_with_bytes_in_flight_never_clears_the_source() {
        let mut flow = Flow::default();
        let mut source = READY;
        flow.on_fill(Fill::Spliced(100), &mut source);
        flow.on_fill(Fill::WouldBlock, &mut source);
        assert!(source.contains(Readiness::READABLE));
        flow.on_flush(Flush::Moved(100), &mut READY.clone());
        flow.on_fill(Fill::WouldBlock, &mut source);
        assert!(!source.contains(Readiness::READABLE));
    }

    #[test]
    fn a_short_recv_means_drained_unless_a_mark_is_pending() {
        let short = Fill::Copied { bytes: 10, asked: 20 };
        let mut source = READY;
        Flow::default().on_fill(short, &mut source);
        assert!(!source.contains(Readiness::READABLE));

        let mut source = READY | Readiness::PENDING_MARK;
        Flow::default().on_fill(short, &mut source);
        assert!(source.contains(Readiness::READABLE));
    }

    #[test]
    fn a_short_splice_says_nothing() {
        let mut source = READY;
        Flow::default().on_fill(Fill::Spliced(1), &mut source);
        assert!(source.contains(Readiness::READABLE));
    }

    #[test]
    fn a_splice_that_may_have_met_an_urgent_mark_is_followed_by_a_recv() {
        for (fill, marks) in [
            (Fill::Eof, READY),
            (Fill::WouldBlock, READY | Readiness::PENDING_MARK),
        ] {
            let (mut flow, mut source) = (
                Flow {
                    splicing: true,
                    ..Flow::default()
                },
                marks,
            );
            flow.on_fill(fill, &mut source);
            assert_eq!(flow.next_step(source, READY), FlowStep::Fill(Path::Copy));
        }
    }

    #[test]
    fn the_end_is_passed_on_only_after_the_last_byte() {
        let mut flow = Flow::default();
        let (mut source, mut sink) = (READY, READY);
        flow.on_fill(Fill::Copied { bytes: 10, asked: 10 }, &mut source);
        assert_eq!(flow.next_step(source, sink), FlowStep::Flush);
        flow.on_flush(Flush::Moved(4), &mut sink);
        flow.on_flush(Flush::WouldBlock, &mut sink);
        assert_eq!(flow.next_step(source, sink), FlowStep::Wait);
        sink.insert(Readiness::WRITABLE);
        flow.on_flush(Flush::Moved(6), &mut sink);
        flow.on_fill(Fill::Eof, &mut source);
        assert_eq!(flow.next_step(source, sink), FlowStep::ShutdownWrite);
        flow.on_shutdown();
        assert_eq!(flow.next_step(source, sink), FlowStep::Done);
        assert_eq!(flow.flushed(), 10);
    }

    #[test]
    fn large_fills_promote_to_splice_and_small_ones_demote() {
        let mut flow = Flow::default();
        let (mut source, mut sink) = (READY, READY);
        for _ in 0..STREAK {
            assert_eq!(flow.next_step(source, sink), FlowStep::Fill(Path::Copy));
            flow.on_fill(large(), &mut source);
            flow.on_flush(Flush::Moved(LARGE_FILL), &mut sink);
        }
        for _ in 0..STREAK {
            assert_eq!(flow.next_step(source, sink), FlowStep::Fill(Path::Splice));
            flow.on_fill(Fill::Spliced(1), &mut source);
            flow.on_flush(Flush::Moved(1), &mut sink);
        }
        assert_eq!(flow.next_step(source, sink), FlowStep::Fill(Path::Copy));
    }

    #[test]
    fn one_small_fill_breaks_a_streak_of_large_ones() {
        let mut flow = Flow::default();
        let (mut source, mut sink) = (READY, READY);
        for bytes in [LARGE_FILL, LARGE_FILL, 1, LARGE_FILL, LARGE_FILL] {
            flow.on_fill(Fill::Copied { bytes, asked: bytes }, &mut source);
            flow.on_flush(Flush::Moved(bytes), &mut sink);
        }
        assert_eq!(flow.next_step(source, sink), FlowStep::Fill(Path::Copy));
    }
}
