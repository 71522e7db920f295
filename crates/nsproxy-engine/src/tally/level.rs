//! How many sessions there are of something that workers share.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::core::meter::Meter;

/// Written when a session begins and when it ends; on a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Level {
    now: AtomicU32,
    most: AtomicU32,
    /// Sessions that begin.
    pub(crate) rate: Meter,
}

impl Level {
    /// One session more.
    pub(crate) fn enter(&self) {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        if now > self.most.load(Ordering::Relaxed) {
            self.most.fetch_max(now, Ordering::Relaxed);
        }
    }

    /// One less.
    pub(crate) fn leave(&self) {
        self.now.fetch_sub(1, Ordering::Relaxed);
    }

    /// Sessions now.
    pub(crate) fn now(&self) -> u32 {
        self.now.load(Ordering::Relaxed)
    }

    /// The most that there ever were.
    pub(crate) fn most(&self) -> u32 {
        self.most.load(Ordering::Relaxed)
    }
}
