//! What a server has now, and whether it can be used now. The one thing that workers change without the pool's lock: a
//! session that ends.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

use super::down::Down;
use crate::core::meter::Meter;

/// Sessions of one server, shared by every plan that has it.
#[derive(Debug, Default)]
pub struct Load {
    sessions: AtomicU32,
    most: AtomicU32,
    total: AtomicU64,
    down: AtomicU8,
    /// Sessions that get the server. Whoever has the time counts them.
    pub rate: Meter,
}

impl Load {
    /// One session more.
    pub fn acquire(&self) {
        let sessions = self.sessions.fetch_add(1, Ordering::SeqCst) + 1;
        if sessions > self.most.load(Ordering::Relaxed) {
            self.most.fetch_max(sessions, Ordering::Relaxed);
        }
        self.total.fetch_add(1, Ordering::Relaxed);
    }

    /// One less. In one order with every other access to such a count: whoever looks, after that, whether somebody waits,
    /// sees everybody who had not seen this.
    pub fn release(&self) {
        self.sessions.fetch_sub(1, Ordering::SeqCst);
    }

    /// Sessions now.
    pub fn sessions(&self) -> u32 {
        self.sessions.load(Ordering::SeqCst)
    }

    /// The most sessions that there ever were at a time.
    pub fn most(&self) -> u32 {
        self.most.load(Ordering::Relaxed)
    }

    /// Sessions that ever were.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Why it can get no sessions now; empty when it can.
    pub fn down(&self) -> Down {
        Down::from_bits_retain(self.down.load(Ordering::SeqCst))
    }

    /// Adds a reason, or takes it away. For a server that sessions may be at, this is for its
    /// [`Dispatcher`](super::Dispatcher) to do.
    pub fn set_down(&self, reason: Down, holds: bool) {
        if holds {
            self.down.fetch_or(reason.bits(), Ordering::SeqCst);
        } else {
            self.down.fetch_and(!reason.bits(), Ordering::SeqCst);
        }
    }
}
