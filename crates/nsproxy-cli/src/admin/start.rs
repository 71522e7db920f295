//! When the process began to listen for administrators: how long ago, and on which date, which is for people alone.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A moment of the past.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    at: Instant,
    date: SystemTime,
}

impl Start {
    pub(super) fn now() -> Self {
        Self {
            at: Instant::now(),
            date: SystemTime::now(),
        }
    }

    /// How long ago that was.
    pub(super) fn elapsed(self) -> Duration {
        self.at.elapsed()
    }

    /// Seconds from the epoch to it.
    pub(super) fn date(self) -> u64 {
        self.date.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
    }
}
