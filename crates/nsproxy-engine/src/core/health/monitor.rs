//! The health of one server: a level that checks raise and lower, with the two thresholds of HAProxy's `rise` and `fall`.

use std::num::NonZeroU32;

use crate::core::moment::Span;

/// What makes a server go up and down, and how often it is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Checks in a row that have to pass before a server that is down is up.
    pub rise: NonZeroU32,
    /// Checks in a row that have to fail before a server that is up is down.
    pub fall: NonZeroU32,
    /// From the end of a check to the next one.
    pub interval: Span,
    /// The same while the server is between up and down; `None` is [`Rules::interval`].
    pub fast_interval: Option<Span>,
    /// The same while it is down and no check has passed since; `None` is [`Rules::interval`].
    pub down_interval: Option<Span>,
    /// What too many errors of sessions mean.
    pub on_error: OnError,
}

/// What it means for a server that too many connections of sessions have failed in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// It is checked sooner, and nothing else.
    FastCheck,
    /// As much as a check that fails.
    #[default]
    FailCheck,
    /// As much as all the checks that have to fail but one, which is made soon.
    SuddenDeath,
    /// It is down.
    MarkDown,
}

/// A server has changed sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It can be used again.
    Up,
    /// It can no longer be used.
    Down,
}

/// What became of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Judged {
    /// Whether the level has moved.
    pub moved: bool,
    /// Whether the server has changed sides with it.
    pub change: Option<Change>,
}

/// The health of one server.
///
/// The level goes from 0 to `rise + fall - 1`; the server is up from `rise` on. A check that passes takes a server that is
/// up back to the top; one that fails takes a server that is down back to 0.
#[derive(Debug, Clone)]
pub struct Monitor {
    rules: Rules,
    level: u32,
}

impl Monitor {
    /// A server that nothing is known of: it counts as up, and the first check decides.
    pub const fn new(rules: Rules) -> Self {
        Self {
            rules,
            level: rules.rise.get(),
        }
    }

    /// Begins again, after a time in which nothing was looked at: it counts as up, and the first check decides.
    pub const fn restart(&mut self) {
        self.level = self.rules.rise.get();
    }

    /// Goes on under other rules: on the same side, with nothing counted.
    pub const fn set_rules(&mut self, rules: Rules) {
        let is_up = self.is_up();
        self.rules = rules;
        self.level = if is_up { self.top() } else { 0 };
    }

    /// What it goes by.
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Whether the server can be used.
    pub const fn is_up(&self) -> bool {
        self.level >= self.rules.rise.get()
    }

    /// How far it is on its side: so many steps out of so many. A server that is up has `fall` of them left at most, one
    /// that is down has taken some of `rise`.
    pub const fn progress(&self) -> (u32, u32) {
        let (rise, fall) = (self.rules.rise.get(), self.rules.fall.get());
        if self.is_up() {
            (self.level - rise + 1, fall)
        } else {
            (self.level, rise)
        }
    }

    /// A check has ended.
    pub const fn on_check(&mut self, passed: bool) -> Judged {
        let (was_up, before) = (self.is_up(), self.level);
        if passed {
            self.rise();
        } else {
            self.fall();
        }
        self.judged(was_up, before)
    }

    /// As many connections of sessions as it takes have failed, one after the other.
    pub const fn on_errors(&mut self) -> Judged {
        let (was_up, before) = (self.is_up(), self.level);
        let rise = self.rules.rise.get();
        match self.rules.on_error {
            OnError::FastCheck => {}
            OnError::FailCheck => self.fall(),
            OnError::SuddenDeath => {
                if self.level > rise {
                    self.level = rise + 1;
                }
                self.fall();
            }
            OnError::MarkDown => self.level = 0,
        }
        self.judged(was_up, before)
    }

    /// From the end of a check to the next one.
    pub const fn next_in(&self) -> Span {
        let rules = &self.rules;
        let other = if self.level == self.top() {
            None
        } else if self.level == 0 {
            rules.down_interval
        } else {
            rules.fast_interval
        };
        match other {
            Some(span) => span,
            None => rules.interval,
        }
    }

