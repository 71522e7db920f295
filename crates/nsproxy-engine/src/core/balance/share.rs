//! What a server may get.

use std::num::NonZeroU32;

/// A server's share of its pool's sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// In proportion to the other servers' weights, 0 to 256; none at all with 0.
    pub weight: u16,
    /// Whether it is used only while no other server can be.
    pub backup: bool,
    /// Whether it is not used at all.
    pub disabled: bool,
    /// Most sessions at a time; others wait. `None` is "no limit".
    pub max_sessions: Option<NonZeroU32>,
    /// The limit while the pool has little to do: it grows with the pool's sessions up to
    /// [`Share::max_sessions`]. `None` is that limit always.
    pub min_sessions: Option<NonZeroU32>,
    /// Most sessions that wait for this very server; `None` is "no limit".
    pub max_queue: Option<NonZeroU32>,
}

impl Default for Share {
    fn default() -> Self {
        Self {
            weight: 1,
            backup: false,
            disabled: false,
            max_sessions: None,
            min_sessions: None,
            max_queue: None,
        }
    }
}

impl Share {
    /// Whether the server may get new sessions by what is configured.
    pub const fn is_usable(&self) -> bool {
        self.weight > 0 && !self.disabled
    }

    /// The limit while the pool has `sessions`, waiting ones included, and is busy at `full_at` of them (HAProxy's
    /// `srv_dynamic_maxconn`).
    pub(super) fn limit(&self, sessions: u32, full_at: Option<NonZeroU32>) -> Option<u32> {
        let (least, most) = match (self.min_sessions, self.max_sessions) {
            (None, None) => return None,
            (None, Some(most)) => return Some(most.get()),
            // Without a greater limit, the least one is the limit.
            (Some(least), most) => (least.get(), most.map_or(0, NonZeroU32::get).max(least.get())),
        };
        let Some(full_at) = full_at.filter(|full_at| sessions < full_at.get()) else {
            return Some(most);
        };
        let grown = u64::from(sessions) * u64::from(most) / u64::from(full_at.get());
        Some(u32::try_from(grown).unwrap_or(most).clamp(least, most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_grows_with_the_pools_sessions_from_the_least_to_the_most() {
        let share = Share {
            max_sessions: NonZeroU32::new(100),
            min_sessions: NonZeroU32::new(10),
            ..Share::default()
        };
        let limit = |sessions| share.limit(sessions, NonZeroU32::new(1000)).unwrap();
        assert_eq!(
            [0, 100, 500, 999, 1000, 5000].map(limit),
            [10, 10, 50, 99, 100, 100]
        );
        assert_eq!(share.limit(0, None), Some(100), "a pool that is never busy");
    }

    #[test]
    fn a_least_limit_alone_is_the_limit() {
        let share = Share {
            min_sessions: NonZeroU32::new(10),
            ..Share::default()
        };
        assert_eq!(share.limit(0, NonZeroU32::new(1000)), Some(10));
    }
}
