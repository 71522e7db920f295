//! From what was told of namespaces to what is closed, opened and tried again.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use netns_core::{NetnsId, NetnsSpec};
use socket2::Socket;

use super::{Current, LeftNetns, Place, Told};
use crate::core::namespaces::{Change, Condition, SlotId, Step};
use crate::handle::{Handle, State};
use crate::inbox::Command;
use crate::listeners::{Listener, ListenerKey};
use crate::opener::{NetnsChange, OpenError, Operation, Presence};
use crate::reconcile;
use crate::routes::{self, Routes};

/// How soon it is asked again where a name leads, when that could not be found out.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// A listener that is to be opened.
type ToOpen = (SlotId, NetnsId, Arc<Place>);
/// One that was.
type Opened = (ListenerKey, Arc<Listener>);

impl Handle {
    /// Tells that these namespaces may have come, gone, or been replaced: listeners of the plan in force are closed, opened and
    /// bound anew as they are now. The engine's own watcher does so where the [`OpenerFactory`](crate::OpenerFactory) has one; a
    /// program with an opener of its own that has none calls this.
    ///
    /// A namespace that no pattern and no name of the plan is about costs nothing. For the others the opener is asked, and
    /// waited for.
    pub fn netns_changed(&self, changes: &[NetnsChange]) {
        self.follow(changes);
        if let Some(watching) = &self.state().watching {
            watching.look_at_the_clock();
        }
    }

    /// The same, for the thread that looks at the clock anyway.
    pub(super) fn follow(&self, changes: &[NetnsChange]) {
        let mut told = Vec::new();
        let mut state = self.state();
        let asked = of_interest(&state.current, changes);
        self.look_at(&mut state, &asked, &mut told);
        drop(state);
        self.tell_observer(&told);
    }

    /// Tries again what has failed and is due. Says when there is something to be tried next.
    pub(super) fn try_again(&self) -> Option<Duration> {
        let mut told = Vec::new();
        let mut state = self.state();
        let unsure = std::mem::take(&mut state.current.unsure);
        if !unsure.is_empty() {
            let asked = unsure.into_iter().map(|spec| (spec, Presence::There)).collect();
            self.look_at(&mut state, &asked, &mut told);
        }
        let due = state.current.namespaces.due(self.moment());
        self.carry_out(&mut state, due, &mut told);
        let next = state.current.namespaces.next_due();
        let next = next.map(|due| due.since(self.moment()));
        let unsure = (!state.current.unsure.is_empty()).then_some(ASK_AGAIN);
        drop(state);
        self.tell_observer(&told);
        [next, unsure].into_iter().flatten().min()
    }

    /// No other process takes over any more: opens what was left to it.
    pub(crate) fn open_left(&self) {
        let mut told = Vec::new();
        let mut state = self.state();
        state.is_handed_over = false;
        let left = state.current.namespaces.left();
        self.carry_out(&mut state, left, &mut told);
        if let Some(watching) = &state.watching {
            // What has failed is due again.
            watching.look_at_the_clock();
        }
        drop(state);
        self.tell_observer(&told);
    }

    /// Finds out where these names lead now, and does what follows.
    fn look_at(&self, state: &mut State, asked: &BTreeMap<NetnsSpec, Presence>, told: &mut Vec<Told>) {
        let probed: Vec<_> = asked
            .iter()
            .filter(|(_, presence)| **presence != Presence::Ended)
            .map(|(spec, _)| Some(spec))
            .collect();
        let mut ids = self.control().identify(&probed).into_iter();
        let mut steps = Vec::new();
        for (spec, presence) in asked {
            let probed = (*presence != Presence::Ended).then(|| ids.next()).flatten();
            let id = match probed {
                Some(Ok(id)) => Some(id),
                Some(Err(error)) if !error.is_netns_missing() => {
                    // Nothing is known to have changed.
                    let netns = spec.clone();
                    told.push(Told::Unsure { netns, error });
                    state.current.unsure.push(spec.clone());
                    continue;
                }
                Some(Err(_)) | None => None,
            };
            steps.append(&mut self.see(&mut state.current, spec, id, told));
        }
        self.carry_out(state, steps, told);
    }

