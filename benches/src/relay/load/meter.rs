//! When the measured part of a run begins and ends, and what was counted in between.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use hdrhistogram::Histogram;

/// Latencies up to a minute are told apart, to three digits.
const LONGEST_NS: u64 = 60_000_000_000;
const DIGITS: u8 = 3;

/// Counters of others at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::relay) struct Snapshot {
    /// What the relay's processes have used, in nanoseconds of CPU time.
    pub(in crate::relay) relay_cpu_ns: u64,
    /// What the calling thread has used.
    pub(in crate::relay) client_cpu_ns: u64,
    /// What the threads of the servers have used.
    pub(in crate::relay) server_cpu_ns: u64,
    /// Bytes that the servers' sinks have taken in.
    pub(in crate::relay) server_received: u64,
}

/// The measured part of a run.
#[derive(Clone, Debug)]
pub(in crate::relay) struct Measured {
    pub(in crate::relay) length: Duration,
    /// Requests answered, or connections made, served and closed.
    pub(in crate::relay) operations: u64,
    /// Bytes taken in by the client; a bulk transfer to the server is counted there.
    pub(in crate::relay) bytes: u64,
    pub(in crate::relay) latencies: Histogram<u64>,
    pub(in crate::relay) begin: Snapshot,
    pub(in crate::relay) end: Snapshot,
}

/// Which part of a run it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    WarmUp,
    Measured,
    /// Nothing new is begun any more.
    Over,
}

/// Counts operations, and only those of the measured part.
pub(in crate::relay) struct Meter<'a> {
    part: Part,
    next: Instant,
    length: Duration,
    begun: Instant,
    measured: Measured,
    snapshot: &'a mut dyn FnMut() -> anyhow::Result<Snapshot>,
}

impl<'a> Meter<'a> {
    /// The clock runs from now on. `snapshot` is called on the client's thread when the measured part begins and ends.
    pub(in crate::relay) fn start(
        warm_up: Duration,
        length: Duration,
        snapshot: &'a mut dyn FnMut() -> anyhow::Result<Snapshot>,
    ) -> anyhow::Result<Self> {
        let now = Instant::now();
        Ok(Self {
            part: Part::WarmUp,
            next: now + warm_up,
            length,
            begun: now,
            measured: Measured {
                length: Duration::ZERO,
                operations: 0,
                bytes: 0,
                latencies: Histogram::new_with_bounds(1, LONGEST_NS, DIGITS)
                    .context("the bounds of the histogram")?,
                begin: Snapshot::default(),
                end: Snapshot::default(),
            },
            snapshot,
        })
    }

    /// Which part it is at `now`.
    pub(super) fn part(&mut self, now: Instant) -> anyhow::Result<Part> {
        if self.part != Part::Over && now >= self.next {
            let snapshot = (self.snapshot)()?;
            let now = Instant::now();
            if self.part == Part::WarmUp {
                self.part = Part::Measured;
                self.measured.begin = snapshot;
                self.begun = now;
                self.next = now + self.length;
            } else {
                self.part = Part::Over;
                self.measured.end = snapshot;
                self.measured.length = now - self.begun;
            }
        }
        Ok(self.part)
    }

    /// How long a poll may last so that no end of a part is missed.
    pub(super) fn remaining(&self, now: Instant) -> Duration {
        match self.part {
            Part::WarmUp | Part::Measured => self.next.saturating_duration_since(now),
            Part::Over => super::PATIENCE,
        }
    }

    /// An operation that took from `begun` to `now`, with `bytes` in its answer.
    pub(super) fn record(&mut self, begun: Instant, now: Instant, bytes: u64) {
        if self.part == Part::Measured {
            self.measured.operations += 1;
            self.measured.bytes += bytes;
            let taken = u64::try_from((now - begun).as_nanos()).unwrap_or(LONGEST_NS);
            self.measured.latencies.saturating_record(taken);
        }
    }

    /// Bytes of a transfer without operations.
    pub(super) fn add_bytes(&mut self, bytes: u64) {
        if self.part == Part::Measured {
            self.measured.bytes += bytes;
        }
    }

    pub(super) fn finish(self) -> Measured {
        self.measured
    }
}

impl fmt::Debug for Meter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meter")
            .field("part", &self.part)
            .finish_non_exhaustive()
    }
}
