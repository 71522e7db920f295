//! One server that is checked: its state, and the check that is on its way.

use super::Watched;
use super::attempt::Attempt;
use crate::core::health::{CheckResult, Monitor};
use crate::core::moment::Moment;

/// One server that is checked.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) watched: Watched,
    pub(super) monitor: Monitor,
    pub(super) state: State,
    /// What its timer is set to.
    pub(super) timer: Option<Moment>,
    /// What was found last.
    pub(super) last: Option<CheckResult>,
    /// Tells answers of the opener for this check from late ones for the check before.
    pub(super) generation: u32,
}

/// What such a server waits for.
#[derive(Debug)]
pub(super) enum State {
    /// Its next check to be due; or, without a timer, its turn among those that are.
    Idle,
    /// A check that is on its way.
    Checking(Box<Attempt>),
}

impl Checked {
    pub(super) fn new(watched: Watched) -> Self {
        let monitor = Monitor::new(watched.plan.rules);
        watched.health.set(true, monitor.progress(), None);
        Self {
            watched,
            monitor,
            state: State::Idle,
            timer: None,
            last: None,
            generation: 0,
        }
    }

    /// Begins again, after a time without checks.
    pub(super) fn restart(&mut self) {
        self.monitor.restart();
        self.watched.health.set(true, self.monitor.progress(), None);
        self.watched.health.forgive();
    }

    /// Goes on as another plan says. True when a check that is on its way is not what that wants.
    pub(super) fn adopt(&mut self, watched: Watched) -> bool {
        let resumes = self.watched.is_paused && !watched.is_paused;
        let target = |watched: &Watched| {
            watched
                .members
                .first()
                .map(|member| member.server.target().into_owned())
        };
        let changes =
            resumes || self.watched.plan != watched.plan || target(&self.watched) != target(&watched);
        if self.watched.plan.rules != watched.plan.rules {
            self.monitor.set_rules(watched.plan.rules);
            watched
                .health
                .set(self.monitor.is_up(), self.monitor.progress(), None);
        }
        self.watched = watched;
        if resumes {
            self.restart();
        }
        changes
    }
}
