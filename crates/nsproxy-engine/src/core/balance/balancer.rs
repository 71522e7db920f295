//! The server for a session, by the pool's algorithm. Knows nothing of who waits.

use super::map::Map;
use super::ring::Ring;
use super::share::Share;
use crate::core::random::xorshift;

/// How a pool spreads its sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// In turn by weight, as evenly spread as can be.
    #[default]
    RoundRobin,
    /// In turn by weight, in an order that is computed once.
    StaticRoundRobin,
    /// The one with the fewest sessions for its weight; among equals, the one that was chosen least recently.
    LeastSessions,
    /// The first in the configuration that has room.
    First,
    /// By the client's address, so that a client meets the same server again.
    Source(HashType),
    /// The one with the fewest sessions for its weight, out of so many drawn by lot.
    Random(u32),
}

/// How a hash becomes a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HashType {
    /// By a map of all servers: even, and almost every client moves when a server comes or goes.
    #[default]
    MapBased,
    /// On a ring: only the clients of a server that goes move.
    Consistent,
}

impl Algorithm {
    /// Whether another server would serve any session as well: then a failed connection is tried elsewhere at once.
    pub const fn takes_any(self) -> bool {
        matches!(
            self,
            Self::RoundRobin | Self::StaticRoundRobin | Self::First | Self::Random(_)
        )
    }
}

/// What became of a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// This server, and it has room.
    Free(usize),
    /// This server and no other, and it has no room.
    Full(usize),
    /// Any server, and none has room.
    AllFull,
    /// There is no server that could ever take it.
    Nobody,
}

/// Servers by their place in the configuration, and where the algorithm stands.
#[derive(Debug)]
pub(super) struct Balancer {
    algorithm: Algorithm,
    all_backups: bool,
    seats: Vec<Seat>,
    /// Those that get sessions now: the servers that can, or the backups.
    group: Vec<usize>,
    map: Map,
    ring: Ring,
    choices: u64,
    random: u64,
}

#[derive(Debug)]
struct Seat {
    share: Share,
    down: bool,
    /// Credit of the smooth round robin.
    credit: i64,
    /// The number of the choice that it was chosen by last.
    chosen: u64,
}

impl Balancer {
    pub(super) fn new(algorithm: Algorithm, all_backups: bool, shares: &[Share], seed: u64) -> Self {
        let seat = |share: &Share| Seat {
            share: *share,
            down: false,
            credit: 0,
            chosen: 0,
        };
        let mut balancer = Self {
            algorithm,
            all_backups,
            seats: shares.iter().map(seat).collect(),
            group: Vec::new(),
            map: Map::default(),
            ring: Ring::default(),
            choices: 0,
            // An xorshift never leaves zero.
            random: seed | 1,
        };
        balancer.regroup();
        balancer
    }

    /// Says whether a server can be reached.
    pub(super) fn set_down(&mut self, server: usize, down: bool) {
        if self.seats[server].down != down {
            self.seats[server].down = down;
            self.regroup();
        }
    }

    /// A server has this weight from now on.
    pub(super) fn set_weight(&mut self, server: usize, weight: u16) {
        if self.seats[server].share.weight != weight {
            self.seats[server].share.weight = weight;
            self.regroup();
        }
    }

    /// The servers that get sessions now.
    pub(super) fn group(&self) -> &[usize] {
        &self.group
    }

    /// Chooses for a client with this hash, if it has one. `avoid` is chosen only if no other server can be.
    pub(super) fn choose(
        &mut self,
        hash: Option<u32>,
        avoid: Option<usize>,
        has_room: impl Fn(usize) -> bool,
        sessions: impl Fn(usize) -> u32,
    ) -> Choice {
        if self.group.is_empty() {
            return Choice::Nobody;
        }
        if let (Algorithm::Source(hash_type), Some(hash)) = (self.algorithm, hash) {
            let server = match hash_type {
                HashType::MapBased => self.map.of_hash(hash, avoid),
                HashType::Consistent => self.ring.of_hash(hash, avoid),
            };
            return match server {
                Some(server) if has_room(server) => Choice::Free(server),
                Some(server) => Choice::Full(server),
                None => Choice::Nobody,
            };
        }
        let elsewhere = |server| Some(server) != avoid && has_room(server);
        let chosen = self
            .pick(elsewhere, &sessions)
            .or_else(|| avoid.filter(|server| self.group.contains(server) && has_room(*server)));
        let Some(server) = chosen else {
            return Choice::AllFull;
        };
        self.choices += 1;
        self.seats[server].chosen = self.choices;
        Choice::Free(server)
    }

