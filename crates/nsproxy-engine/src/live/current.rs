//! What the plan in force says of listeners, kept for those that are opened later.

use std::collections::HashMap;
use std::sync::Arc;

use netns_core::{NetnsName, NetnsSpec};

use super::Told;
use crate::core::moment::Moment;
use crate::core::namespaces::{Condition, Namespaces, Step};
use crate::judge::asks_pool;
use crate::listeners::{Listener, ListenerKey};
use crate::plan::{ListenerNetns, ListenerPlan, NetnsRef, Plan, RelayPlan};
use crate::pool::Pool;
use crate::reconcile::{Leads, Wanted};
use crate::route::{Limits, Route, Selectable};

/// A plan, as far as listeners that come later need it.
#[derive(Debug, Default)]
pub(crate) struct Current {
    relays: Vec<(RelayPlan, Limits)>,
    pools: Arc<[Arc<Pool>]>,
    /// Something asks which addresses are local.
    pub(crate) asks_local: bool,
    /// The header for some server says how a pool stands.
    headers_ask: bool,
    selectable: Arc<Selectable>,
    /// The listeners that are in each namespace whose name matches, by relay and place in it.
    patterns: Vec<(usize, usize)>,
    pub(crate) namespaces: Namespaces<Arc<Place>>,
    /// Where the open ones of namespaces are in the registry.
    pub(crate) open: HashMap<Arc<Place>, ListenerKey>,
    /// Names of which it could not be found out where they lead.
    pub(crate) unsure: Vec<NetnsSpec>,
}

/// A listener of the plan in one namespace.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) relay: usize,
    /// Of those of the relay.
    pub(crate) listener: usize,
    pub(crate) netns: NetnsRef,
}

impl Current {
    pub(crate) fn new(plan: &Plan, pools: Arc<[Arc<Pool>]>, limits: impl Fn(&RelayPlan) -> Limits) -> Self {
        let relays = plan.relays.iter();
        let patterns = relays.clone().enumerate().flat_map(|(relay, plan)| {
            let listeners = plan.listeners.iter().enumerate();
            let matching =
                listeners.filter(|(_, listener)| matches!(listener.netns, Some(ListenerNetns::Matching(_))));
            matching.map(move |(listener, _)| (relay, listener))
        });
        Self {
            patterns: patterns.collect(),
            relays: relays.map(|relay| (relay.clone(), limits(relay))).collect(),
            asks_local: plan.asks_local(),
            headers_ask: pools.iter().any(|pool| asks_pool(pool.composed())),
            pools,
            selectable: Arc::new(Selectable::of(&plan.selectable)),
            ..Self::default()
        }
    }

    /// Takes in what was known under the plan before, and where the names of this one lead now.
    pub(crate) fn take_over(
        &mut self,
        plan: &Plan,
        before: &Self,
        leads: Leads,
        told: &mut Vec<Told>,
    ) -> Vec<Step<Arc<Place>>> {
        self.namespaces = before.namespaces.without_plan();
        for spec in plan.namespaces() {
            self.namespaces.plan(spec);
        }
        let mut steps = Vec::new();
        for (netns, lead) in leads {
            match lead {
                Ok(id) => {
                    let (change, mut follows) = self.namespaces.see(&netns, id);
                    steps.append(&mut follows);
                    // How names stand at the start is no news.
                    if let (Some(change), Some(_)) = (change, before.namespaces.lead(&netns)) {
                        let listeners = before.namespaces.listeners(&netns).count();
                        told.push(Told::Changed {
                            netns,
                            change,
                            listeners,
                        });
                    }
                }
                Err(error) => {
                    self.unsure.push(netns.clone());
                    told.push(Told::Unsure { netns, error });
                }
            }
        }
        steps
    }

