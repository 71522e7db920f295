//! Time as the core sees it: a number that the caller passes in and that never goes back.

use std::num::NonZeroU32;
use std::time::Duration;

/// Milliseconds since some start that all moments of one worker share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Moment(u64);

impl Moment {
    /// The moment `millis` milliseconds after the start.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the start.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// This moment, `span` later. Saturates.
    #[must_use]
    pub const fn after(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0.get() as u64))
    }

    /// How long after `earlier` this is; nothing when it is not after it.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// A timeout in whole milliseconds, from 1 ms to 49 days.
///
/// Never zero, so that `Option<Span>` takes four bytes: every session carries several, and `None` means "never".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(NonZeroU32);

impl Span {
    /// The shortest.
    pub const MILLISECOND: Self = Self(NonZeroU32::MIN);
    /// A thousand of those.
    pub const SECOND: Self = Self(NonZeroU32::MIN.saturating_add(999));

    /// `duration` rounded up to a whole millisecond, so that a timeout is never shorter than asked for; at most 49 days.
    /// `None` for zero, which HAProxy's language means as "no timeout".
    pub fn from_duration(duration: Duration) -> Option<Self> {
        let millis = duration.as_nanos().div_ceil(1_000_000);
        NonZeroU32::new(u32::try_from(millis).unwrap_or(u32::MAX)).map(Self)
    }

    /// So many milliseconds; `None` for zero.
    pub const fn from_millis(millis: u32) -> Option<Self> {
        match NonZeroU32::new(millis) {
            Some(millis) => Some(Self(millis)),
            None => None,
        }
    }

    /// As a standard duration.
    pub const fn as_duration(self) -> Duration {
        Duration::from_millis(self.0.get() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_never_shorter_than_asked_for() {
        let span = Span::from_duration(Duration::from_micros(1500)).unwrap();
        assert_eq!(span.as_duration(), Duration::from_millis(2));
        assert_eq!(Span::from_duration(Duration::ZERO), None);
        assert_eq!(size_of::<Option<Span>>(), 4);
    }
}
