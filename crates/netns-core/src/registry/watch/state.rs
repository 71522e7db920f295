//! What a watch knows, and how news change it. No descriptor is used here: what was heard and what was seen
//! goes in, events come out.

use std::collections::BTreeMap;

use crate::{NetnsId, NetnsName};

/// What happened to a name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WatchEvent {
    /// It came. Whoever makes a name makes it in two steps, so that there need not be a namespace yet.
    Added {
        /// The name.
        name: NetnsName,
    },
    /// A network namespace stands under it, and can be opened.
    Ready {
        /// The name.
        name: NetnsName,
        /// Which one.
        id: NetnsId,
    },
    /// Another network namespace stands under it than before, and nobody saw it gone in between. (A name that
    /// is removed and added again is told as that.)
    Replaced {
        /// The name.
        name: NetnsName,
        /// Which one it was.
        was: NetnsId,
        /// Which one it is.
        id: NetnsId,
    },
    /// No network namespace stands under it any more. The name is still there.
    Unmounted {
        /// The name.
        name: NetnsName,
    },
    /// It is gone.
    Removed {
        /// The name.
        name: NetnsName,
    },
}

/// What was heard of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Came,
    Went,
}

/// What was seen under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    Netns(NetnsId),
    /// Something else, or nothing.
    Nothing,
    /// It could not be looked at, so that nothing is known to have changed.
    Unknown,
}

/// What was seen.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Look {
    /// By name; `None` is a name that is not there.
    pub(super) names: BTreeMap<NetnsName, Option<Seen>>,
    /// All names were looked at: one that was not seen is not there.
    pub(super) is_whole: bool,
}

/// The names that are there, each with the namespace that stands under it.
#[derive(Debug, Default)]
pub(super) struct State(BTreeMap<NetnsName, Option<NetnsId>>);

impl State {
    pub(super) fn known(&self) -> impl Iterator<Item = (&NetnsName, Option<NetnsId>)> {
        self.0.iter().map(|(name, id)| (name, *id))
    }

    pub(super) fn find(&self, name: &NetnsName) -> Option<NetnsId> {
        self.0.get(name).copied().flatten()
    }

    /// Takes in what was heard, in its order, and then what was seen, which is true now.
    pub(super) fn advance(&mut self, heard: Vec<(NetnsName, Change)>, look: Look) -> Vec<WatchEvent> {
        let mut events = Vec::new();
        for (name, change) in heard {
            match change {
                Change::Came if !self.0.contains_key(&name) => {
                    self.0.insert(name.clone(), None);
                    events.push(WatchEvent::Added { name });
                }
                Change::Went if self.0.remove(&name).is_some() => {
                    events.push(WatchEvent::Removed { name });
                }
                Change::Came | Change::Went => {}
            }
        }
        if look.is_whole {
            self.0.retain(|name, _| {
                let is_there = look.names.contains_key(name);
                if !is_there {
                    events.push(WatchEvent::Removed { name: name.clone() });
                }
                is_there
            });
        }
        for (name, seen) in look.names {
            match seen {
                Some(seen) => self.see(name, seen, &mut events),
                None if self.0.remove(&name).is_some() => events.push(WatchEvent::Removed { name }),
                None => {}
            }
        }
        events
    }

    /// Whether the name is there, and leads nowhere.
    pub(super) fn is_unused(&self, name: &NetnsName) -> bool {
        self.0.get(name) == Some(&None)
    }

