//! From the listeners that a plan wants to listening sockets: those that are there already, and those to be opened.

use std::collections::HashMap;
use std::sync::Arc;

use socket2::Socket;

use crate::control::{self, Control};
use crate::error::ApplyError;
use crate::listeners::{Listener, ListenerKey, ListenerRegistry};
use crate::opener::{OpenError, SocketKind, SocketRequest};
use crate::plan::{Endpoint, ListenerPlan, Plan, PlanError, RelayPlan};

/// A listener that a plan wants, and where that is.
pub(crate) struct Wanted<'a> {
    pub(crate) relay: &'a RelayPlan,
    pub(crate) listener: &'a ListenerPlan,
    pub(crate) key: ListenerKey,
    /// Whether it is open already.
    pub(crate) kept: bool,
}

/// Finds out which namespace each listener of the plan means now.
pub(crate) fn identify<'a>(plan: &'a Plan, control: &Control) -> Result<Vec<Wanted<'a>>, ApplyError> {
    let places: Vec<_> = plan
        .relays
        .iter()
        .flat_map(|relay| relay.listeners.iter().map(move |listener| (relay, listener)))
        .collect();
    let cookies = control.identify(&places)?;
    let mut taken: HashMap<_, u32> = HashMap::new();
    let wanted = places.into_iter().zip(cookies).map(|((relay, listener), netns)| {
        let count = taken.entry((netns, &listener.address)).or_default();
        let ordinal = std::mem::replace(count, *count + 1);
        let any_port = matches!(&listener.address, Endpoint::Ip(address) if address.port() == 0);
        if ordinal > 0 && !any_port {
            let (relay, address) = (relay.name.clone(), listener.address.clone());
            return Err(PlanError::DuplicateListener { relay, address }.into());
        }
        let key = ListenerKey {
            netns,
            address: listener.address.clone(),
            ordinal,
        };
        Ok(Wanted {
            relay,
            listener,
            key,
            kept: false,
        })
    });
    wanted.collect()
}

/// Keeps, or opens, the listening socket of each wanted place.
///
/// A socket whose option changes has to make way for the new one, which takes its address. Those come last: when anything
/// else fails, nothing has changed. Those that were shut are added to `made_way`, whatever the result: the workers have to be
/// told.
pub(crate) fn open(
    wanted: &mut [Wanted<'_>],
    control: &Control,
    listeners: &mut ListenerRegistry,
    made_way: &mut Vec<Arc<Listener>>,
) -> Result<Vec<Arc<Listener>>, ApplyError> {
    let mut opened: Vec<Option<Arc<Listener>>> = Vec::with_capacity(wanted.len());
    let (mut fresh, mut replacing) = (Vec::new(), Vec::new());
    for (index, wanted) in wanted.iter_mut().enumerate() {
        let there = listeners.get(&wanted.key);
        let same = there.filter(|there| there.has_options_of(wanted.listener));
        wanted.kept = same.is_some();
        opened.push(same.cloned());
        match (same, there) {
            (Some(_), _) => {}
            (None, Some(_)) => replacing.push(index),
            (None, None) => fresh.push(index),
        }
    }
    for indices in [fresh, replacing] {
        for index in &indices {
            if let Some(old) = listeners.remove(&wanted[*index].key) {
                old.shut();
                made_way.push(old);
            }
        }
        let requests = indices
            .iter()
            .map(|index| request(wanted[*index].listener))
            .collect();
        let answers = control.open(requests);
        // Each answer becomes a listener, also behind one that failed: a listener cleans up after itself.
        let made: Vec<_> = indices
            .iter()
            .zip(answers)
            .map(|(index, answer)| listener(&wanted[*index], answer, listeners))
            .collect();
        for (index, listener) in indices.into_iter().zip(made) {
            opened[index] = Some(listener?);
        }
    }
    Ok(opened.into_iter().flatten().collect())
}

/// Makes a listener that was kept what the plan wants it to be.
pub(crate) fn tune(wanted: &Wanted<'_>, listener: &Listener) -> Result<(), ApplyError> {
    let Wanted {
        relay,
        listener: plan,
        ..
    } = wanted;
    listener
        .tune(&plan.tuning)
        .map_err(|source| ApplyError::Listener {
            relay: relay.name.clone(),
            address: plan.address.clone(),
            source,
        })
}

pub(crate) fn request(plan: &ListenerPlan) -> SocketRequest {
    SocketRequest {
        netns: plan.netns.clone().map(Arc::new),
        kind: SocketKind::Listener {
            address: plan.address.clone(),
            transparent: plan.transparent,
            only_v6: plan.only_v6,
            interface: plan.interface.clone(),
            tuning: plan.tuning,
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
    opened.map(Arc::new).map_err(|source| ApplyError::Listener {
        relay: relay.name.clone(),
        address: listener.address.clone(),
        source,
    })
}
