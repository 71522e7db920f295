//! Whatever is seen in whatever order, the listeners that are open are those whose names lead somewhere, each in the
//! namespace that its name leads to now; and a namespace is left exactly when its last name leads away.

use std::collections::{BTreeMap, BTreeSet};

use netns_core::{NetnsId, NetnsSpec};
use proptest::prelude::*;

use super::{Change, Condition, Lead, Namespaces, SlotId, Step};
use crate::core::moment::Moment;

fn spec(name: u8) -> NetnsSpec {
    format!("n{name}").parse().unwrap()
}

/// What happens.
#[derive(Debug, Clone)]
enum Event {
    /// A name is seen to lead there.
    See(u8, Option<u64>),
    /// So many milliseconds pass.
    Pass(u16),
    /// Another plan has these names.
    Plan(BTreeSet<u8>),
}

/// A listener: the number of its name, and its own.
type Listener = (u8, u8);

/// Who carries the steps out: what is open, and which namespaces are left.
#[derive(Debug, Default)]
struct Host {
    open: BTreeMap<Listener, NetnsId>,
    left: BTreeSet<NetnsId>,
    now: Moment,
    /// Every so many attempts to open fail.
    fails: u8,
    attempts: u8,
}

impl Host {
    fn carry_out(&mut self, namespaces: &mut Namespaces<Listener>, steps: Vec<Step<Listener>>) {
        for step in steps {
            match step {
                Step::Close(listener) => assert!(self.open.remove(&listener).is_some(), "{listener:?}"),
                Step::Leave(id, names) => {
                    assert!(!names.is_empty());
                    assert!(self.left.insert(id), "{id} is left twice");
                }
                Step::Enter(id) => drop(self.left.remove(&id)),
                Step::Open(slot, id, listener) => self.open(namespaces, slot, id, listener),
            }
        }
    }

    fn open(&mut self, namespaces: &mut Namespaces<Listener>, slot: SlotId, id: NetnsId, listener: Listener) {
        assert!(!self.open.contains_key(&listener), "{listener:?} is open");
        self.attempts = self.attempts.wrapping_add(1);
        if self.fails > 0 && self.attempts.is_multiple_of(self.fails) {
            let again = namespaces.on_failed(slot, self.now);
            assert!(again.as_duration().as_millis() <= 1000);
        } else {
            namespaces.on_opened(slot, id);
            self.open.insert(listener, id);
        }
    }
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => (0_u8..4, prop::option::of(1_u64..4)).prop_map(|(name, id)| Event::See(name, id)),
        3 => (0_u16..1500).prop_map(Event::Pass),
        1 => prop::collection::btree_set(0_u8..4, 0..4).prop_map(Event::Plan),
    ]
}

/// A plan with two listeners for each name, of which one lasts.
fn adopt(host: &mut Host, before: &Namespaces<Listener>, names: &BTreeSet<u8>) -> Namespaces<Listener> {
    let mut namespaces = before.without_plan();
    let mut open = BTreeMap::new();
    for &name in names {
        let spec = spec(name);
        namespaces.plan(&spec);
        let lead = namespaces.lead(&spec).and_then(Lead::id);
        for (number, lasts) in [(0, true), (1, false)] {
            if !lasts && lead.is_none() {
                continue;
            }
            let condition = lead.map_or(Condition::Closed, Condition::Open);
            namespaces.add(&spec, (name, number), condition, lasts);
            open.extend(lead.map(|id| ((name, number), id)));
        }
    }
    host.open = open;
    namespaces
}

