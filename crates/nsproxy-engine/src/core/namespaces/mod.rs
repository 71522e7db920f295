//! Where the names of namespaces lead, and what follows when one leads elsewhere: which listeners to close and to open,
//! which namespace is left for good. What was seen and the time go in, [`Step`]s come out.
//!
//! A namespace is its cookie. A name leads to one, or to none; several names may lead to the same one, and it is left when
//! the last of them leads away. What has to be done for a change depends on what hangs on that name, and on nothing else of
//! the plan.

mod backoff;
#[cfg(test)]
mod properties;

use std::collections::{BTreeMap, BTreeSet};

use netns_core::{NetnsId, NetnsSpec};
use slab::Slab;

use super::moment::{Moment, Span};

/// Where a name leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lead {
    /// Nowhere, and it never has, as far as is known.
    Pending,
    /// To this namespace.
    Live(NetnsId),
    /// Nowhere any more.
    Removed,
}

impl Lead {
    /// The namespace.
    pub const fn id(self) -> Option<NetnsId> {
        match self {
            Self::Live(id) => Some(id),
            Self::Pending | Self::Removed => None,
        }
    }
}

/// How a name has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It leads to a namespace.
    Ready(NetnsId),
    /// It leads to another one.
    Replaced {
        /// The one before.
        was: NetnsId,
        /// The one now.
        id: NetnsId,
    },
    /// It leads nowhere any more; the one before.
    Removed(NetnsId),
}

/// Something that has to be done, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step<L> {
    /// Close this listener.
    Close(L),
    /// No name leads to this namespace any more. These have.
    Leave(NetnsId, Vec<NetnsSpec>),
    /// A name leads to this namespace, and none did before.
    Enter(NetnsId),
    /// Open this listener in this namespace, and say how that went.
    Open(SlotId, NetnsId, L),
}

/// Identifies a listener among those of a [`Namespaces`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SlotId(usize);

/// How a listener stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Its name leads nowhere, nobody has said yet how opening it went, or it cannot be where its name leads.
    Closed,
    /// It is open in this namespace.
    Open(NetnsId),
    /// It could not be opened so many times in a row.
    Failing(u32),
}

/// What is known of names, and the listeners that hang on them. `L` is a handle of the caller's for a listener.
#[derive(Debug)]
pub struct Namespaces<L> {
    names: BTreeMap<NetnsSpec, Name>,
    /// Those that a name leads to.
    live: BTreeMap<NetnsId, Led>,
    slots: Slab<Slot<L>>,
    /// When to try again.
    due: BTreeSet<(Moment, SlotId)>,
    open: usize,
}

#[derive(Debug)]
struct Name {
    lead: Lead,
    /// The plan has it.
    is_planned: bool,
    slots: Vec<SlotId>,
}

#[derive(Debug, Clone, Default)]
struct Led {
    /// How many names lead there now.
    names: usize,
    /// Which ones ever have, since the first of them.
    ever: BTreeSet<NetnsSpec>,
}

#[derive(Debug)]
struct Slot<L> {
    name: NetnsSpec,
    listener: L,
    condition: Condition,
    due: Option<Moment>,
    /// It waits for its name to come back; others go with the namespace, as those of a pattern do.
    lasts: bool,
}

impl<L> Default for Namespaces<L> {
    fn default() -> Self {
        Self {
            names: BTreeMap::new(),
            live: BTreeMap::new(),
            slots: Slab::new(),
            due: BTreeSet::new(),
            open: 0,
        }
    }
}

impl<L: Clone> Namespaces<L> {
    /// What this one knows of names that lead somewhere, for the plan to come: it has none of them yet, and no listener.
    #[must_use]
    pub fn without_plan(&self) -> Self {
        let live = self.names.iter().filter(|(_, name)| name.lead.id().is_some());
        let names = live.map(|(spec, name)| {
            let name = Name {
                lead: name.lead,
                is_planned: false,
                slots: Vec::new(),
            };
            (spec.clone(), name)
        });
        Self {
            names: names.collect(),
            live: self.live.clone(),
            ..Self::default()
        }
    }

