//! How many events there were in the last second, and when there may be another.
//!
//! HAProxy's own measure: what was counted in this second, and of what was counted in the second before as large a part as
//! is still within one second from now. So a limit holds at any moment, without a list of events.

use std::num::NonZeroU32;

use super::moment::{Moment, Span};

/// The second in question, in milliseconds.
const PERIOD: u64 = 1000;

/// Counts events against a limit per second.
#[derive(Debug, Clone)]
pub struct RateLimit {
    limit: NonZeroU32,
    /// When this period began; `None` before the first event.
    began: Option<Moment>,
    /// In this period.
    current: u32,
    /// In the one before.
    before: u32,
}

impl RateLimit {
    /// At most `limit` events in a second.
    pub const fn new(limit: NonZeroU32) -> Self {
        Self {
            limit,
            began: None,
            current: 0,
            before: 0,
        }
    }

    /// Another limit. What was counted before counts.
    pub const fn set_limit(&mut self, limit: NonZeroU32) {
        self.limit = limit;
    }

    /// Counts an event, if there may be one now.
    ///
    /// # Errors
    ///
    /// How long to wait, exactly: there may be one then, unless another takes it, and none sooner.
    pub fn count(&mut self, now: Moment) -> Result<(), Span> {
        let elapsed = self.turn(now);
        if self.weight(elapsed) < u64::from(self.limit.get()) * PERIOD {
            self.current += 1;
            return Ok(());
        }
        Err(self.wait(elapsed))
    }

    /// An event that was counted has not been one.
    pub fn take_back(&mut self) {
        self.current = self.current.saturating_sub(1);
    }

    /// Begins another period where this one is over. The answer is how far into it `now` is, in milliseconds.
    fn turn(&mut self, now: Moment) -> u64 {
        let now = now.as_millis();
        let elapsed = self.began.map(|began| now.saturating_sub(began.as_millis()));
        let elapsed = match elapsed {
            Some(elapsed @ 0..PERIOD) => return elapsed,
            Some(elapsed) if elapsed < 2 * PERIOD => {
                self.before = std::mem::take(&mut self.current);
                elapsed - PERIOD
            }
            _ => {
                (self.before, self.current) = (0, 0);
                0
            }
        };
        self.began = Some(Moment::from_millis(now - elapsed));
        elapsed
    }

    /// Events of the last second, times the period.
    fn weight(&self, elapsed: u64) -> u64 {
        u64::from(self.before) * (PERIOD - elapsed) + u64::from(self.current) * PERIOD
    }

    /// How long until there is room, when there is none.
    fn wait(&self, elapsed: u64) -> Span {
        let wait = if self.current < self.limit.get() {
            self.room_at(self.before, self.current) - elapsed
        } else {
            // This period is full. In the next one it is the one before.
            PERIOD - elapsed + self.room_at(self.current, 0)
        };
        // Two periods at most, and never nothing.
        let millis = u32::try_from(wait).ok().and_then(Span::from_millis);
        millis.unwrap_or(Span::MILLISECOND)
    }

