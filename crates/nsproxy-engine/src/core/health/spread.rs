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
    /// When the check of the server at `place` of `count` is made first, in milliseconds from the start. `intervals` are
    /// those of all: the first checks are spread over the shortest that is not very short, or over the server's own.
    pub fn first(&self, place: usize, interval: Span, intervals: &[Span]) -> u64 {
        let millis = |span: &Span| u64::try_from(span.as_duration().as_millis()).unwrap_or(u64::MAX);
        let shortest = intervals
            .iter()
            .map(millis)
            .filter(|millis| *millis >= SHORT_MILLIS)
            .min();
        let mut over = millis(&interval).max(shortest.unwrap_or(0));
        if let Some(longest) = &self.longest {
            over = over.min(millis(longest));
        }
        over.saturating_mul(place as u64) / (intervals.len() as u64).max(1)
    }

    /// An interval in milliseconds, moved by the lot that `draw` stands for.
    pub fn moved(&self, interval: Span, draw: u32) -> u64 {
        let millis = u64::try_from(interval.as_duration().as_millis()).unwrap_or(u64::MAX);
        let most = millis.saturating_mul(u64::from(self.percent.min(50))) / 100;
        let by = most.saturating_mul(2).saturating_mul(u64::from(draw)) / u64::from(u32::MAX);
        (millis - most + by).max(1)
    }
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
        let first =
            |spread: Spread| [0, 1, 2, 3].map(|place| spread.first(place, intervals[place], &intervals));
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
