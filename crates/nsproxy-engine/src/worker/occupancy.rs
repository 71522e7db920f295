//! How much of a CPU a worker has used lately: one that uses a whole one is not given more.
//!
//! What counts is the CPU time of its thread. One that waits for its turn beside other programs has not too much to do.

use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

/// The time over which it is judged.
const WINDOW: Duration = Duration::from_millis(50);
/// A worker that left less than one part in so many of a window unused is saturated.
const LEAST_UNUSED: u32 = 16;

/// What a worker knows of its own time.
#[derive(Debug)]
pub(super) struct Occupancy {
    window: Instant,
    /// CPU time of the thread when the window began.
    used: Duration,
    is_saturated: bool,
}

impl Occupancy {
    /// For the calling thread.
    pub(super) fn of_this_thread(now: Instant) -> Self {
        Self {
            window: now,
            used: cpu_time(),
            is_saturated: false,
        }
    }

    /// To be called in each round of the loop. Costs a look at the clock of the thread once in a window.
    #[inline]
    pub(super) fn look(&mut self, now: Instant) {
        if now.saturating_duration_since(self.window) >= WINDOW {
            self.judge(now, cpu_time());
        }
    }

    fn judge(&mut self, now: Instant, used: Duration) {
        let window = now.saturating_duration_since(self.window);
        let unused = window.saturating_sub(used.saturating_sub(self.used));
        self.is_saturated = unused < window / LEAST_UNUSED;
        (self.window, self.used) = (now, used);
    }

    /// Whether it used up the last window.
    #[inline]
    pub(super) fn is_saturated(&self) -> bool {
        self.is_saturated
    }
}

/// CPU time of the calling thread so far. Without an answer a worker counts as one that has time.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a worker is saturated after windows of which it used so much, both in milliseconds.
    fn after(windows: &[(u64, u64)]) -> bool {
        let mut now = Instant::now();
        let mut used = Duration::from_secs(1);
        let mut occupancy = Occupancy {
            window: now,
            used,
            is_saturated: false,
        };
        for (length, of_it) in windows {
            now += Duration::from_millis(*length);
            used += Duration::from_millis(*of_it);
            occupancy.judge(now, used);
        }
        occupancy.is_saturated()
    }

    #[test]
    fn who_uses_a_whole_cpu_is_saturated_and_who_leaves_some_of_it_is_not() {
        assert!(after(&[(50, 50)]));
        assert!(after(&[(60, 57)]));
        assert!(!after(&[(60, 54)]));
        assert!(!after(&[(60_000, 1)]));
    }

    #[test]
    fn only_the_last_window_counts() {
        assert!(!after(&[(50, 50), (50, 10)]));
        assert!(after(&[(50, 0), (50, 50)]));
    }

    #[test]
    fn the_clock_of_a_thread_runs_while_it_works() {
        let begun = cpu_time();
        let mut rounds = 0_u64;
        while cpu_time() == begun {
            rounds = std::hint::black_box(rounds + 1);
        }
    }
}
