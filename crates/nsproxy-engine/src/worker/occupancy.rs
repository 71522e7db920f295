//! How much of its time a worker has been busy lately: one that hardly sleeps is not given more.

use std::time::{Duration, Instant};

/// The time over which it is judged.
const WINDOW: Duration = Duration::from_millis(50);
/// A worker that slept for less than one part in so many of a window is saturated.
const LEAST_SLEEP: u32 = 16;

/// What a worker knows of its own time.
#[derive(Debug)]
pub(super) struct Occupancy {
    window: Instant,
    slept: Duration,
    is_saturated: bool,
}

impl Occupancy {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            window: now,
            slept: Duration::ZERO,
            is_saturated: false,
        }
    }

    /// The worker has waited for events from `from` until `now`.
    #[inline]
    pub(super) fn slept(&mut self, from: Instant, now: Instant) {
        self.slept += now.saturating_duration_since(from);
        let window = now.saturating_duration_since(self.window);
        if window >= WINDOW {
            self.is_saturated = self.slept < window / LEAST_SLEEP;
            self.window = now;
            self.slept = Duration::ZERO;
        }
    }

    /// Whether it had hardly any time to sleep in the last window.
    #[inline]
    pub(super) fn is_saturated(&self) -> bool {
        self.is_saturated
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a worker is saturated after rounds of work and sleep, both in milliseconds.
    fn after(rounds: &[(u64, u64)]) -> bool {
        let mut now = Instant::now();
        let mut occupancy = Occupancy::new(now);
        for (work, sleep) in rounds {
            let from = now + Duration::from_millis(*work);
            now = from + Duration::from_millis(*sleep);
            occupancy.slept(from, now);
        }
        occupancy.is_saturated()
    }

    #[test]
    fn who_works_all_the_time_is_saturated_and_who_sleeps_a_little_is_not() {
        assert!(after(&[(10, 0); 6]));
        assert!(after(&[(50, 1)]));
        assert!(!after(&[(9, 1); 6]));
        assert!(!after(&[(0, 60_000)]));
    }

    #[test]
    fn only_the_last_window_counts() {
        assert!(!after(&[(60, 0), (0, 50)]));
        assert!(after(&[(0, 50), (60, 0)]));
        // Too short to be judged anew.
        assert!(after(&[(60, 0), (0, 20)]));
    }
}