    fn see(&mut self, name: NetnsName, seen: Seen, events: &mut Vec<WatchEvent>) {
        let known = self.0.entry(name.clone()).or_insert_with(|| {
            events.push(WatchEvent::Added { name: name.clone() });
            None
        });
        let now = match seen {
            Seen::Netns(id) => Some(id),
            Seen::Nothing => None,
            Seen::Unknown => *known,
        };
        match (*known, now) {
            (None, Some(id)) => events.push(WatchEvent::Ready { name, id }),
            (Some(was), Some(id)) if was != id => events.push(WatchEvent::Replaced { name, was, id }),
            (Some(_), None) => events.push(WatchEvent::Unmounted { name }),
            _ => {}
        }
        *known = now;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> NetnsName {
        text.parse().unwrap()
    }

    fn netns(id: u64) -> Seen {
        Seen::Netns(NetnsId::from_u64(id))
    }

    fn look(seen: &[(&str, Seen)]) -> Look {
        Look {
            names: seen
                .iter()
                .map(|&(text, seen)| (name(text), Some(seen)))
                .collect(),
            is_whole: true,
        }
    }

    #[test]
    fn a_name_that_came_and_went_between_two_looks_is_told() {
        let heard = vec![(name("a"), Change::Came), (name("a"), Change::Went)];
        let events = State::default().advance(heard, look(&[]));
        assert_eq!(
            events,
            [
                WatchEvent::Added { name: name("a") },
                WatchEvent::Removed { name: name("a") }
            ]
        );
    }

    #[test]
    fn a_name_that_was_removed_and_added_again_is_not_a_replacement() {
        let mut state = State::default();
        state.advance(Vec::new(), look(&[("a", netns(1))]));
        let heard = vec![(name("a"), Change::Went), (name("a"), Change::Came)];
        let id = NetnsId::from_u64(2);
        assert_eq!(
            state.advance(heard, look(&[("a", netns(2))])),
            [
                WatchEvent::Removed { name: name("a") },
                WatchEvent::Added { name: name("a") },
                WatchEvent::Ready { name: name("a"), id }
            ]
        );
    }

    #[test]
    fn a_look_at_some_says_nothing_of_the_others() {
        let mut state = State::default();
        state.advance(Vec::new(), look(&[("a", netns(1)), ("b", netns(2))]));
        let some = Look {
            names: BTreeMap::from([(name("a"), None), (name("c"), Some(Seen::Nothing))]),
            is_whole: false,
        };
        assert_eq!(
            state.advance(Vec::new(), some),
            [
                WatchEvent::Removed { name: name("a") },
                WatchEvent::Added { name: name("c") }
            ]
        );
        assert_eq!(state.find(&name("b")), Some(NetnsId::from_u64(2)));
        assert!(state.is_unused(&name("c")) && !state.is_unused(&name("b")) && !state.is_unused(&name("a")));
    }

    #[test]
    fn what_cannot_be_looked_at_is_not_told_as_a_change() {
        let mut state = State::default();
        state.advance(Vec::new(), look(&[("a", netns(1))]));
        assert_eq!(state.advance(Vec::new(), look(&[("a", Seen::Unknown)])), []);
        assert_eq!(state.advance(Vec::new(), look(&[("a", netns(1))])), []);
    }

    /// What someone believes who has only heard the events.
    fn follow(believed: &mut BTreeMap<NetnsName, Option<NetnsId>>, events: &[WatchEvent]) {
        for event in events.iter().cloned() {
            match event {
                WatchEvent::Added { name } => assert_eq!(believed.insert(name, None), None),
                WatchEvent::Ready { name, id } => assert_eq!(believed.insert(name, Some(id)), Some(None)),
                WatchEvent::Replaced { name, was, id } => {
                    assert_eq!(believed.insert(name, Some(id)), Some(Some(was)));
                }
                WatchEvent::Unmounted { name } => {
                    assert!(matches!(believed.insert(name, None), Some(Some(_))));
                }
                WatchEvent::Removed { name } => assert!(believed.remove(&name).is_some()),
            }
        }
    }

    fn any_heard() -> impl Strategy<Value = Vec<(NetnsName, Change)>> {
        let change = prop_oneof![Just(Change::Came), Just(Change::Went)];
        prop::collection::vec(("[abc]".prop_map(|text| name(&text)), change), 0..8)
    }

    fn any_look() -> impl Strategy<Value = Look> {
        let seen = prop_oneof![
            (1_u64..4).prop_map(|id| Some(netns(id))),
            Just(Some(Seen::Nothing)),
            Just(Some(Seen::Unknown)),
            Just(None)
        ];
        let names = prop::collection::btree_map("[abc]".prop_map(|text| name(&text)), seen, 0..4);
        (names, any::<bool>()).prop_map(|(names, is_whole)| Look { names, is_whole })
    }

    proptest! {
        /// Whatever was heard, also if some of it was lost.
        #[test]
        fn who_follows_the_events_believes_what_was_seen(
            rounds in prop::collection::vec((any_heard(), any_look()), 0..8),
        ) {
            let (mut state, mut believed) = (State::default(), BTreeMap::new());
            for (heard, look) in rounds {
                follow(&mut believed, &state.advance(heard, look.clone()));
                if look.is_whole {
                    let there = look.names.iter().filter(|(_, seen)| seen.is_some());
                    prop_assert_eq!(believed.keys().collect::<Vec<_>>(), there.map(|(name, _)| name).collect::<Vec<_>>());
                }
                for (name, seen) in look.names {
                    match seen {
                        Some(Seen::Netns(id)) => prop_assert_eq!(believed[&name], Some(id)),
                        Some(Seen::Nothing) => prop_assert_eq!(believed[&name], None),
                        Some(Seen::Unknown) => {}
                        None => prop_assert!(!believed.contains_key(&name)),
                    }
                }
            }
        }
    }
}
