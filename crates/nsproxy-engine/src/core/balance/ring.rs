//! Consistent hashing: when a server leaves, only its own clients move.

use super::hash::avalanche;

/// Points of a server on the ring for each unit of its weight, as HAProxy has it.
const POINTS: u32 = 16;
/// Points that a server may have at most, and so how far servers' numbers are apart.
const RANGE: u32 = 256 * POINTS;

/// Servers at points of a ring of 32 bits.
#[derive(Debug, Clone, Default)]
pub(super) struct Ring {
    /// In the order of the ring.
    points: Vec<(u32, usize)>,
}

impl Ring {
    /// Of `(server, weight)`; a server's place in the configuration is its number.
    pub(super) fn new(servers: &[(usize, u16)]) -> Self {
        let mut points = Vec::new();
        for (server, weight) in servers {
            let number = u32::try_from(*server).unwrap_or(u32::MAX).wrapping_add(1);
            let first = number.wrapping_mul(RANGE);
            let at = |point| (avalanche(first.wrapping_add(point)), *server);
            points.extend((0..u32::from(*weight) * POINTS).map(at));
        }
        points.sort_by_key(|(point, _)| *point);
        Self { points }
    }

    /// The server at the point nearest to `hash`, or the next one on the ring that is not to be avoided.
    pub(super) fn of_hash(&self, hash: u32, avoid: Option<usize>) -> Option<usize> {
        let hash = avalanche(hash);
        let count = self.points.len();
        let next = self
            .points
            .partition_point(|(point, _)| *point < hash)
            .checked_rem(count)?;
        let previous = (next + count - 1) % count;
        let behind = hash.wrapping_sub(self.points[previous].0);
        let ahead = self.points[next].0.wrapping_sub(hash);
        let nearest = if behind <= ahead { previous } else { next };
        let (before, from) = self.points.split_at(nearest);
        let mut order = from.iter().chain(before).map(|(_, server)| *server);
        order
            .find(|server| Some(*server) != avoid)
            .or(Some(self.points[nearest].1))
    }
}