    /// Takes in how the listeners in namespaces stand.
    pub(crate) fn hang(
        &mut self,
        wanted: Vec<Wanted<'_>>,
        opened: Vec<Option<Arc<Listener>>>,
        now: Moment,
        told: &mut Vec<Told>,
    ) {
        for (wanted, listener) in wanted.into_iter().zip(opened) {
            let Wanted {
                place,
                key,
                is_matched,
                failed,
                ..
            } = wanted;
            let Some(netns) = place.netns.clone() else {
                continue;
            };
            let condition = listener.map_or(Condition::Closed, |listener| Condition::Open(listener.netns));
            let slot = self
                .namespaces
                .add(&netns, Arc::clone(&place), condition, !is_matched);
            match (condition, key, failed) {
                (Condition::Open(_), Some(key), _) => drop(self.open.insert(place, key)),
                (_, Some(_), Some(error)) => {
                    let again = self.namespaces.on_failed(slot, now).as_duration();
                    told.extend(Told::failed(self, &place, error, Some(again)));
                }
                _ => {}
            }
        }
    }

    /// Whether a listener of another plan is being tried again under this one.
    pub(crate) fn is_failing(&self, other: &Plan, place: &Place) -> bool {
        let address = &other.relays[place.relay].listeners[place.listener].address;
        let hanging = place
            .netns
            .iter()
            .flat_map(|spec| self.namespaces.listeners(spec));
        let mut failing = hanging.filter(|(_, condition)| matches!(condition, Condition::Failing(_)));
        failing.any(|(place, _)| self.plan(place).address == *address)
    }

    /// What the relays have, by name.
    pub(crate) fn limits(&self) -> HashMap<&str, &Limits> {
        let relays = self.relays.iter();
        relays.map(|(relay, limits)| (&*relay.name, limits)).collect()
    }

    pub(crate) fn relay(&self, place: &Place) -> &RelayPlan {
        &self.relays[place.relay].0
    }

    pub(crate) fn plan(&self, place: &Place) -> &ListenerPlan {
        &self.relay(place).listeners[place.listener]
    }

    /// What sessions of this listener need to know.
    pub(crate) fn route(&self, place: &Place, listener: &Listener) -> Arc<Route> {
        let (relay, limits) = &self.relays[place.relay];
        let pool = Arc::clone(&self.pools[relay.pool]);
        let here = (self.plan(place), place.netns.clone());
        let route = Route::new(relay, here, listener, pool, limits.clone(), &self.selectable);
        let asks = self.headers_ask || asks_pool(&*relay.logged);
        let route = route.with_rules(relay.rules.as_ref(), &self.pools);
        Arc::new(if asks {
            route.with_pools(&self.pools)
        } else {
            route
        })
    }

    /// Whether a pattern of a listener matches this name.
    pub(crate) fn matches(&self, name: &NetnsName) -> bool {
        self.matching(name).next().is_some()
    }

    /// The listeners of patterns that are to be in the namespace of this name, and hang on it from now on. One that the plan
    /// has there by that very name, or by an earlier pattern, stands for those of others at its address.
    pub(crate) fn expand(&mut self, spec: &NetnsSpec) {
        let Some(name) = spec.name() else {
            return;
        };
        let netns = Arc::new(spec.clone());
        let matching: Vec<_> = self.matching(name).collect();
        for (relay, listener) in matching {
            let place = Place {
                relay,
                listener,
                netns: Some(Arc::clone(&netns)),
            };
            let address = &self.plan(&place).address;
            let is_taken = |other: &Arc<Place>| {
                **other == place || !address.is_any_port() && self.plan(other).address == *address
            };
            if !self.namespaces.listeners(spec).any(|(other, _)| is_taken(other)) {
                self.namespaces
                    .add(spec, Arc::new(place), Condition::Closed, false);
            }
        }
    }

    fn matching(&self, name: &NetnsName) -> impl Iterator<Item = (usize, usize)> {
        let patterns = self.patterns.iter().copied();
        patterns.filter(|(relay, listener)| {
            let netns = &self.relays[*relay].0.listeners[*listener].netns;
            matches!(netns, Some(ListenerNetns::Matching(pattern)) if pattern.matches(name))
        })
    }
}