    const fn top(&self) -> u32 {
        // The sum of what two options say, each far below the limit of the type.
        self.rules
            .rise
            .get()
            .saturating_add(self.rules.fall.get())
            .saturating_sub(1)
    }

    const fn rise(&mut self) {
        if self.level < self.top() {
            self.level += 1;
            if self.is_up() {
                self.level = self.top();
            }
        }
    }

    const fn fall(&mut self) {
        if self.level > 0 {
            self.level -= 1;
            if !self.is_up() {
                self.level = 0;
            }
        }
    }

    const fn judged(&self, was_up: bool, before: u32) -> Judged {
        let change = match (was_up, self.is_up()) {
            (false, true) => Some(Change::Up),
            (true, false) => Some(Change::Down),
            _ => None,
        };
        Judged {
            moved: self.level != before,
            change,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(rise: u32, fall: u32, on_error: OnError) -> Rules {
        Rules {
            rise: NonZeroU32::new(rise).unwrap(),
            fall: NonZeroU32::new(fall).unwrap(),
            interval: Span::from_millis(2000).unwrap(),
            fast_interval: Span::from_millis(100),
            down_interval: Span::from_millis(5000),
            on_error,
        }
    }

    fn up(rules: Rules) -> Monitor {
        let mut monitor = Monitor::new(rules);
        monitor.on_check(true);
        assert_eq!(monitor.progress(), (rules.fall.get(), rules.fall.get()));
        monitor
    }

    #[test]
    fn the_first_check_decides_about_a_new_server() {
        let mut monitor = Monitor::new(rules(2, 3, OnError::FailCheck));
        assert!(monitor.is_up());
        assert_eq!(monitor.on_check(false).change, Some(Change::Down));
        assert_eq!(monitor.progress(), (0, 2));
    }

    #[test]
    fn a_server_goes_down_after_fall_failures_and_up_after_rise_passes() {
        let mut monitor = up(rules(2, 3, OnError::FailCheck));
        let changes: Vec<_> = [false, false, false, false, true, true, true]
            .map(|passed| monitor.on_check(passed).change)
            .into();
        assert_eq!(
            changes,
            [None, None, Some(Change::Down), None, None, Some(Change::Up), None]
        );
        assert_eq!(monitor.progress(), (3, 3));
    }

    #[test]
    fn a_failure_on_the_way_up_starts_again_at_the_bottom() {
        let mut monitor = Monitor::new(rules(3, 1, OnError::FailCheck));
        monitor.on_check(false);
        monitor.on_check(true);
        monitor.on_check(true);
        assert_eq!(monitor.progress(), (2, 3));
        monitor.on_check(false);
        assert_eq!(monitor.progress(), (0, 3));
    }

    #[test]
    fn checks_are_made_more_often_between_up_and_down_and_less_often_when_down() {
        let mut monitor = up(rules(2, 3, OnError::FailCheck));
        let mut intervals = Vec::new();
        for passed in [true, false, false, false, true, true] {
            monitor.on_check(passed);
            intervals.push(monitor.next_in().as_duration().as_millis());
        }
        assert_eq!(intervals, [2000, 100, 100, 5000, 100, 2000]);
    }

    #[test]
    fn errors_of_sessions_count_as_each_rule_says() {
        for (on_error, progress, change) in [
            (OnError::FastCheck, (3, 3), None),
            (OnError::FailCheck, (2, 3), None),
            (OnError::SuddenDeath, (1, 3), None),
            (OnError::MarkDown, (0, 2), Some(Change::Down)),
        ] {
            let mut monitor = up(rules(2, 3, on_error));
            assert_eq!(monitor.on_errors().change, change, "{on_error:?}");
            assert_eq!(monitor.progress(), progress, "{on_error:?}");
        }
    }

    #[test]
    fn other_rules_leave_a_server_on_its_side() {
        let mut monitor = up(rules(2, 3, OnError::FailCheck));
        monitor.on_check(false);
        monitor.set_rules(rules(5, 7, OnError::FailCheck));
        assert_eq!(monitor.progress(), (7, 7));
        for _ in 0..7 {
            monitor.on_check(false);
        }
        monitor.set_rules(rules(1, 1, OnError::FailCheck));
        assert_eq!((monitor.is_up(), monitor.progress()), (false, (0, 1)));
    }
}
