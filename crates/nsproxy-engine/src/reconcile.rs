//! From the listeners that a plan wants to listening sockets: those that are there already, and those to be opened.

use std::collections::HashMap;
use std::sync::Arc;

use crate::control::{self, Control};
use crate::error::ApplyError;
use crate::listeners::{Listener, ListenerKey, ListenerRegistry};
use crate::opener::{SocketKind, SocketRequest};
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
pub(crate) fn open(
    wanted: &mut [Wanted<'_>],
    control: &Control,
    listeners: &mut ListenerRegistry,
) -> Result<Vec<Arc<Listener>>, ApplyError> {
    let mut known = Vec::with_capacity(wanted.len());
    let mut requests = Vec::new();
    for wanted in wanted.iter_mut() {
        let same = listeners
            .get(&wanted.key)
            .filter(|known| known.transparent == wanted.listener.transparent);
        wanted.kept = same.is_some();
        known.push(same.cloned());
        if same.is_none() {
            // The same place with another option: the old socket has to make way.
            if let Some(old) = listeners.remove(&wanted.key) {
                old.shut();
            }
            let ListenerPlan {
                address,
                netns,
                transparent,
                ..
            } = wanted.listener;
            let kind = SocketKind::Listener {
                address: address.clone(),
                transparent: *transparent,
            };
            requests.push(SocketRequest {
                netns: netns.clone().map(Arc::new),
                kind,
            });
        }
    }
    let mut answers = control.open(requests).into_iter();
    let opened = wanted
        .iter()
        .zip(known)
        .map(|(Wanted { relay, listener, .. }, known)| {
            if let Some(known) = known {
                return Ok(known);
            }
            let socket = match answers.next().flatten() {
                Some(Ok(socket)) => socket,
                Some(Err(error)) => return Err(control::refused(relay, listener, error)),
                None => return Err(control::silent(relay, listener)),
            };
            let opened = Listener::new(
                listeners.new_id(),
                socket,
                &listener.address,
                listener.transparent,
            );
            opened.map(Arc::new).map_err(|source| ApplyError::Listener {
                relay: relay.name.clone(),
                address: listener.address.clone(),
                source,
            })
        });
    opened.collect()
}
