//! A fixed order of servers in which each one has its weight in places, spread evenly.

/// For each place, which server. Empty without servers.
#[derive(Debug, Clone, Default)]
pub(super) struct Map {
    places: Vec<usize>,
    next: usize,
}

impl Map {
    /// Of `(server, weight)`, in the order of the configuration. HAProxy's `recalc_server_map`.
    pub(super) fn new(servers: &[(usize, u16)]) -> Self {
        let divisor = servers
            .iter()
            .fold(0, |divisor, (_, weight)| common_divisor(divisor, *weight))
            .max(1);
        let weights: Vec<_> = servers
            .iter()
            .map(|(_, weight)| i64::from(weight / divisor))
            .collect();
        let total: i64 = weights.iter().sum();
        let mut scores = vec![0; servers.len()];
        let mut places = Vec::new();
        for _ in 0..total {
            let mut best = (0, 0);
            for (index, (score, weight)) in scores.iter_mut().zip(&weights).enumerate() {
                *score += weight;
                let value = (*score + total) / total;
                if index == 0 || value > best.1 {
                    best = (index, value);
                }
            }
            scores[best.0] -= total;
            places.push(servers[best.0].0);
        }
        Self { places, next: 0 }
    }

    /// The server of a hash, or the next one in the order that is not to be avoided.
    pub(super) fn of_hash(&self, hash: u32, avoid: Option<usize>) -> Option<usize> {
        let start = (hash as usize).checked_rem(self.places.len())?;
        let (before, from) = self.places.split_at(start);
        let mut order = from.iter().chain(before).copied();
        order
            .find(|server| Some(*server) != avoid)
            .or_else(|| from.first().copied())
    }

    /// The next server in the order that `can` take a session.
    pub(super) fn in_turn(&mut self, can: impl Fn(usize) -> bool) -> Option<usize> {
        let (before, from) = self.places.split_at(self.next);
        let passed = from.iter().chain(before).position(|server| can(*server))?;
        let place = (self.next + passed) % self.places.len();
        self.next = (place + 1) % self.places.len();
        Some(self.places[place])
    }
}

fn common_divisor(a: u16, b: u16) -> u16 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_haproxys() {
        let places = |servers| Map::new(servers).places;
        assert_eq!(places(&[(0, 1), (1, 1), (2, 1)]), [0, 1, 2]);
        assert_eq!(places(&[(0, 10), (1, 10)]), [0, 1], "weights are reduced");
        assert_eq!(places(&[(3, 256)]), [3]);
    }

    #[test]
    fn an_avoided_server_gives_way_to_the_next_unless_it_is_alone() {
        let map = Map::new(&[(0, 1), (1, 1)]);
        assert_eq!(map.of_hash(4, None), Some(0));
        assert_eq!(map.of_hash(4, Some(0)), Some(1));
        assert_eq!(Map::new(&[(0, 1)]).of_hash(4, Some(0)), Some(0));
        assert_eq!(Map::default().of_hash(4, None), None);
    }
}