    /// Has this name be in the plan: it is kept, whether it leads anywhere or not.
    pub fn plan(&mut self, spec: &NetnsSpec) {
        self.known(spec).is_planned = true;
    }

    /// Adds a listener of a name, and says how it stands. One that does not `last` goes when its name leads nowhere.
    pub fn add(&mut self, spec: &NetnsSpec, listener: L, condition: Condition, lasts: bool) -> SlotId {
        self.open += usize::from(matches!(condition, Condition::Open(_)));
        let slot = SlotId(self.slots.insert(Slot {
            name: spec.clone(),
            listener,
            condition,
            due: None,
            lasts,
        }));
        self.known(spec).slots.push(slot);
        slot
    }

    /// Takes in where a name leads now. Of a name that is not known, and leads nowhere, nothing is kept.
    pub fn see(&mut self, spec: &NetnsSpec, now: Option<NetnsId>) -> (Option<Change>, Vec<Step<L>>) {
        let mut steps = Vec::new();
        let was = self.names.get(spec).and_then(|name| name.lead.id());
        if was == now {
            return (None, steps);
        }
        self.clear(spec, now.is_some(), &mut steps);
        if let Some(was) = was {
            self.leave(was, &mut steps);
        }
        let name = self.known(spec);
        name.lead = now.map_or(Lead::Removed, Lead::Live);
        if let Some(id) = now {
            let slots = name.slots.clone();
            self.enter(id, spec, &mut steps);
            let listener = |slot: SlotId| self.slots[slot.0].listener.clone();
            steps.extend(slots.iter().map(|slot| Step::Open(*slot, id, listener(*slot))));
        } else if !name.is_planned && name.slots.is_empty() {
            self.names.remove(spec);
        }
        let change = match (was, now) {
            (None, Some(id)) => Change::Ready(id),
            (Some(was), Some(id)) => Change::Replaced { was, id },
            (Some(was), None) => Change::Removed(was),
            (None, None) => return (None, steps),
        };
        (Some(change), steps)
    }

    /// A listener was opened.
    pub fn on_opened(&mut self, SlotId(slot): SlotId, id: NetnsId) {
        if let Some(slot) = self.slots.get_mut(slot) {
            self.open += usize::from(!matches!(slot.condition, Condition::Open(_)));
            slot.condition = Condition::Open(id);
        }
    }

    /// A listener could not be opened. Says after how long it is [due](Self::due) again.
    pub fn on_failed(&mut self, id: SlotId, now: Moment) -> Span {
        let Some(slot) = self.slots.get_mut(id.0) else {
            return backoff::span(0);
        };
        let before = match slot.condition {
            Condition::Failing(failures) => failures,
            Condition::Closed | Condition::Open(_) => 0,
        };
        slot.condition = Condition::Failing(before.saturating_add(1));
        let wait = backoff::span(before);
        let due = now.after(wait);
        if let Some(earlier) = slot.due.replace(due) {
            self.due.remove(&(earlier, id));
        }
        self.due.insert((due, id));
        wait
    }

    /// A listener cannot be opened where its name leads: it is not tried again before that changes.
    pub fn on_refused(&mut self, id: SlotId) {
        let Some(slot) = self.slots.get_mut(id.0) else {
            return;
        };
        slot.condition = Condition::Closed;
        if let Some(due) = slot.due.take() {
            self.due.remove(&(due, id));
        }
    }

    /// The listeners whose names lead somewhere, and that nobody has opened there or is to try again.
    pub fn left(&self) -> Vec<Step<L>> {
        let is_left = |slot: &Slot<L>| slot.condition == Condition::Closed && slot.due.is_none();
        let left = self.slots.iter().filter(|(_, slot)| is_left(slot));
        let steps = left.filter_map(|(key, slot)| {
            let id = self.lead(&slot.name)?.id()?;
            Some(Step::Open(SlotId(key), id, slot.listener.clone()))
        });
        steps.collect()
    }