    /// Takes in where a name leads, and says what has to be done for it.
    pub(crate) fn see(
        &self,
        current: &mut Current,
        spec: &NetnsSpec,
        id: Option<NetnsId>,
        told: &mut Vec<Told>,
    ) -> Vec<Step<Arc<Place>>> {
        if id.is_some() {
            current.expand(spec);
        }
        let hanging = current.namespaces.listeners(spec).count();
        let (change, steps) = current.namespaces.see(spec, id);
        if let Some(change) = change {
            let news = Told::Changed {
                netns: spec.clone(),
                change,
                listeners: hanging,
            };
            self.count(&news);
            told.push(news);
        }
        steps
    }

    /// Counts a change of a namespace.
    pub(crate) fn count(&self, told: &Told) {
        let Told::Changed { change, .. } = told else {
            return;
        };
        let counted = self.counted();
        match change {
            Change::Ready(_) => &counted.netns_ready,
            Change::Replaced { .. } => &counted.netns_replaced,
            Change::Removed(_) => &counted.netns_removed,
        }
        .add(1);
    }

    pub(crate) fn carry_out(&self, state: &mut State, steps: Vec<Step<Arc<Place>>>, told: &mut Vec<Told>) {
        let mut to_open = Vec::new();
        for step in steps {
            match step {
                Step::Close(place) => {
                    let key = state.current.open.remove(&place);
                    if let Some(listener) = key.and_then(|key| state.listeners.remove(&key)) {
                        self.close(&listener);
                    }
                }
                Step::Leave(id, names) => {
                    let left = Arc::new(LeftNetns { id, names });
                    if let Some(checker) = &state.checker {
                        checker.leave_netns(&left);
                    }
                    self.tell(|| Command::LeaveNetns(Arc::clone(&left)));
                }
                Step::Enter(id) => self.tell(|| Command::EnterNetns(id)),
                // While another process is about to take over, what comes is for that one to open.
                Step::Open(slot, id, place) if !state.ending && !state.is_handed_over => {
                    to_open.push((slot, id, place));
                }
                Step::Open(..) => {}
            }
        }
        self.open_late(state, to_open, told);
        self.publish_gauges(state);
    }

    /// Opens listeners whose namespaces are there now.
    fn open_late(&self, state: &mut State, to_open: Vec<ToOpen>, told: &mut Vec<Told>) {
        if to_open.is_empty() {
            return;
        }
        let requests = to_open
            .iter()
            .map(|(_, _, place)| reconcile::request(state.current.plan(place), place.netns.as_deref(), false))
            .collect();
        let answers = self.control().open(requests);
        for ((slot, id, place), answer) in to_open.into_iter().zip(answers) {
            let answer = answer.unwrap_or_else(|| Err(failed(&place, io::ErrorKind::TimedOut.into())));
            let failures = failures(&state.current, &place);
            let opened = answer.and_then(|socket| adopt(state, &place, id, socket));
            match opened.and_then(|opened| self.equip(state, &place, opened)) {
                Ok((key, listener)) => {
                    state.current.namespaces.on_opened(slot, id);
                    let route = state.current.route(&place, &listener);
                    let (opened, its) = (Arc::clone(&listener), Arc::clone(&route));
                    state.listeners.insert(key.clone(), opened, its);
                    self.tell(|| Command::Listen(Arc::clone(&listener), Arc::clone(&route)));
                    if failures > 0 {
                        told.extend(Told::opened(&state.current, &place));
                    }
                    state.current.open.insert(place, key);
                    self.counted().listeners_opened.add(1);
                }
                Err(error) if error.is_final() => {
                    self.counted().listeners_failed.add(1);
                    state.current.namespaces.on_refused(slot);
                    told.extend(Told::failed(&state.current, &place, error, None));
                }
                Err(error) => {
                    let again = state
                        .current
                        .namespaces
                        .on_failed(slot, self.moment())
                        .as_duration();
                    self.counted().listeners_failed.add(1);
                    // The first tries are about to be made again within a moment: an address may be on its way.
                    if failures >= QUIET_FAILURES && failures.is_power_of_two() {
                        told.extend(Told::failed(&state.current, &place, error, Some(again)));
                    }
                }
            }
        }
    }

