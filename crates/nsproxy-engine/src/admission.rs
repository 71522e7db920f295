//! How many sessions there may be: one gate for the engine and one for each relay. Connections beyond wait in the kernel's
//! backlog, not in here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// A counted gate.
#[derive(Debug)]
pub(crate) struct Gate {
    limit: usize,
    inside: AtomicUsize,
    /// Somebody was turned away and wants to know when a place is free.
    awaited: AtomicBool,
}

impl Gate {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            inside: AtomicUsize::new(0),
            awaited: AtomicBool::new(false),
        })
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

    /// Places taken.
    pub(crate) fn inside(&self) -> usize {
        self.inside.load(Ordering::Relaxed)
    }

    fn try_enter(&self) -> bool {
        let taken = self
            .inside
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |inside| {
                (inside < self.limit).then_some(inside + 1)
            });
        taken.is_ok()
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
}