    /// How far into a period there is room, with so many events in the one before and so many (less than the limit) in this one.
    fn room_at(&self, before: u32, current: u32) -> u64 {
        let left = u64::from(self.limit.get() - current) * PERIOD;
        // `before * (PERIOD - elapsed)` has to be less than what is left.
        match (left - 1).checked_div(u64::from(before)) {
            None => 0,
            Some(most) => PERIOD - most.min(PERIOD),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(limit: u32) -> RateLimit {
        RateLimit::new(NonZeroU32::new(limit).unwrap())
    }

    fn count(rate: &mut RateLimit, millis: u64) -> Result<(), u128> {
        let counted = rate.count(Moment::from_millis(millis));
        counted.map_err(|wait| wait.as_duration().as_millis())
    }

    #[test]
    fn a_burst_up_to_the_limit_is_followed_by_an_even_flow() {
        let mut rate = rate(10);
        for _ in 0..10 {
            assert_eq!(count(&mut rate, 0), Ok(()));
        }
        // The next second begins with ten in the one before, and each tenth of it one of them grows too old.
        assert_eq!(count(&mut rate, 0), Err(1001));
        assert_eq!(count(&mut rate, 1000), Err(1));
        assert_eq!(count(&mut rate, 1001), Ok(()));
        assert_eq!(count(&mut rate, 1001), Err(100));
        assert_eq!(count(&mut rate, 1101), Ok(()));
    }

    #[test]
    fn an_event_that_is_taken_back_leaves_its_room() {
        let mut rate = rate(1);
        assert_eq!(count(&mut rate, 0), Ok(()));
        rate.take_back();
        assert_eq!(count(&mut rate, 0), Ok(()));
        assert!(count(&mut rate, 0).is_err());
    }

    #[test]
    fn what_was_counted_before_a_limit_changes_counts_against_the_next_one() {
        let mut rate = rate(2);
        for _ in 0..2 {
            assert_eq!(count(&mut rate, 0), Ok(()));
        }
        rate.set_limit(NonZeroU32::new(3).unwrap());
        assert_eq!(count(&mut rate, 0), Ok(()));
        assert!(count(&mut rate, 0).is_err());
        rate.set_limit(NonZeroU32::MIN);
        // Three in the second before: each third of this one, one of them grows too old.
        assert_eq!(count(&mut rate, 1000), Err(667));
        assert_eq!(count(&mut rate, 1667), Ok(()));
    }

    /// HAProxy's words for it, as its source has them: a counter that turns each second, and a weighted sum.
    struct Model {
        tick: u64,
        curr: u64,
        prev: u64,
    }

    impl Model {
        fn remain(&mut self, now: u64, freq: u64) -> u64 {
            while now - self.tick >= 1000 {
                if now - self.tick >= 2000 {
                    (self.prev, self.curr, self.tick) = (0, 0, now);
                } else {
                    (self.prev, self.curr, self.tick) = (self.curr, 0, self.tick + 1000);
                }
            }
            let remaining = self.tick + 1000 - now;
            let average = (self.prev * remaining + self.curr * 1000) / 1000;
            freq - average.min(freq)
        }
    }

    proptest! {
        #[test]
        fn what_is_counted_is_what_haproxy_accepts(limit in 1_u32..60, gaps in prop::collection::vec(0_u64..300, 1..300)) {
            let mut rate = rate(limit);
            let mut model = Model { tick: 0, curr: 0, prev: 0 };
            // HAProxy's clock has been going for long when the first event comes.
            let mut now = 10_000;
            for gap in gaps {
                now += gap * gap / 300;
                let has_room = model.remain(now, u64::from(limit)) > 0;
                prop_assert_eq!(count(&mut rate, now).is_ok(), has_room);
                model.curr += u64::from(has_room);
            }
        }

        #[test]
        fn the_wait_is_exact(limit in 1_u32..2000, gaps in prop::collection::vec(0_u64..40, 1..400)) {
            let mut rate = rate(limit);
            let mut now = 0;
            for gap in gaps {
                now += gap;
                // Until there is no more room.
                let mut wait = 0;
                for _ in 0..=limit {
                    if let Err(millis) = count(&mut rate, now) {
                        wait = u64::try_from(millis).unwrap();
                        break;
                    }
                }
                prop_assert!((1..=2001).contains(&wait));
                prop_assert!(count(&mut rate.clone(), now + wait - 1).is_err());
                prop_assert!(count(&mut rate.clone(), now + wait).is_ok());
            }
        }

        #[test]
        fn no_second_has_more_than_twice_the_limit_and_a_busy_while_has_the_limit(limit in 1_u32..50) {
            let mut rate = rate(limit);
            let counted: Vec<u64> = (0..20_000).filter(|&now| count(&mut rate, now).is_ok()).collect();
            let most = 2 * limit as usize;
            prop_assert!(counted.windows(most + 1).all(|events| events[most] - events[0] >= 1000));
            let expected = 20 * limit as usize;
            prop_assert!(counted.len() <= expected + limit as usize);
            prop_assert!(counted.len() >= expected - expected / 10 - 2, "{} of {expected}", counted.len());
        }
    }
}
