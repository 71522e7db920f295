//! How long something took: the average of about the last thousand times, and the longest.

use std::time::Duration;

use crate::stats::Counter;

/// Times that an average goes over, of each worker; HAProxy's window is as long.
const WINDOW: u64 = 1024;

/// What a worker has measured.
#[derive(Debug, Default)]
pub(crate) struct TimingCell {
    /// Milliseconds of those in the window.
    sum: Counter,
    /// How many those are.
    count: Counter,
    longest: Counter,
}

impl TimingCell {
    /// Only the owning worker may call this.
    pub(crate) fn add(&self, took: Duration) {
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let (sum, count) = (self.sum.get(), self.count.get());
        if count < WINDOW {
            self.count.put(count + 1);
            self.sum.put(sum.saturating_add(millis));
        } else {
            // An average one makes room for it.
            self.sum.put((sum - sum.div_ceil(WINDOW)).saturating_add(millis));
        }
        self.longest.put(self.longest.get().max(millis));
    }

    pub(super) fn measured(&self) -> Measured {
        Measured {
            millis: self.sum.get(),
            count: self.count.get(),
            longest: self.longest.get(),
        }
    }
}

/// What several workers have measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    millis: u64,
    count: u64,
    longest: u64,
}

impl Measured {
    pub(super) fn with(self, other: Self) -> Self {
        Self {
            millis: self.millis.saturating_add(other.millis),
            count: self.count + other.count,
            longest: self.longest.max(other.longest),
        }
    }
}

/// How long something took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timing {
    /// On average, of about the last thousand times of each worker.
    pub average: Duration,
    /// The longest.
    pub longest: Duration,
}

impl From<Measured> for Timing {
    fn from(
        Measured {
            millis,
            count,
            longest,
        }: Measured,
    ) -> Self {
        Self {
            average: Duration::from_millis(millis.checked_div(count).unwrap_or(0)),
            longest: Duration::from_millis(longest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn average(cell: &TimingCell) -> u128 {
        Timing::from(cell.measured()).average.as_millis()
    }

    #[test]
    fn an_average_forgets_what_was_long_ago() {
        let cell = TimingCell::default();
        assert_eq!(average(&cell), 0);
        cell.add(Duration::from_millis(12));
        cell.add(Duration::ZERO);
        assert_eq!(average(&cell), 6);
        for _ in 0..20_000 {
            cell.add(Duration::from_millis(100));
        }
        assert!((99..=100).contains(&average(&cell)), "{}", average(&cell));
        for _ in 0..20_000 {
            cell.add(Duration::ZERO);
        }
        assert_eq!(average(&cell), 0);
        assert_eq!(Timing::from(cell.measured()).longest.as_millis(), 100);
    }
}
