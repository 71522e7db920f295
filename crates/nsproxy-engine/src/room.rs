//! How many sessions, pipes and sockets in stock there is room for: descriptors are what runs out first.

use nix::sys::resource::{Resource, getrlimit};

use crate::checker::MOST_AT_A_TIME;
use crate::engine::Settings;
use crate::error::StartError;

/// Descriptors for everything but those: standard streams, pollers, listeners, logs. Checks come on top.
const RESERVED_DESCRIPTORS: u64 = 256;
/// Receivers that do not read keep what their pipes hold: at most 64 MiB for each worker. Flows beyond go on by copying.
const PIPES_PER_WORKER: usize = 256;
/// Sockets that a worker may have in stock for connections to come.
const STOCK_PER_WORKER: usize = 256;
/// One in so many of the remaining descriptors is left to pipes and stock, unless fewer sessions are asked for.
const SPARE_SHARE: u64 = 8;
/// One in so many of those that sessions leave may be a socket in stock.
const STOCK_SHARE: u64 = 8;

/// How the descriptors of this process are divided.
pub(crate) struct Room {
    pub(crate) sessions: usize,
    /// For all workers together.
    pipes: usize,
    stock: usize,
    /// The workers for whom they are divided.
    workers: usize,
}

impl Room {
    /// For so many workers.
    pub(crate) fn divide(settings: &Settings, workers: usize) -> Result<Self, StartError> {
        let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| soft);
        let checks = if settings.checks { MOST_AT_A_TIME } else { 0 };
        let reserved = RESERVED_DESCRIPTORS + checks as u64;
        let free = limit.saturating_sub(reserved);
        let most = (free - free / SPARE_SHARE) / 2;
        if most == 0 {
            return Err(StartError::NoDescriptors { limit });
        }
        let sessions = settings
            .max_sessions
            .unwrap_or_else(|| usize::try_from(most).unwrap_or(usize::MAX));
        let needed = reserved.saturating_add((sessions as u64).saturating_mul(2));
        if needed > limit {
            return Err(StartError::TooManySessions {
                max_sessions: sessions,
                needed,
                limit,
            });
        }
        let left = limit - needed;
        let for_stock = left / STOCK_SHARE;
        // Each flow holds one pipe at most, and a pipe up to a mebibyte of the kernel's memory.
        let pipes = usize::try_from((left - for_stock) / 2)
            .unwrap_or(usize::MAX)
            .min(sessions.saturating_mul(2));
        let stock = usize::try_from(for_stock).unwrap_or(usize::MAX).min(sessions);
        Ok(Self {
            sessions,
            pipes,
            stock,
            workers: workers.max(1),
        })
    }

    /// The pipes and the sockets in stock that a worker may have, by its number from 0. One beyond those for whom they are
    /// divided has its part of what these leave.
    pub(crate) fn share(&self, worker: usize) -> (usize, usize) {
        let part = |all: usize, most: usize| {
            let each = (all / self.workers).min(most);
            each.min(all.saturating_sub(each.saturating_mul(worker)))
        };
        (
            part(self.pipes, PIPES_PER_WORKER),
            part(self.stock, STOCK_PER_WORKER),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_servers_are_checked_sessions_leave_room_for_the_checks() {
        let room = |checks| {
            let settings = Settings {
                checks,
                ..Settings::default()
            };
            Room::divide(&settings, 1).unwrap()
        };
        let (without, with) = (room(false), room(true));
        // A session takes two descriptors, and some are left to what only makes things faster.
        let left = (without.sessions - with.sessions) * 2;
        assert!(left.abs_diff(MOST_AT_A_TIME - MOST_AT_A_TIME / 8) <= 2, "{left}");
    }

    #[test]
    fn workers_that_come_later_have_what_the_others_leave() {
        let room = |pipes| Room {
            sessions: 1,
            pipes,
            stock: 0,
            workers: 2,
        };
        let shares = |room: Room| [0, 1, 2, 3, 99].map(|worker| room.share(worker).0);
        assert_eq!(shares(room(7)), [3, 3, 1, 0, 0]);
        assert_eq!(shares(room(700)), [256, 256, 188, 0, 0]);
        assert_eq!(shares(room(0)), [0; 5]);
        assert_eq!(shares(room(1 << 20)), [256; 5]);
    }
}
