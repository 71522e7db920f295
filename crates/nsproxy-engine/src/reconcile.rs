//! From the listeners that a plan wants to listening sockets: those that are there already, those to be opened, and those whose
//! namespace is missing.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io;
use std::sync::Arc;

use netns_core::{NetnsId, NetnsName, NetnsSpec};
use socket2::Socket;

use crate::control::{self, Control};
use crate::error::ApplyError;
use crate::listeners::{Listener, ListenerKey, ListenerRegistry};
use crate::live::Place;
use crate::opener::{OpenError, SocketKind, SocketRequest};
use crate::plan::{Endpoint, ListenerNetns, ListenerPlan, NetnsSet, Plan, PlanError, RelayPlan};
use crate::routes::{self, Routes};

/// A listener that a plan wants, in one namespace.
pub(crate) struct Wanted<'a> {
    pub(crate) relay: &'a RelayPlan,
    pub(crate) listener: &'a ListenerPlan,
    pub(crate) place: Arc<Place>,
    /// Where that is; `None` while the namespace is missing.
    pub(crate) key: Option<ListenerKey>,
    /// Whether it is open already.
    pub(crate) kept: bool,
    /// Whether it is of a pattern, and goes with its namespace.
    pub(crate) is_matched: bool,
    /// Why it is not open, though its namespace is there.
    pub(crate) failed: Option<OpenError>,
}

/// Where names lead. An error does not say that it is nowhere.
pub(crate) type Leads = Vec<(NetnsSpec, Result<Option<NetnsId>, OpenError>)>;

/// Where the namespaces of a plan are now.
pub(crate) struct Identified<'a> {
    pub(crate) wanted: Vec<Wanted<'a>>,
    /// Each name, and where it leads, if anywhere.
    pub(crate) leads: Leads,
}

/// Finds out which namespace each name of the plan means now, and where its listeners are to be. `names` are those that
/// patterns may match.
pub(crate) fn identify<'a>(
    plan: &'a Plan,
    names: &[NetnsName],
    control: &Control,
) -> Result<Identified<'a>, ApplyError> {
    let answers = ask(plan, names, control);
    if plan.strict_namespaces {
        refuse_missing(plan, &answers)?;
    }
    let mut wanted = Vec::new();
    let mut taken: HashMap<_, u32> = HashMap::new();
    for Spot {
        relay,
        listener,
        place,
    } in spots(plan, &answers)
    {
        let is_matched = matches!(listener.netns, Some(ListenerNetns::Matching(_)));
        let netns = match &answers[&place.netns.as_deref().cloned()] {
            Ok(id) => Some(*id),
            Err(error) if error.is_netns_missing() || is_matched => None,
            Err(error) => return Err(control::refused(relay, listener, error.duplicate())),
        };
        let key = match netns {
            None => None,
            Some(netns) => {
                let count = taken.entry((netns, &listener.address)).or_default();
                let ordinal = std::mem::replace(count, *count + 1);
                if ordinal > 0 && !listener.address.is_any_port() {
                    // Two names of one namespace that both match: once is enough.
                    if is_matched {
                        continue;
                    }
                    let (relay, address) = (relay.name.clone(), listener.address.clone());
                    return Err(PlanError::DuplicateListener { relay, address }.into());
                }
                let address = listener.address.clone();
                Some(ListenerKey {
                    netns,
                    address,
                    ordinal,
                })
            }
        };
        wanted.push(Wanted {
            relay,
            listener,
            place: Arc::new(place),
            key,
            kept: false,
            is_matched,
            failed: None,
        });
    }
    let lead = |id: Result<_, OpenError>| match id {
        Ok(id) => Ok(Some(id)),
        Err(error) if error.is_netns_missing() => Ok(None),
        Err(error) => Err(error),
    };
    let leads = answers
        .into_iter()
        .filter_map(|(spec, id)| Some((spec?, lead(id))));
    Ok(Identified {
        wanted,
        leads: leads.collect(),
    })
}

type Answers = BTreeMap<Option<NetnsSpec>, Result<NetnsId, OpenError>>;

/// Where the names of the plan lead, and those that its patterns match.
fn ask(plan: &Plan, names: &[NetnsName], control: &Control) -> Answers {
    let patterns = NetnsSet {
        specs: BTreeSet::new(),
        patterns: plan.patterns().cloned().collect(),
    };
    let matching = names.iter().filter(|name| patterns.matches(name));
    let matching: Vec<_> = matching
        .filter_map(|name| NetnsSpec::try_from(name.clone()).ok())
        .collect();
    let mut specs = plan.namespaces();
    specs.extend(&matching);
    let asked: Vec<_> = std::iter::once(None).chain(specs.into_iter().map(Some)).collect();
    let ids = control.identify(&asked);
    asked
        .into_iter()
        .map(Option::<&NetnsSpec>::cloned)
        .zip(ids)
        .collect()
}

