//! Checks spread over time, so that many servers are not checked in the same moment.

use crate::core::moment::Span;

/// How checks are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spread {
    /// By how many per cent an interval may be longer or shorter, by lot; 50 at most.
    pub percent: u8,
    /// Longest time over which the first checks are spread; `None` is "no limit".
    pub longest: Option<Span>,
}

/// Intervals below this do not shorten the time over which first checks are spread.
const SHORT_MILLIS: u64 = 1_000;

impl Spread {
    /// When first checks are made of servers that are checked in these intervals: spread over the shortest that is not
    /// very short, or over the server's own.
    pub(crate) fn first_checks(self, intervals: impl IntoIterator<Item = Span>) -> FirstChecks {
        let (mut count, mut shortest) = (0, None);
        for interval in intervals {
            count += 1;
            let millis = millis(interval);
            if millis >= SHORT_MILLIS {
                shortest = Some(shortest.map_or(millis, |shortest: u64| shortest.min(millis)));
            }
        }
        FirstChecks {
            count,
            shortest: shortest.unwrap_or(0),
            longest: self.longest.map_or(u64::MAX, millis),
        }
    }

    /// An interval in milliseconds, moved by the lot that `draw` stands for.
    pub fn moved(&self, interval: Span, draw: u32) -> u64 {
        let millis = millis(interval);
        let most = millis.saturating_mul(u64::from(self.percent.min(50))) / 100;
        let by = most.saturating_mul(2).saturating_mul(u64::from(draw)) / u64::from(u32::MAX);
        (millis - most + by).max(1)
    }
}

/// When the first checks of so many servers are made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FirstChecks {
    count: u64,
    shortest: u64,
    longest: u64,
}

impl FirstChecks {
    /// When the check of the server at `place` is made first, in milliseconds from the start.
    pub(crate) fn millis(&self, place: usize, interval: Span) -> u64 {
        let over = millis(interval).max(self.shortest).min(self.longest);
        over.saturating_mul(place as u64) / self.count.max(1)
    }
}

fn millis(span: Span) -> u64 {
    u64::try_from(span.as_duration().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(millis: u32) -> Span {
        Span::from_millis(millis).unwrap()
    }

    #[test]
    fn first_checks_are_spread_over_the_shortest_interval_that_is_not_very_short() {
        let intervals = [span(2000), span(4000), span(500), span(2000)];
        let first = |spread: Spread| {
            let first_checks = spread.first_checks(intervals);
            [0, 1, 2, 3].map(|place| first_checks.millis(place, intervals[place]))
        };
        assert_eq!(first(Spread::default()), [0, 1000, 1000, 1500]);
        let within = Spread {
            longest: Some(span(400)),
            ..Spread::default()
        };
        assert_eq!(first(within), [0, 100, 200, 300]);
    }

    #[test]
    fn an_interval_is_moved_by_as_many_per_cent_at_most_and_both_ways() {
        let spread = Spread {
            percent: 10,
            longest: None,
        };
        let moved = [0, u32::MAX / 2, u32::MAX].map(|draw| spread.moved(span(1000), draw));
        assert_eq!(moved, [900, 999, 1100]);
        assert_eq!(Spread::default().moved(span(1000), u32::MAX), 1000);
    }
}
