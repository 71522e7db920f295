//! Deadlines instead of sleeps: wait for a condition, and say what was missing when it never came.
//!
//! This is the one place of the test suite that pauses a thread. It does so between two looks at a condition, and for a peer
//! that is meant to be slow ([`Rng::pause`](crate::Rng::pause)).

use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits for one thing unless it says otherwise.
///
/// Long enough for a loaded machine, short enough for a person.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(10);

/// The pause between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(2);

/// A moment by which something must have happened.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    at: Instant,
    allowed: Duration,
}

impl Deadline {
    /// The moment `allowed` from now.
    pub fn after(allowed: Duration) -> Self {
        Self {
            at: Instant::now() + allowed,
            allowed,
        }
    }

    /// The time left; zero once the moment has passed.
    pub fn remaining(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// Whether the moment has passed.
    pub fn passed(&self) -> bool {
        self.remaining().is_zero()
    }

    /// How long was allowed in all, for messages.
    pub fn allowed(&self) -> Duration {
        self.allowed
    }
}

/// Calls `look` until it gives a value, and returns that value.
///
/// `look` is called at least once, and once more after the deadline has passed, so that a slow machine
/// does not fail a test whose condition holds.
///
/// # Panics
///
/// When `allowed` has passed without a value; the message names `what`.
#[track_caller]
pub fn eventually<T>(allowed: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Deadline::after(allowed);
    loop {
        let last_look = deadline.passed();
        if let Some(value) = look() {
            return value;
        }
        assert!(!last_look, "waited {allowed:?} in vain for: {what}");
        pause();
    }
}

/// Waits a moment between two looks at a condition.
pub(crate) fn pause() {
    pause_for(PAUSE);
}

/// Waits for about that time.
pub(crate) fn pause_for(time: Duration) {
    thread::park_timeout(time);
}
