//! How many came within the last second, and the most that ever did. Shared by workers without a lock.
//!
//! Counted as HAProxy's `freq_ctr.h` does: all of this second, and of the second before the part that is not yet a second ago,
//! as if those had come evenly.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::moment::Moment;

/// Bits of a count; more than a million in a second count as a million.
const COUNT_BITS: u32 = 20;
const COUNT: u64 = (1 << COUNT_BITS) - 1;
/// Bits of a second's number, which goes round after half a year.
const SECOND: u64 = (1 << (64 - 2 * COUNT_BITS)) - 1;

/// Counts what comes.
#[derive(Debug, Default)]
pub struct Meter {
    /// A [`Window`] in one number.
    window: AtomicU64,
    most: AtomicU32,
}

impl Meter {
    /// One has come.
    pub fn count(&self, now: Moment) {
        let add = |packed| Some(Window::from(packed).counted(now).packed());
        // It always gives a value, so this cannot fail.
        let (Ok(before) | Err(before)) = self
            .window
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        let rate = Window::from(before).counted(now).rate(now);
        if rate > self.most.load(Ordering::Relaxed) {
            self.most.fetch_max(rate, Ordering::Relaxed);
        }
    }

    /// How many came within the second before `now`.
    pub fn rate(&self, now: Moment) -> u32 {
        Window::from(self.window.load(Ordering::Relaxed)).rate(now)
    }

    /// The most that ever came within a second.
    pub fn most(&self) -> u32 {
        self.most.load(Ordering::Relaxed)
    }
}

/// What came in a second, and in the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    second: u64,
    before: u64,
    current: u64,
}

impl Window {
    const fn from(packed: u64) -> Self {
        Self {
            second: packed >> (2 * COUNT_BITS),
            before: packed >> COUNT_BITS & COUNT,
            current: packed & COUNT,
        }
    }

    const fn packed(self) -> u64 {
        self.second << (2 * COUNT_BITS) | self.before << COUNT_BITS | self.current
    }

    /// The same, as it stands at `now`. Another worker may look at a clock that was read a moment before: its second counts as
    /// this one.
    const fn at(self, now: Moment) -> Self {
        let second = (now.as_millis() / 1000) & SECOND;
        let (before, current) = match second.wrapping_sub(self.second) & SECOND {
            0 => return self,
            1 => (self.current, 0),
            passed if passed > SECOND / 2 => return self,
            _ => (0, 0),
        };
        Self {
            second,
            before,
            current,
        }
    }

    const fn counted(self, now: Moment) -> Self {
        let window = self.at(now);
        let current = if window.current < COUNT {
            window.current + 1
        } else {
            COUNT
        };
        Self { current, ..window }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "both counts are of 20 bits, and so is no more than twice as much"
    )]
    const fn rate(self, now: Moment) -> u32 {
        let Self { before, current, .. } = self.at(now);
        // A single one does not fade away: it is there for as long as its second is.
        if before <= 1 && current == 0 {
            return before as u32;
        }
        let left = 1000 - now.as_millis() % 1000;
        (current + before * left / 1000) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(millis: u64) -> Moment {
        Moment::from_millis(millis)
    }

    #[test]
    fn the_second_before_counts_for_the_part_that_is_not_a_second_ago() {
        let meter = Meter::default();
        for _ in 0..100 {
            meter.count(at(5_500));
        }
        assert_eq!(meter.rate(at(5_999)), 100);
        assert_eq!(meter.rate(at(6_000)), 100);
        assert_eq!(meter.rate(at(6_250)), 75);
        assert_eq!(meter.rate(at(6_999)), 0);
        assert_eq!(meter.rate(at(8_000)), 0);
        assert_eq!(meter.most(), 100);
    }

    #[test]
    fn a_clock_that_was_read_before_counts_for_this_second() {
        let meter = Meter::default();
        meter.count(at(6_001));
        meter.count(at(5_999));
        assert_eq!(meter.rate(at(6_002)), 2);
    }

    #[test]
    fn what_does_not_fit_counts_as_what_does() {
        let full = Window {
            second: 1,
            before: COUNT,
            current: COUNT,
        };
        assert_eq!(Window::from(full.packed()), full);
        assert_eq!(full.counted(at(1_000)), full);
    }

    proptest! {
        #[test]
        fn the_rate_is_never_more_than_what_came_in_two_seconds(mut steps in proptest::collection::vec(0_u64..700, 1..200)) {
            let meter = Meter::default();
            let mut came = Vec::new();
            let mut now = 0;
            for step in steps.drain(..) {
                now += step;
                meter.count(at(now));
                came.push(now);
                let recent = came.iter().filter(|then| now - **then < 2000).count();
                let this_second = came.iter().filter(|then| **then / 1000 == now / 1000).count();
                let rate = meter.rate(at(now)) as usize;
                prop_assert!(this_second <= rate && rate <= recent, "{this_second} {rate} {recent}");
                prop_assert!(meter.most() as usize >= rate);
            }
        }
    }
}
