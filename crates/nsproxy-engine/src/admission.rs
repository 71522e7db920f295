//! How many sessions there may be: one gate for the engine, and one for each relay, which may also limit how many there are in
//! a second. Connections beyond wait in the kernel's backlog, not in here.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clock::Clock;
use crate::core::moment::Span;
use crate::core::rate::RateLimit;

/// A counted gate.
#[derive(Debug)]
pub(crate) struct Gate {
    limit: AtomicUsize,
    inside: AtomicUsize,
    /// Somebody was turned away and wants to know when a place is free.
    awaited: AtomicBool,
}

impl Gate {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit: AtomicUsize::new(limit),
            inside: AtomicUsize::new(0),
            awaited: AtomicBool::new(false),
        })
    }

    /// Another limit, for those who come from now on. Whoever was turned away has to be told to try again.
    pub(crate) fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::SeqCst);
    }

    /// Takes a place. On `false`, a later [`Gate::leave`] answers `true`.
    pub(crate) fn enter(&self) -> bool {
        if self.try_enter() {
            return true;
        }
        self.awaited.store(true, Ordering::SeqCst);
        // A place that became free in between would otherwise be told to nobody.
        self.try_enter()
    }

    /// Gives a place back; `true` when somebody is to be told.
    #[must_use]
    pub(crate) fn leave(&self) -> bool {
        self.inside.fetch_sub(1, Ordering::SeqCst);
        self.awaited.load(Ordering::SeqCst) && self.awaited.swap(false, Ordering::SeqCst)
    }

    /// Places there are.
    pub(crate) fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// Places taken.
    pub(crate) fn inside(&self) -> usize {
        self.inside.load(Ordering::Relaxed)
    }

    fn try_enter(&self) -> bool {
        let taken = self
            .inside
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |inside| {
                (inside < self.limit.load(Ordering::SeqCst)).then_some(inside + 1)
            });
        taken.is_ok()
    }
}

/// A limit per second, shared by the workers.
#[derive(Debug)]
pub(crate) struct RateGate {
    state: Mutex<RateState>,
    clock: Clock,
}

#[derive(Debug)]
struct RateState {
    limit: RateLimit,
    /// Somebody was turned away since a session was last taken back.
    awaited: bool,
}

impl RateGate {
    pub(crate) fn new(limit: NonZeroU32) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(RateState {
                limit: RateLimit::new(limit),
                awaited: false,
            }),
            clock: Clock::start(),
        })
    }

    /// Another limit. The sessions of the last second count against it, too.
    pub(crate) fn set_limit(&self, limit: NonZeroU32) {
        self.lock().limit.set_limit(limit);
    }

    /// Counts a session, or tells when to try again.
    pub(crate) fn enter(&self) -> Result<(), Span> {
        // Under the lock, so that moments come in order.
        let mut state = self.lock();
        let counted = state.limit.count(self.clock.now());
        state.awaited |= counted.is_err();
        counted
    }

    /// The session that was counted did not come about. The answer is whether somebody may wait for that.
    pub(crate) fn take_back(&self) -> bool {
        let mut state = self.lock();
        state.limit.take_back();
        std::mem::take(&mut state.awaited)
    }

    fn lock(&self) -> MutexGuard<'_, RateState> {
        // A few numbers that fit together whoever panics beside them.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_gate_tells_when_a_place_is_free() {
        let gate = Gate::new(1);
        assert!(gate.enter());
        assert!(!gate.enter());
        assert!(gate.leave(), "somebody waits");
        assert!(gate.enter());
        assert!(!gate.leave(), "nobody waits any more");
        assert_eq!(gate.inside(), 0);
    }

    #[test]
    fn a_session_that_is_taken_back_leaves_its_room_to_whoever_was_turned_away() {
        let rate = RateGate::new(NonZeroU32::MIN);
        assert!(rate.enter().is_ok());
        assert!(rate.enter().is_err());
        assert!(rate.take_back(), "somebody waits");
        assert!(rate.enter().is_ok());
        assert!(!rate.take_back(), "nobody waits any more");
    }
}