proptest! {
    #[test]
    fn what_is_open_is_where_its_name_leads_now(
        events in prop::collection::vec(any_event(), 0..60),
        fails in 0_u8..4,
    ) {
        let mut host = Host { fails, ..Host::default() };
        let mut namespaces = adopt(&mut host, &Namespaces::default(), &(0..4).collect());
        let mut leads: BTreeMap<u8, u64> = BTreeMap::new();
        let mut planned: BTreeSet<u8> = (0..4).collect();
        let mut ever: BTreeSet<u64> = BTreeSet::new();
        for event in events {
            match event {
                Event::See(name, id) => {
                    // Of a name that the plan does not have, only that it leads away is of interest.
                    if !planned.contains(&name) && id.is_some() && !leads.contains_key(&name) {
                        continue;
                    }
                    let was = leads.get(&name).copied();
                    match id {
                        Some(id) => drop(leads.insert(name, id)),
                        None => drop(leads.remove(&name)),
                    }
                    ever.extend(id);
                    let (change, steps) = namespaces.see(&spec(name), id.map(NetnsId::from_u64));
                    let expected = match (was, id) {
                        (None, Some(id)) => Some(Change::Ready(NetnsId::from_u64(id))),
                        (Some(was), None) => Some(Change::Removed(NetnsId::from_u64(was))),
                        (Some(was), Some(id)) if was != id => Some(Change::Replaced {
                            was: NetnsId::from_u64(was),
                            id: NetnsId::from_u64(id),
                        }),
                        _ => None,
                    };
                    prop_assert_eq!(change, expected);
                    prop_assert!(expected.is_some() || steps.is_empty());
                    host.carry_out(&mut namespaces, steps);
                }
                Event::Pass(millis) => {
                    host.now = Moment::from_millis(host.now.as_millis() + u64::from(millis));
                    let steps = namespaces.due(host.now);
                    host.carry_out(&mut namespaces, steps);
                }
                Event::Plan(names) => {
                    namespaces = adopt(&mut host, &namespaces, &names);
                    planned = names;
                }
            }
            prop_assert!(namespaces.next_due().is_none_or(|due| due > host.now));
            for (listener, id) in &host.open {
                prop_assert_eq!(Some(id.as_u64()), leads.get(&listener.0).copied());
            }
            // What is not open, and could be, is about to be tried again.
            let lasting = planned.iter().filter(|name| leads.contains_key(name));
            let closed = lasting.filter(|name| !host.open.contains_key(&(**name, 0))).count();
            prop_assert!(closed == 0 || namespaces.next_due().is_some());
            prop_assert_eq!(namespaces.open_and_closed().0, host.open.len());
            let live: BTreeSet<_> = leads.values().copied().collect();
            prop_assert_eq!(namespaces.live(), live.len());
            for id in &ever {
                prop_assert_eq!(host.left.contains(&NetnsId::from_u64(*id)), !live.contains(id), "{}", id);
            }
        }
    }
}

#[test]
fn two_names_of_one_namespace_leave_it_when_the_second_goes() {
    let mut namespaces = Namespaces::<Listener>::default();
    let id = NetnsId::from_u64(7);
    let names = [spec(1), spec(2)];
    for name in &names {
        namespaces.plan(name);
        namespaces.see(name, Some(id));
    }
    assert_eq!(
        namespaces.see(&names[0], None),
        (Some(Change::Removed(id)), vec![])
    );
    let (_, steps) = namespaces.see(&names[1], None);
    assert_eq!(steps, [Step::Leave(id, names.to_vec())]);
    assert_eq!(namespaces.lead(&names[0]), Some(Lead::Removed));
}

#[test]
fn a_replacement_closes_before_it_opens() {
    let mut namespaces = Namespaces::default();
    let [was, id] = [1, 2].map(NetnsId::from_u64);
    namespaces.see(&spec(0), Some(was));
    let slot = namespaces.add(&spec(0), "l", Condition::Open(was), true);
    let (change, steps) = namespaces.see(&spec(0), Some(id));
    assert_eq!(change, Some(Change::Replaced { was, id }));
    let expected = [
        Step::Close("l"),
        Step::Leave(was, vec![spec(0)]),
        Step::Enter(id),
        Step::Open(slot, id, "l"),
    ];
    assert_eq!(steps, expected);
}

#[test]
fn what_cannot_be_opened_is_tried_again_until_its_name_leads_away() {
    let mut namespaces = Namespaces::default();
    let id = NetnsId::from_u64(1);
    namespaces.see(&spec(0), Some(id));
    let slot = namespaces.add(&spec(0), "l", Condition::Closed, true);
    let mut now = Moment::from_millis(0);
    for _ in 0..3 {
        let wait = namespaces.on_failed(slot, now);
        assert_eq!(namespaces.next_due(), Some(now.after(wait)));
        now = now.after(wait);
        assert_eq!(namespaces.due(now), [Step::Open(slot, id, "l")]);
    }
    namespaces.on_failed(slot, now);
    let (_, steps) = namespaces.see(&spec(0), None);
    assert_eq!(steps, [Step::Leave(id, vec![spec(0)])]);
    assert_eq!(namespaces.next_due(), None);
}
