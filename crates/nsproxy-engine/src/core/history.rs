//! Since when something is up or down, and how long it was down in all.

use std::time::Duration;

use super::moment::Moment;

/// What was and what is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    is_up: bool,
    since: Moment,
    down_for: Duration,
    downs: u64,
}

impl History {
    /// It begins, up or down. To begin so is not to go down.
    pub const fn new(is_up: bool, now: Moment) -> Self {
        Self {
            is_up,
            since: now,
            down_for: Duration::ZERO,
            downs: 0,
        }
    }

    /// It is up from now on, or down. Nothing happens where it is so already.
    pub fn set_up(&mut self, is_up: bool, now: Moment) {
        if self.is_up == is_up {
            return;
        }
        if is_up {
            self.down_for += now.since(self.since);
        } else {
            self.downs += 1;
        }
        self.is_up = is_up;
        self.since = now;
    }

    /// Something else about it has changed, which counts as a change, too.
    pub fn touch(&mut self, now: Moment) {
        if !self.is_up {
            self.down_for += now.since(self.since);
        }
        self.since = now;
    }

    /// How it is now.
    pub fn at(&self, now: Moment) -> Availability {
        let unchanged_for = now.since(self.since);
        let now_down = if self.is_up { Duration::ZERO } else { unchanged_for };
        Availability {
            unchanged_for,
            down_for: self.down_for + now_down,
            downs: self.downs,
        }
    }
}

/// Since when a server or pool is as it is, and how long it was down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Availability {
    /// Since it last went up or down, or was drained; a pool is down while it has no server.
    pub unchanged_for: Duration,
    /// How long it was down in all.
    pub down_for: Duration,
    /// How often it went down.
    pub downs: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_that_it_was_down_add_up() {
        let at = Moment::from_millis;
        let mut history = History::new(true, at(10));
        history.set_up(false, at(100));
        history.set_up(false, at(150));
        assert_eq!(history.at(at(160)).down_for.as_millis(), 60);
        history.touch(at(170));
        assert_eq!(history.at(at(180)).down_for.as_millis(), 80);
        history.set_up(true, at(200));
        assert_eq!(history.at(at(1000)).down_for.as_millis(), 100);
        history.set_up(false, at(1000));
        assert_eq!(history.at(at(1001)).down_for.as_millis(), 101);
        let Availability {
            downs, unchanged_for, ..
        } = history.at(at(1001));
        assert_eq!((downs, unchanged_for.as_millis()), (2, 1));
    }

    #[test]
    fn what_begins_down_has_not_gone_down() {
        let at = Moment::from_millis;
        let history = History::new(false, at(10)).at(at(15));
        assert_eq!((history.downs, history.down_for.as_millis()), (0, 5));
    }
}
