//! What a server has now. The one thing that workers change without the pool's lock: a session that ends.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Sessions of one server, shared by every plan that has it.
#[derive(Debug, Default)]
pub struct Load {
    sessions: AtomicU32,
    total: AtomicU64,
}

impl Load {
    /// One session more.
    pub fn acquire(&self) {
        self.sessions.fetch_add(1, Ordering::SeqCst);
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

    /// Sessions that ever were.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }
}
