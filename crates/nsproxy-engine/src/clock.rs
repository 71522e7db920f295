//! The engine's clock: the moments of all its threads count from the same start.

use std::time::Instant;

use crate::core::moment::Moment;

/// A clock that never goes back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock(Instant);

impl Clock {
    /// One that starts now.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now(self) -> Moment {
        self.at(Instant::now())
    }

    pub(crate) fn at(self, instant: Instant) -> Moment {
        let millis = instant.saturating_duration_since(self.0).as_millis();
        Moment::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
    }
}
