//! Deadlines of sessions: a hashed wheel with an intrusive list per slot, so that arming and cancelling take constant time
//! and no allocation once the node table has grown to the number of sessions.
//!
//! A session has at most one timer. It may fire early: whoever is told looks at the session's own deadline and arms again.
//! So moving a deadline *later*, which every byte does, costs nothing here.

use crate::core::moment::Moment;
use std::time::Duration;

/// Width of a slot in milliseconds, which is how late a timer may fire.
const SLOT_MILLIS: u64 = 8;
/// Slots: one rotation is 32 s, so that the usual timeouts of a minute stay in a slot for two rotations.
const SLOTS: usize = 4096;
const NONE: u32 = u32::MAX;
/// In the place of the previous one: this timer is not set.
const NOT_ARMED: u32 = u32::MAX - 1;

#[derive(Debug, Clone, Copy)]
struct Node {
    at: Moment,
    previous: u32,
    next: u32,
}

impl Node {
    const fn armed(&self) -> bool {
        self.previous != NOT_ARMED
    }
}

#[derive(Debug)]
pub(super) struct Timers {
    heads: Box<[u32]>,
    /// Indexed by the session's slab key.
    nodes: Vec<Node>,
    armed: usize,
    /// Slots before this one have been gone through.
    cursor: u64,
    /// No timer is due before.
    earliest: Option<Moment>,
}

impl Timers {
    pub(super) fn new() -> Self {
        Self {
            heads: vec![NONE; SLOTS].into(),
            nodes: Vec::new(),
            armed: 0,
            cursor: 0,
            earliest: None,
        }
    }

    /// When the session's timer is set to, if it is.
    #[inline]
    pub(super) fn armed_at(&self, key: usize) -> Option<Moment> {
        self.nodes
            .get(key)
            .filter(|node| node.armed())
            .map(|node| node.at)
    }

    /// Sets the session's timer, whatever it was before.
    pub(super) fn arm(&mut self, key: usize, at: Moment) {
        self.cancel(key);
        // What is due already is due in the slot that is looked at next.
        let at = at.max(Moment::from_millis(self.cursor * SLOT_MILLIS));
        if self.nodes.len() <= key {
            self.nodes.resize(
                key + 1,
                Node {
                    at,
                    previous: NOT_ARMED,
                    next: NONE,
                },
            );
        }
        let index = index(key);
        let head = &mut self.heads[slot_of(at)];
        let next = std::mem::replace(head, index);
        self.nodes[key] = Node {
            at,
            previous: NONE,
            next,
        };
        if next != NONE {
            self.nodes[next as usize].previous = index;
        }
        self.armed += 1;
        self.earliest = Some(self.earliest.map_or(at, |earliest| earliest.min(at)));
    }

    /// Takes the session's timer back, if it is set.
    pub(super) fn cancel(&mut self, key: usize) {
        let Some(node) = self.nodes.get_mut(key).filter(|node| node.armed()) else {
            return;
        };
        let Node { at, previous, next } = *node;
        node.previous = NOT_ARMED;
        match previous {
            NONE => self.heads[slot_of(at)] = next,
            previous => self.nodes[previous as usize].next = next,
        }
        if next != NONE {
            self.nodes[next as usize].previous = previous;
        }
        self.armed -= 1;
        if self.armed == 0 {
            self.earliest = None;
        }
    }

    /// How long nothing will be due; `None` without a timer.
    #[inline]
    pub(super) fn idle_for(&self, now: Moment) -> Option<Duration> {
        self.earliest.map(|earliest| earliest.since(now))
    }

    /// Adds to `due` the sessions whose timers are due, and disarms them.
    #[inline]
    pub(super) fn expire(&mut self, now: Moment, due: &mut Vec<usize>) {
        if self.earliest.is_some_and(|earliest| earliest <= now) {
            self.expire_slots(now, due);
        }
    }

    /// Number of timers that are set.
    pub(super) fn armed(&self) -> usize {
        self.armed
    }