/// A plan that is strict wants every namespace that it names to be there.
fn refuse_missing(plan: &Plan, answers: &Answers) -> Result<(), ApplyError> {
    let missing = |netns: &NetnsSpec| match answers.get(&Some(netns.clone())) {
        Some(Err(error)) => Some(error.duplicate()),
        _ => None,
    };
    for relay in &plan.relays {
        for listener in &relay.listeners {
            let netns = listener.netns.as_ref().and_then(ListenerNetns::named);
            if let Some(error) = netns.and_then(missing) {
                return Err(control::refused(relay, listener, error));
            }
        }
    }
    match plan.namespaces().into_iter().find_map(missing) {
        Some(error) => Err(ApplyError::Netns(error)),
        None => Ok(()),
    }
}

/// A listener in one namespace.
struct Spot<'a> {
    relay: &'a RelayPlan,
    listener: &'a ListenerPlan,
    place: Place,
}

/// The listeners of the plan, those of patterns in each namespace that matches. Where a name of the plan has a listener, those of
/// patterns at the same address have none.
fn spots<'a>(plan: &'a Plan, answers: &Answers) -> Vec<Spot<'a>> {
    let mut spots = Vec::new();
    let mut matching = Vec::new();
    let mut taken: HashSet<(NetnsSpec, &Endpoint)> = HashSet::new();
    for (relay_index, relay) in plan.relays.iter().enumerate() {
        for (listener_index, listener) in relay.listeners.iter().enumerate() {
            let spot = move |netns: Option<&NetnsSpec>| Spot {
                relay,
                listener,
                place: Place {
                    relay: relay_index,
                    listener: listener_index,
                    netns: netns.cloned().map(Arc::new),
                },
            };
            match &listener.netns {
                None => spots.push(spot(None)),
                Some(ListenerNetns::Named(netns)) => {
                    taken.insert((netns.clone(), &listener.address));
                    spots.push(spot(Some(netns)));
                }
                Some(ListenerNetns::Matching(pattern)) => matching.push((pattern, listener, spot)),
            }
        }
    }
    let there = answers.iter().filter(|(_, id)| id.is_ok());
    let there: Vec<_> = there.filter_map(|(spec, _)| spec.as_ref()).collect();
    for (pattern, listener, spot) in matching {
        let matches = |spec: &NetnsSpec| spec.name().is_some_and(|name| pattern.matches(name));
        for netns in there.iter().copied().filter(|spec| matches(spec)) {
            if listener.address.is_any_port() || taken.insert((netns.clone(), &listener.address)) {
                spots.push(spot(Some(netns)));
            }
        }
    }
    spots
}

/// The listeners of a plan.
pub(crate) struct Opened {
    /// Of each one that is wanted, unless its namespace is missing.
    pub(crate) listeners: Vec<Option<Arc<Listener>>>,
    /// Those that had to make way for one with other options.
    pub(crate) made_way: Vec<Arc<Listener>>,
}