    /// Gives a listener what says which addresses are local where it is, if anything asks.
    fn equip(&self, state: &State, place: &Place, (key, listener): Opened) -> Result<Opened, OpenError> {
        if state.current.asks_local {
            let asked = routes::request(place.netns.as_deref());
            let answer = self.control().open(vec![asked]).pop().flatten();
            let socket = answer.unwrap_or_else(|| Err(failed(place, io::ErrorKind::TimedOut.into())))?;
            listener.set_routes(Arc::new(Routes::new(socket)));
        }
        Ok((key, listener))
    }

    /// Lets others see how many there are.
    pub(crate) fn publish_gauges(&self, state: &State) {
        let (open, closed) = state.current.namespaces.open_and_closed();
        let counted = self.counted();
        counted.netns_live.set(state.current.namespaces.live());
        counted.listeners.set(state.listeners.len());
        counted.listeners_in_netns.set(open);
        counted.listeners_pending.set(closed);
    }

    pub(crate) fn tell_observer(&self, told: &[Told]) {
        let observer = self.observer();
        for told in told {
            told.tell(&**observer);
        }
    }
}

/// How many failures of a listener in a row nobody is told of: some 300 ms of tries. A namespace that has just been made gets its
/// addresses in that time. After those, of each failure whose number is a power of two.
const QUIET_FAILURES: u32 = 4;

/// Those changes that the plan is about; the last word for each.
fn of_interest(current: &Current, changes: &[NetnsChange]) -> BTreeMap<NetnsSpec, Presence> {
    let is_of_interest = |spec: &NetnsSpec| {
        current.namespaces.lead(spec).is_some() || spec.name().is_some_and(|name| current.matches(name))
    };
    let changes = changes.iter().filter(|change| is_of_interest(&change.netns));
    changes
        .map(|change| (change.netns.clone(), change.presence))
        .collect()
}

fn failures(current: &Current, place: &Arc<Place>) -> u32 {
    let mut hanging = place
        .netns
        .iter()
        .flat_map(|spec| current.namespaces.listeners(spec));
    match hanging.find(|(other, _)| *other == place) {
        Some((_, Condition::Failing(failures))) => failures,
        _ => 0,
    }
}

/// A listener of the opener's answer, if it is where it was to be, and none is there yet.
fn adopt(state: &mut State, place: &Place, id: NetnsId, socket: Socket) -> Result<Opened, OpenError> {
    let plan = state.current.plan(place);
    let listener = Listener::new(state.listeners.new_id(), socket, plan);
    let listener = listener.map_err(|error| failed(place, error))?;
    if listener.netns != id {
        // It has been replaced since: that will be told in a moment.
        return Err(failed(place, io::Error::other("it leads elsewhere now")));
    }
    let mut key = ListenerKey {
        netns: id,
        address: plan.address.clone(),
        ordinal: 0,
    };
    while state.listeners.get(&key).is_some() {
        if !plan.address.is_any_port() {
            return Err(failed(place, io::ErrorKind::AddrInUse.into()));
        }
        key.ordinal += 1;
    }
    Ok((key, Arc::new(listener)))
}

fn failed(place: &Place, source: io::Error) -> OpenError {
    OpenError {
        operation: Operation::EnterNetns,
        netns: place.netns.clone(),
        source,
    }
}