    fn expire_slots(&mut self, now: Moment, due: &mut Vec<usize>) {
        let last = now.as_millis() / SLOT_MILLIS;
        // After a long sleep one rotation sees every slot.
        let first = self.cursor.max(last.saturating_sub(SLOTS as u64 - 1));
        for tick in first..=last {
            let mut index = self.heads[slot(tick)];
            while index != NONE {
                let Node { at, next, .. } = self.nodes[index as usize];
                if at <= now {
                    self.cancel(index as usize);
                    due.push(index as usize);
                }
                index = next;
            }
        }
        self.cursor = last;
        self.earliest = self.find_earliest();
    }

    /// The earliest timer: in the first slot, from the cursor on, that holds one of this rotation; else of all.
    fn find_earliest(&self) -> Option<Moment> {
        let mut earliest = None;
        for tick in (self.cursor..).take(SLOTS) {
            let mut index = self.heads[slot(tick)];
            let end_of_slot = Moment::from_millis((tick + 1) * SLOT_MILLIS);
            while index != NONE {
                let Node { at, next, .. } = self.nodes[index as usize];
                if earliest.is_none_or(|earliest| at < earliest) {
                    earliest = Some(at);
                }
                index = next;
            }
            if earliest.is_some_and(|earliest| earliest < end_of_slot) {
                break;
            }
        }
        earliest
    }
}

/// Slab keys are below the descriptor limit, far below 2^32 - 2.
fn index(key: usize) -> u32 {
    u32::try_from(key).unwrap_or(NOT_ARMED - 1)
}

fn slot_of(at: Moment) -> usize {
    slot(at.as_millis() / SLOT_MILLIS)
}

#[expect(clippy::cast_possible_truncation, reason = "the remainder is below SLOTS")]
fn slot(tick: u64) -> usize {
    (tick % SLOTS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn at(millis: u64) -> Moment {
        Moment::from_millis(millis)
    }

    fn due(timers: &mut Timers, now: u64) -> Vec<usize> {
        let mut due = Vec::new();
        timers.expire(at(now), &mut due);
        due.sort_unstable();
        due
    }

    #[test]
    fn a_timer_fires_once_and_not_before_its_moment() {
        let mut timers = Timers::new();
        timers.arm(3, at(100));
        assert_eq!(due(&mut timers, 99), []);
        assert_eq!(due(&mut timers, 100), [3]);
        assert_eq!(due(&mut timers, 1000), []);
        assert_eq!(timers.idle_for(at(1000)), None);
    }

    #[test]
    fn a_timer_beyond_one_rotation_waits_for_its_own() {
        let mut timers = Timers::new();
        timers.arm(0, at(100_000));
        assert_eq!(timers.idle_for(at(0)), Some(Duration::from_secs(100)));
        assert_eq!(due(&mut timers, 99_999), []);
        assert_eq!(due(&mut timers, 100_000), [0]);
    }

    #[test]
    fn a_cancelled_timer_never_fires() {
        let mut timers = Timers::new();
        timers.arm(0, at(10));
        timers.arm(1, at(10));
        timers.arm(2, at(10));
        timers.cancel(1);
        assert_eq!(due(&mut timers, 10), [0, 2]);
    }

    proptest! {
        #[test]
        fn behaves_like_a_sorted_map(operations in prop::collection::vec((0usize..20, 0u64..200_000, 0u8..4), 1..200)) {
            let (mut timers, mut model, mut now) = (Timers::new(), BTreeMap::new(), 0u64);
            for (key, span, operation) in operations {
                match operation {
                    0 | 1 => { timers.arm(key, at(now + span)); model.insert(key, now + span); }
                    2 => { timers.cancel(key); model.remove(&key); }
                    _ => {
                        now += span / 4;
                        let expected: Vec<_> = model.iter().filter(|(_, due)| **due <= now).map(|(key, _)| *key).collect();
                        model.retain(|_, due| *due > now);
                        prop_assert_eq!(due(&mut timers, now), expected);
                    }
                }
                prop_assert_eq!(timers.armed(), model.len());
                // It may ask to be woken early, never late.
                let next = model.values().min().map(|next| next.saturating_sub(now));
                let idle = timers.idle_for(at(now)).map(|idle| u64::try_from(idle.as_millis()).unwrap());
                prop_assert_eq!(idle.is_some(), next.is_some());
                prop_assert!(idle <= next);
            }
        }
    }
}