/// Keeps, or opens, the listening socket of each wanted place whose namespace is there.
///
/// A socket whose option changes makes way for a new one at its address, which is opened beside it. When anything fails, nothing
/// has changed. Where `may_fail` says so, a listener that cannot be opened is left for later.
pub(crate) fn open(
    wanted: &mut [Wanted<'_>],
    control: &Control,
    listeners: &mut ListenerRegistry,
    may_fail: impl Fn(&Place) -> bool,
) -> Result<Opened, ApplyError> {
    let mut opened: Vec<Option<Arc<Listener>>> = Vec::with_capacity(wanted.len());
    let (mut fresh, mut replacing) = (Vec::new(), Vec::new());
    let mut making_way = Vec::new();
    for (index, wanted) in wanted.iter_mut().enumerate() {
        let there = wanted.key.as_ref().and_then(|key| listeners.get(key));
        let same = there.filter(|there| there.has_options_of(wanted.listener));
        wanted.kept = same.is_some();
        opened.push(same.cloned());
        match (same, there) {
            (None, Some(old)) => {
                replacing.push(index);
                making_way.push(Arc::clone(old));
            }
            (None, None) if wanted.key.is_some() => fresh.push(index),
            // It stays, or its namespace is missing.
            _ => {}
        }
    }
    let made = make(&fresh, wanted, control, listeners, false);
    settle(made, wanted, &mut opened, &may_fail)?;
    for old in &making_way {
        old.share_address(true);
    }
    let made = make(&replacing, wanted, control, listeners, true);
    let settled = settle(made, wanted, &mut opened, &may_fail).and_then(|()| tune(wanted, &opened));
    if let Err(error) = settled {
        for old in &making_way {
            old.share_address(false);
        }
        return Err(error);
    }
    for index in replacing {
        if let Some(key) = &wanted[index].key {
            listeners.remove(key);
        }
        if let Some(new) = &opened[index] {
            new.share_address(false);
        }
    }
    Ok(Opened {
        listeners: opened,
        made_way: making_way,
    })
}

/// Gives listeners what says which addresses are local where they are: one for all of a namespace.
pub(crate) fn equip(
    wanted: &[Wanted<'_>],
    opened: &[Option<Arc<Listener>>],
    control: &Control,
) -> Result<(), ApplyError> {
    let mut known: HashMap<NetnsId, Arc<Routes>> = HashMap::new();
    let there = || {
        let both = wanted.iter().zip(opened);
        both.filter_map(|(wanted, listener)| Some((wanted, listener.as_ref()?)))
    };
    for (_, listener) in there() {
        known.extend(listener.routes().map(|routes| (listener.netns, routes)));
    }
    for (wanted, listener) in there() {
        if let Some(routes) = known.get(&listener.netns) {
            listener.set_routes(Arc::clone(routes));
            continue;
        }
        let asked = routes::request(wanted.place.netns.as_deref());
        let socket = match control.open(vec![asked]).pop().flatten() {
            Some(Ok(socket)) => socket,
            Some(Err(error)) => return Err(control::refused(wanted.relay, wanted.listener, error)),
            None => return Err(control::silent(wanted.relay, wanted.listener)),
        };
        let routes = Arc::new(Routes::new(socket));
        known.insert(listener.netns, Arc::clone(&routes));
        listener.set_routes(routes);
    }
    Ok(())
}

/// Listeners that were asked for, by their places among those that are wanted.
type Made = Vec<(usize, Result<Arc<Listener>, ApplyError>)>;

/// Asks for these. Each answer becomes a listener, also behind one that failed: a listener cleans up after itself.
fn make(
    indices: &[usize],
    wanted: &[Wanted<'_>],
    control: &Control,
    listeners: &mut ListenerRegistry,
    beside: bool,
) -> Made {
    let requests = indices.iter().map(|index| {
        let wanted = &wanted[*index];
        request(wanted.listener, wanted.place.netns.as_deref(), beside)
    });
    let answers = control.open(requests.collect());
    let answered = indices.iter().zip(answers);
    answered
        .map(|(index, answer)| (*index, listener(&wanted[*index], answer, listeners)))
        .collect()
}

/// Takes in what was made, and what is left for later.
fn settle(
    made: Made,
    wanted: &mut [Wanted<'_>],
    opened: &mut [Option<Arc<Listener>>],
    may_fail: impl Fn(&Place) -> bool,
) -> Result<(), ApplyError> {
    for (index, made) in made {
        let wanted = &mut wanted[index];
        match made {
            Ok(listener) => opened[index] = Some(listener),
            Err(ApplyError::Listen { source, .. })
                if wanted.is_matched || source.is_netns_missing() || may_fail(&wanted.place) =>
            {
                wanted.failed = Some(source);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Makes the listeners that were kept what the plan wants them to be: all of them, or none.
fn tune(wanted: &[Wanted<'_>], opened: &[Option<Arc<Listener>>]) -> Result<(), ApplyError> {
    let mut tuned = Vec::new();
    for (
        Wanted {
            relay,
            listener: plan,
            ..
        },
        listener,
    ) in wanted.iter().zip(opened)
    {
        let Some(listener) = listener else {
            continue;
        };
        match listener.tune(&plan.tuning) {
            Ok(before) => tuned.push((listener, before)),
            Err(source) => {
                for (listener, before) in tuned {
                    // It was so a moment ago.
                    let _ = listener.tune(&before);
                }
                return Err(ApplyError::Listener {
                    relay: relay.name.clone(),
                    address: plan.address.clone(),
                    source,
                });
            }
        }
    }
    Ok(())
}

/// What to ask for to have this listener, in one namespace; `beside` one that makes way for it.
pub(crate) fn request(plan: &ListenerPlan, netns: Option<&NetnsSpec>, beside: bool) -> SocketRequest {
    SocketRequest {
        netns: netns.cloned().map(Arc::new),
        kind: SocketKind::Listener {
            address: plan.address.clone(),
            transparent: plan.transparent,
            only_v6: plan.only_v6,
            interface: plan.interface.clone(),
            tuning: plan.tuning,
            beside,
        },
    }
}

/// A listener of the opener's answer.
fn listener(
    wanted: &Wanted<'_>,
    answer: Option<Result<Socket, OpenError>>,
    listeners: &mut ListenerRegistry,
) -> Result<Arc<Listener>, ApplyError> {
    let Wanted { relay, listener, .. } = wanted;
    let socket = match answer {
        Some(Ok(socket)) => socket,
        Some(Err(error)) => return Err(control::refused(relay, listener, error)),
        None => return Err(control::silent(relay, listener)),
    };
    let opened = Listener::new(listeners.new_id(), socket, listener);
    let opened = opened.map_err(|source| ApplyError::Listener {
        relay: relay.name.clone(),
        address: listener.address.clone(),
        source,
    })?;
    let is_elsewhere = wanted.key.as_ref().is_some_and(|key| key.netns != opened.netns);
    // An inherited one is where it is.
    if is_elsewhere && !matches!(listener.address, Endpoint::Inherited(_)) {
        // The name has come to mean another one in between, which will be told in a moment.
        let moved = OpenError::missing(wanted.place.netns.clone(), io::ErrorKind::NotFound.into());
        return Err(control::refused(relay, listener, moved));
    }
    Ok(Arc::new(opened))
}
