//! What is counted of each relay, pool and server, over all plans that have it.
//!
//! | file | what is in it |
//! |---|---|
//! | `counts.rs` | sums: a cell for each worker, which it alone writes |
//! | `level.rs` | how many sessions there are, the most there ever were, how many came in the last second |
//! | `timing.rs` | how long something took, on average |
//!
//! Bytes are added while a session goes on, in steps: [`STEP`]. What is shared by workers is written when a session begins and
//! ends, and never for a byte.

mod counts;
mod level;
mod timing;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) use self::counts::Cell;
use self::counts::Cells;
pub use self::counts::{Counts, Totals};
pub(crate) use self::level::Level;
pub use self::timing::Timing;
use crate::core::history::History;
use crate::core::meter::Meter;
use crate::core::moment::Moment;

/// Bytes of a session are counted when there are as many more; the rest when it ends. So a session needs not remember what was
/// counted of it, and one that moves little touches no counter.
pub(crate) const STEP: u64 = 4096;

/// Of one relay.
#[derive(Debug)]
pub(crate) struct RelayTally {
    pub(crate) level: Level,
    /// Connections, with those that a rule has rejected before they were sessions.
    pub(crate) connections: Meter,
    pub(crate) cells: Cells,
}

/// Of one pool.
#[derive(Debug)]
pub(crate) struct PoolTally {
    pub(crate) level: Level,
    pub(crate) cells: Cells,
}

/// Of one server; its sessions are its [`Load`](crate::core::balance::Load).
#[derive(Debug)]
pub(crate) struct ServerTally {
    pub(crate) cells: Cells,
    /// Whether it can be used.
    history: Mutex<History>,
}

impl PoolTally {
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            level: Level::default(),
            cells: Cells::new(workers),
        }
    }
}

impl ServerTally {
    pub(crate) fn new(workers: usize, is_up: bool, now: Moment) -> Self {
        Self {
            cells: Cells::new(workers),
            history: Mutex::new(History::new(is_up, now)),
        }
    }

    pub(crate) fn history(&self) -> MutexGuard<'_, History> {
        // A few numbers that fit together whoever panics beside them.
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RelayTally {
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            level: Level::default(),
            connections: Meter::default(),
            cells: Cells::new(workers),
        }
    }
}

/// Bytes that are to be counted when a session's have grown from `before` to `after`.
pub(crate) const fn steps(before: u64, after: u64) -> u64 {
    after / STEP * STEP - before / STEP * STEP
}

/// Bytes that are still to be counted when a session ends with so many.
pub(crate) const fn rest(bytes: u64) -> u64 {
    bytes % STEP
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_byte_is_counted_once(grows in proptest::collection::vec(0_u64..20_000, 0..50)) {
            let (mut bytes, mut counted) = (0, 0);
            for by in grows {
                counted += steps(bytes, bytes + by);
                bytes += by;
                prop_assert!(bytes - counted < STEP);
            }
            prop_assert_eq!(counted + rest(bytes), bytes);
        }
    }
}
