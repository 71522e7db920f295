//! What is known of a socket between two edges.
//!
//! Edge-triggered polling reports a change once. So it is latched here, and only an operation that answered
//! "would block" (or, for a plain `recv`, one that returned less than was asked for) clears it again.

use bitflags::bitflags;

bitflags! {
    /// Latched edges of one socket.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Readiness: u8 {
        /// A read may return something.
        const READABLE = 1;
        /// A write may take something.
        const WRITABLE = 1 << 1;
        /// The end of the stream, a hang-up, an error or an urgent mark is pending: it brings no edge of its own any
        /// more, so a short `recv` says nothing and reading goes on until "would block".
        const PENDING_MARK = 1 << 2;
        /// The connection was reset or failed.
        const ERROR = 1 << 3;
    }
}

impl Default for Readiness {
    fn default() -> Self {
        Self::empty()
    }
}

impl Readiness {
    /// A new connection may always be tried: the first attempt tells.
    pub const UNTRIED: Self = Self::READABLE.union(Self::WRITABLE);

    /// A read answered "would block": nothing is left, marks included.
    #[inline]
    pub fn read_exhausted(&mut self) {
        self.remove(Self::READABLE | Self::PENDING_MARK);
    }

    /// A `recv` returned less than was asked for: nothing is left, unless a mark is pending.
    #[inline]
    pub fn read_short(&mut self) {
        if !self.contains(Self::PENDING_MARK) {
            self.remove(Self::READABLE);
        }
    }

    /// A write answered "would block".
    #[inline]
    pub fn write_exhausted(&mut self) {
        self.remove(Self::WRITABLE);
    }
}