    fn pick(&mut self, can: impl Fn(usize) -> bool, sessions: impl Fn(usize) -> u32) -> Option<usize> {
        match self.algorithm {
            // Not every client has a hash.
            Algorithm::RoundRobin | Algorithm::Source(HashType::Consistent) => self.smooth(can),
            Algorithm::StaticRoundRobin | Algorithm::Source(HashType::MapBased) => self.map.in_turn(can),
            Algorithm::First => self.group.iter().copied().find(|server| can(*server)),
            Algorithm::LeastSessions => {
                self.group
                    .iter()
                    .copied()
                    .filter(|server| can(*server))
                    .min_by(|a, b| {
                        let [one, other] = [a, b].map(|server| busy(sessions(*server), self.weight(*server)));
                        let chosen = |server: &usize| self.seats[*server].chosen;
                        compare(one, other).then(chosen(a).cmp(&chosen(b)))
                    })
            }
            Algorithm::Random(draws) => self.draw(draws, can, sessions),
        }
    }

    /// Each server gets its weight in credit, the one with most credit is chosen, and pays for all: over as many choices
    /// as the sum of weights, each is chosen exactly as often as its weight says.
    fn smooth(&mut self, can: impl Fn(usize) -> bool) -> Option<usize> {
        let (mut total, mut best) = (0, None);
        for &server in &self.group {
            if !can(server) {
                continue;
            }
            let seat = &mut self.seats[server];
            let weight = i64::from(seat.share.weight);
            seat.credit += weight;
            total += weight;
            if best.is_none_or(|(_, credit)| seat.credit > credit) {
                best = Some((server, seat.credit));
            }
        }
        let (server, _) = best?;
        self.seats[server].credit -= total;
        Some(server)
    }

    fn draw(
        &mut self,
        draws: u32,
        can: impl Fn(usize) -> bool,
        sessions: impl Fn(usize) -> u32,
    ) -> Option<usize> {
        let weight = |balancer: &Self, server| if can(server) { balancer.weight(server) } else { 0 };
        let total: u64 = self.group.iter().map(|server| weight(self, *server)).sum();
        let mut best = None;
        for _ in 0..draws.max(1) {
            let mut lot = self.next_random().checked_rem(total)?;
            let drawn = self.group.iter().copied().find(|server| {
                let weight = weight(self, *server);
                let hit = lot < weight;
                lot = lot.saturating_sub(weight);
                hit
            })?;
            let load = (u64::from(sessions(drawn)), self.weight(drawn));
            if best.is_none_or(|(_, least)| compare(load, least).is_lt()) {
                best = Some((drawn, load));
            }
        }
        best.map(|(server, _)| server)
    }

    fn next_random(&mut self) -> u64 {
        self.random = xorshift(self.random);
        // The upper bits are the better ones.
        self.random >> 16
    }

    fn weight(&self, server: usize) -> u64 {
        u64::from(self.seats[server].share.weight)
    }

    fn regroup(&mut self) {
        let can = |backup: bool| {
            let seats = self.seats.iter().enumerate();
            seats
                .filter(move |(_, seat)| seat.share.is_usable() && !seat.down && seat.share.backup == backup)
                .map(|(server, _)| server)
        };
        self.group = can(false).collect();
        if self.group.is_empty() {
            let most = if self.all_backups { usize::MAX } else { 1 };
            self.group = can(true).take(most).collect();
        }
        let weights: Vec<_> = self
            .group
            .iter()
            .map(|server| (*server, self.seats[*server].share.weight))
            .collect();
        match self.algorithm {
            Algorithm::StaticRoundRobin | Algorithm::Source(HashType::MapBased) => {
                self.map = Map::new(&weights);
            }
            Algorithm::Source(HashType::Consistent) => self.ring = Ring::new(&weights),
            _ => {}
        }
        for seat in &mut self.seats {
            seat.credit = 0;
        }
    }
}

/// How busy a server is, as a fraction. HAProxy's `fwlc`: servers without a session are equal, whatever their weight.
fn busy(sessions: u32, weight: u64) -> (u64, u64) {
    match sessions {
        0 => (0, weight),
        _ => (u64::from(sessions) + 1, weight),
    }
}

/// Compares fractions; weights are above zero in a group.
fn compare((a, b): (u64, u64), (c, d): (u64, u64)) -> std::cmp::Ordering {
    (a * d).cmp(&(c * b))
}
