//! When a watch looks at all names, and when only at those that something was heard of.
//!
//! To look at all takes time by their number, and to make as many takes as many looks. So where they are many, a look at all has
//! to wait until ten times as long has passed as the one before has taken, and what was heard in between is looked at by itself.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::NetnsName;

/// What takes no longer, some hundred names, is always looked at.
const SHORT: Duration = Duration::from_millis(1);
/// How many times as long as a look has taken there is none.
const REST: u32 = 10;
/// Names that may be waited for: those that came last.
const EXPECTED: usize = 64;

/// When all names were looked at, and which ones are about to become usable.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// There is no look at all of them before that.
    next: Option<Instant>,
    /// Names that have come, and lead nowhere yet: the kernel does not say where something is mounted.
    expected: VecDeque<NetnsName>,
}

impl Pace {
    /// Whether all of them may be looked at now.
    pub(super) fn allows_all(&self, now: Instant) -> bool {
        self.next.is_none_or(|next| next <= now)
    }

    /// How long it is until then.
    pub(super) fn rest(&self, now: Instant) -> Duration {
        let rest = self.next.map(|next| next.saturating_duration_since(now));
        rest.unwrap_or_default()
    }

    /// All of them were looked at, which has taken so long.
    pub(super) fn has_looked(&mut self, now: Instant, took: Duration) {
        self.next = (took > SHORT).then(|| now + took * REST);
    }

    /// A name has come.
    pub(super) fn expect(&mut self, name: NetnsName) {
        self.expected.push_back(name);
        if self.expected.len() > EXPECTED {
            self.expected.pop_front();
        }
    }

    /// Keeps those that are still expected.
    pub(super) fn retain(&mut self, is_expected: impl Fn(&NetnsName) -> bool) {
        self.expected.retain(is_expected);
    }

    /// Names that have come, and led nowhere when they were looked at last.
    pub(super) fn expected(&self) -> impl Iterator<Item = &NetnsName> {
        self.expected.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_the_time_goes_into_long_looks_and_short_ones_are_free() {
        let mut pace = Pace::default();
        let now = Instant::now();
        assert!(pace.allows_all(now));
        pace.has_looked(now, SHORT);
        assert!(pace.allows_all(now));
        pace.has_looked(now, Duration::from_millis(20));
        assert!(!pace.allows_all(now));
        assert_eq!(pace.rest(now), Duration::from_millis(200));
        assert!(pace.allows_all(now + Duration::from_millis(200)));
        assert_eq!(pace.rest(now + Duration::from_secs(1)), Duration::ZERO);
    }

    #[test]
    fn those_that_came_last_are_expected() {
        let mut pace = Pace::default();
        for number in 0..EXPECTED + 5 {
            pace.expect(format!("n{number}").parse().unwrap());
        }
        assert_eq!(pace.expected().count(), EXPECTED);
        assert_eq!(
            pace.expected().next().map(ToString::to_string),
            Some("n5".to_owned())
        );
        pace.retain(|name| name.to_string() == "n7");
        assert_eq!(pace.expected().count(), 1);
    }
}
