//! What lookups have taught about one name: values, without a clock of their own.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

use crate::Failure;
use crate::settings::Holds;

/// How many addresses of a name are remembered: more than one lookup brings, whatever the servers answer.
const MOST_ADDRESSES: usize = 256;

/// The addresses of one name.
#[derive(Debug)]
pub(crate) struct Memory {
    /// Each with the last answer that had it.
    seen: BTreeMap<IpAddr, Instant>,
    /// The last answer with addresses, or the beginning.
    confirmed: Instant,
    /// Whether it is settled what the addresses are, be it that there are none.
    is_settled: bool,
}

impl Memory {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            seen: BTreeMap::new(),
            confirmed: now,
            is_settled: false,
        }
    }

    /// Takes the result of a lookup.
    pub(crate) fn learn(&mut self, found: &Result<Vec<IpAddr>, Failure>, holds: &Holds, now: Instant) {
        match found {
            Ok(addresses) => {
                self.confirmed = now;
                self.is_settled = true;
                self.seen.extend(addresses.iter().map(|address| (*address, now)));
                self.seen
                    .retain(|_, seen| *seen == now || now.saturating_duration_since(*seen) < holds.obsolete);
                self.forget_oldest();
            }
            Err(failure) => {
                if now.saturating_duration_since(self.confirmed) >= holds.after(*failure) {
                    self.seen.clear();
                    self.is_settled = true;
                }
            }
        }
    }

    /// Drops those that were seen longest ago while there are too many.
    fn forget_oldest(&mut self) {
        if self.seen.len() <= MOST_ADDRESSES {
            return;
        }
        let mut latest: Vec<_> = self.seen.iter().map(|(ip, seen)| (Reverse(*seen), *ip)).collect();
        latest.sort_unstable();
        for (_, address) in &latest[MOST_ADDRESSES..] {
            self.seen.remove(address);
        }
    }

    /// The addresses that count now. `None`: nothing is known yet, and whoever has an address may keep it.
    pub(crate) fn addresses(&self) -> Option<Vec<IpAddr>> {
        self.is_settled.then(|| self.seen.keys().copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn ip(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn a_failure_counts_only_when_the_last_answer_is_older_than_its_hold() {
        let begin = Instant::now();
        let holds = Holds {
            no_such_name: seconds(5),
            timeout: seconds(20),
            ..Holds::default()
        };
        let mut memory = Memory::new(begin);
        memory.learn(&Ok(vec![ip(1)]), &holds, begin);
        memory.learn(&Err(Failure::NoSuchName), &holds, begin + seconds(4));
        memory.learn(&Err(Failure::Timeout), &holds, begin + seconds(6));
        assert_eq!(memory.addresses(), Some(vec![ip(1)]));
        memory.learn(&Err(Failure::NoSuchName), &holds, begin + seconds(6));
        assert_eq!(memory.addresses(), Some(vec![]));
        memory.learn(&Ok(vec![ip(2)]), &holds, begin + seconds(7));
        assert_eq!(memory.addresses(), Some(vec![ip(2)]));
    }

    #[test]
    fn an_address_that_is_no_longer_answered_goes_at_once_or_after_its_hold() {
        let begin = Instant::now();
        for (hold, expected) in [(0, vec![ip(2)]), (10, vec![ip(1), ip(2)])] {
            let holds = Holds {
                obsolete: seconds(hold),
                ..Holds::default()
            };
            let mut memory = Memory::new(begin);
            memory.learn(&Ok(vec![ip(1)]), &holds, begin);
            memory.learn(&Ok(vec![ip(2)]), &holds, begin + seconds(1));
            assert_eq!(memory.addresses(), Some(expected));
            memory.learn(&Ok(vec![ip(2)]), &holds, begin + seconds(11));
            assert_eq!(memory.addresses(), Some(vec![ip(2)]));
        }
    }

    #[test]
    fn of_more_addresses_than_a_name_may_have_those_seen_longest_ago_go() {
        let begin = Instant::now();
        let holds = Holds {
            obsolete: seconds(100_000),
            ..Holds::default()
        };
        let mut memory = Memory::new(begin);
        let nth = |count: u16| IpAddr::from([10, 0, count.to_be_bytes()[0], count.to_be_bytes()[1]]);
        for count in 0..1000 {
            // The first one is in each answer.
            let answer = vec![nth(0), nth(count)];
            memory.learn(&Ok(answer), &holds, begin + seconds(count.into()));
        }
        let kept: Vec<_> = std::iter::once(nth(0)).chain((745..1000).map(nth)).collect();
        assert_eq!(kept.len(), MOST_ADDRESSES);
        assert_eq!(memory.addresses(), Some(kept));
    }

    #[test]
    fn what_was_never_answered_is_open_until_the_hold_has_passed() {
        let begin = Instant::now();
        let holds = Holds::default();
        let mut memory = Memory::new(begin);
        memory.learn(&Err(Failure::Timeout), &holds, begin + seconds(29));
        assert_eq!(memory.addresses(), None);
        memory.learn(&Err(Failure::Timeout), &holds, begin + seconds(30));
        assert_eq!(memory.addresses(), Some(vec![]));
    }
}