    /// The listeners that failed and are to be tried once more now, each with the namespace that it is to be in.
    pub fn due(&mut self, now: Moment) -> Vec<Step<L>> {
        let mut steps = Vec::new();
        while let Some(&(due, slot)) = self.due.first()
            && due <= now
        {
            self.due.pop_first();
            let entry = &mut self.slots[slot.0];
            entry.due = None;
            let lead = self.names.get(&entry.name).map(|name| name.lead);
            if let Some(id) = lead.and_then(Lead::id) {
                steps.push(Step::Open(slot, id, entry.listener.clone()));
            }
        }
        steps
    }

    /// When something is [due](Self::due) next.
    pub fn next_due(&self) -> Option<Moment> {
        self.due.first().map(|(due, _)| *due)
    }
}

impl<L> Namespaces<L> {
    /// The names of the plan, and those that still lead somewhere: where they lead, and which listeners hang on them.
    pub fn names(&self) -> impl Iterator<Item = (&NetnsSpec, Lead, impl Iterator<Item = (&L, Condition)>)> {
        self.names.iter().map(|(spec, name)| {
            let slots = name.slots.iter().map(|slot| &self.slots[slot.0]);
            let slots = slots.map(|slot| (&slot.listener, slot.condition));
            (spec, name.lead, slots)
        })
    }

    /// The names that lead somewhere, whether the plan has them or not.
    pub fn leading(&self) -> impl Iterator<Item = &NetnsSpec> {
        let leading = self.names.iter().filter(|(_, name)| name.lead.id().is_some());
        leading.map(|(spec, _)| spec)
    }

    /// Where a name leads; `None` if it is not known.
    pub fn lead(&self, spec: &NetnsSpec) -> Option<Lead> {
        self.names.get(spec).map(|name| name.lead)
    }

    /// How the listeners of a name stand.
    pub fn listeners(&self, spec: &NetnsSpec) -> impl Iterator<Item = (&L, Condition)> {
        let slots = self.names.get(spec).map(|name| &name.slots);
        let slots = slots.into_iter().flatten().map(|slot| &self.slots[slot.0]);
        slots.map(|slot| (&slot.listener, slot.condition))
    }

    /// Namespaces that a name leads to.
    pub fn live(&self) -> usize {
        self.live.len()
    }

    /// How many listeners are open, and how many are not.
    pub fn open_and_closed(&self) -> (usize, usize) {
        (self.open, self.slots.len() - self.open)
    }

    fn known(&mut self, spec: &NetnsSpec) -> &mut Name {
        self.names.entry(spec.clone()).or_insert_with(|| Name {
            lead: Lead::Pending,
            is_planned: false,
            slots: Vec::new(),
        })
    }

    /// Closes the listeners of a name; those that do not last go, unless it leads somewhere else at once.
    fn clear(&mut self, spec: &NetnsSpec, leads_on: bool, steps: &mut Vec<Step<L>>)
    where
        L: Clone,
    {
        let Some(name) = self.names.get_mut(spec) else {
            return;
        };
        for id in &name.slots {
            let slot = &mut self.slots[id.0];
            if let Condition::Open(_) = std::mem::replace(&mut slot.condition, Condition::Closed) {
                self.open -= 1;
                steps.push(Step::Close(slot.listener.clone()));
            }
            if let Some(due) = slot.due.take() {
                self.due.remove(&(due, *id));
            }
        }
        if !leads_on {
            let slots = &mut self.slots;
            name.slots.retain(|id| {
                let lasts = slots[id.0].lasts;
                if !lasts {
                    slots.remove(id.0);
                }
                lasts
            });
        }
    }

    /// A name leads away from this namespace.
    fn leave(&mut self, id: NetnsId, steps: &mut Vec<Step<L>>) {
        let Some(led) = self.live.get_mut(&id) else {
            return;
        };
        led.names -= 1;
        if led.names == 0 {
            let names = std::mem::take(&mut led.ever);
            self.live.remove(&id);
            steps.push(Step::Leave(id, names.into_iter().collect()));
        }
    }

    /// A name leads to this namespace.
    fn enter(&mut self, id: NetnsId, spec: &NetnsSpec, steps: &mut Vec<Step<L>>) {
        let led = self.live.entry(id).or_default();
        led.names += 1;
        led.ever.insert(spec.clone());
        if led.names == 1 {
            steps.push(Step::Enter(id));
        }
    }
}
