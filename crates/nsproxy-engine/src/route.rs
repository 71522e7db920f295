//! What a session needs to know about where it came in: one value per listener and plan, shared by its sessions.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use netns_core::{NetnsId, NetnsName, NetnsPattern, NetnsSpec};

use crate::admission::{Gate, RateGate};
use crate::core::moment::Span;
use crate::core::rules::{Expression, Fetch, Rules};
use crate::core::session::Timeouts;
use crate::judge::{Judge, count_sessions};
use crate::listeners::{Listener, ListenerId};
use crate::plan::{Compose, Endpoint, ListenerPlan, NetnsRef, NetnsSet, NetnsTlv, RelayPlan};
use crate::pool::Pool;
use crate::routes::Routes;
use crate::tally::RelayTally;

/// Namespaces that a received header may select.
#[derive(Debug, Default)]
pub(crate) struct Selectable {
    /// By the bytes of the TLV.
    texts: HashMap<Vec<u8>, Arc<NetnsSpec>>,
    patterns: Vec<NetnsPattern>,
}

impl Selectable {
    pub(crate) fn of(set: &NetnsSet) -> Self {
        let texts = set
            .specs
            .iter()
            .map(|netns| (netns.to_string().into_bytes(), Arc::new(netns.clone())));
        Self {
            texts: texts.collect(),
            patterns: set.patterns.iter().cloned().collect(),
        }
    }

    fn find(&self, text: &[u8]) -> Option<Arc<NetnsSpec>> {
        if let Some(netns) = self.texts.get(text) {
            return Some(Arc::clone(netns));
        }
        if self.patterns.is_empty() {
            return None;
        }
        let name = NetnsName::from_bytes(text).ok()?;
        let matches = self.patterns.iter().any(|pattern| pattern.matches(&name));
        let spec = matches.then(|| NetnsSpec::try_from(name).ok()).flatten();
        spec.map(Arc::new)
    }
}

/// What observers ask for.
#[derive(Debug, Clone)]
pub(crate) struct Logged {
    pub(crate) expressions: Arc<[Expression]>,
    /// Some of that is there only until the connection to the server stands.
    pub(crate) is_fleeting: bool,
}

impl Logged {
    fn of(relay: &RelayPlan) -> Self {
        let is_fleeting = relay.logged.iter().any(|logged| logged.fetch.is_fleeting());
        Self {
            expressions: Arc::clone(&relay.logged),
            is_fleeting,
        }
    }

    fn asks_header(&self) -> bool {
        self.expressions
            .iter()
            .any(|logged| matches!(logged.fetch, Fetch::Tlv(_)))
    }
}

/// Everything about a listener that its sessions use.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub(crate) relay: String,
    /// The listener's namespace.
    pub(crate) netns: NetnsRef,
    /// Which one that is.
    pub(crate) netns_id: NetnsId,
    /// How long a session may go on once that is gone; `None` is for ever.
    pub(crate) netns_removed: Option<Span>,
    /// The address that the listener is bound to, with the port that it was given.
    pub(crate) address: Endpoint,
    pub(crate) accept_proxy: bool,
    pub(crate) timeouts: Timeouts,
    pub(crate) pool: Arc<Pool>,
    pub(crate) netns_tlv: NetnsTlv,
    selectable: Arc<Selectable>,
    /// The client's header is needed once it was read: a server may get its TLVs, or a rule ask for them.
    pub(crate) keeps_header: bool,
    pub(crate) listener: ListenerId,
    /// The listener's, for rules.
    pub(crate) number: u32,
    pub(crate) name: Option<Arc<str>>,
    /// The relay's own gate: its limit, or where it is followed or a rule asks for it, its count.
    pub(crate) gate: Option<Arc<Gate>>,
    pub(crate) rate: Option<Arc<RateGate>>,
    /// The listener's own gate, where it has a limit.
    pub(crate) listener_gate: Option<Arc<Gate>>,
    /// An observer wants to know how its sessions come along, or they have identifiers.
    pub(crate) followed: bool,
    /// The relay's rules, if it has any.
    pub(crate) judge: Option<Arc<Judge>>,
    /// The rules of its pool about sessions that are in there, if it has any.
    pub(crate) within: Option<Arc<Judge>>,
    pub(crate) unique_id: Option<Arc<dyn Compose>>,
    pub(crate) logged: Logged,
    /// What says which addresses are local, where anything asks.
    pub(crate) routes: Option<Arc<Routes>>,
    /// Of the plan, where an observer or a header for a server asks about one.
    pub(crate) pools: Option<Arc<[Arc<Pool>]>>,
    pub(crate) attachment: Option<Arc<dyn Any + Send + Sync>>,
    /// What is counted of the relay.
    pub(crate) tally: Arc<RelayTally>,
}

/// What all routes of a relay have, from one plan to the next: sessions of the plan before count, too.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    gate: Option<Arc<Gate>>,
    rate: Option<Arc<RateGate>>,
    /// What is counted of the relay.
    pub(crate) tally: Arc<RelayTally>,
}

impl Limits {
    /// `pools_count`: a rule of some pool asks for the sessions of the relay that it is reached by. `before`: what the relay of
    /// this name had in the plan before.
    pub(crate) fn of(relay: &RelayPlan, pools_count: bool, workers: usize, before: Option<&Self>) -> Self {
        let limit = relay.max_sessions.map(|limit| limit as usize);
        // One that never closes, for its count, where somebody wants to know it.
        let counted = relay.followed
            || relay.unique_id.is_some()
            || pools_count
            || relay
                .rules
                .as_deref()
                .is_some_and(|rules| count_sessions(rules.expressions()));
        let limit = limit.or_else(|| counted.then_some(usize::MAX));
        Self {
            gate: limit.map(|limit| match before.and_then(|before| before.gate.as_ref()) {
                Some(gate) => {
                    gate.set_limit(limit);
                    Arc::clone(gate)
                }
                None => Gate::new(limit),
            }),
            rate: relay
                .max_session_rate
                .map(|rate| match before.and_then(|before| before.rate.as_ref()) {
                    Some(gate) => {
                        gate.set_limit(rate);
                        Arc::clone(gate)
                    }
                    None => RateGate::new(rate),
                }),
            tally: before.map_or_else(
                || Arc::new(RelayTally::new(workers)),
                |before| Arc::clone(&before.tally),
            ),
        }
    }
}

impl Route {
    pub(crate) fn new(
        relay: &RelayPlan,
        (place, netns): (&ListenerPlan, NetnsRef),
        listener: &Listener,
        pool: Arc<Pool>,
        limits: Limits,
        selectable: &Arc<Selectable>,
    ) -> Self {
        let timeouts = Timeouts {
            header: relay.header_timeout.and_then(Span::from_duration),
            client: Span::from_duration(relay.client_timeout),
            client_half_closed: relay.client_half_closed_timeout.and_then(Span::from_duration),
            ..pool.timeouts
        };
        Self {
            keeps_header: pool.passes_tlvs(),
            relay: relay.name.clone(),
            netns,
            netns_id: listener.netns,
            netns_removed: Span::from_duration(relay.netns_removed_timeout),
            address: listener.bound.clone(),
            accept_proxy: place.accept_proxy,
            netns_tlv: place.netns_tlv.clone(),
            timeouts,
            pool,
            selectable: Arc::clone(selectable),
            listener: listener.id,
            number: place.number,
            name: place.name.clone(),
            gate: limits.gate,
            rate: limits.rate,
            listener_gate: listener.gate(place.max_sessions),
            followed: relay.followed || relay.unique_id.is_some(),
            unique_id: relay.unique_id.clone(),
            logged: Logged::of(relay),
            routes: listener.routes(),
            pools: None,
            attachment: relay.attachment.clone(),
            judge: None,
            within: None,
            tally: limits.tally,
        }
    }

    /// The same with the relay's rules, which may lead to others of these pools, and with those of its pool.
    pub(crate) fn with_rules(mut self, rules: Option<&Arc<Rules>>, pools: &Arc<[Arc<Pool>]>) -> Self {
        self.judge = Judge::of_relay(rules, &self, pools);
        self.within = Judge::within_pool(&self.pool, pools);
        let mut judges = self.judge.iter().chain(&self.within);
        self.keeps_header |= judges.any(|judge| judge.needs_header()) || self.logged.asks_header();
        self
    }

    /// The same with the pools of its plan, which an observer or a header for a server asks about.
    pub(crate) fn with_pools(self, pools: &Arc<[Arc<Pool>]>) -> Self {
        Self {
            pools: Some(Arc::clone(pools)),
            ..self
        }
    }

    /// The same, but to this pool, and with no more to decide than what its own rules say.
    pub(crate) fn to_pool(&self, pool: &Arc<Pool>, pools: &Arc<[Arc<Pool>]>) -> Self {
        let judge = Judge::of_pool(pool, pools);
        let within = Judge::within_pool(pool, pools);
        let mut judges = judge.iter().chain(&within);
        Self {
            keeps_header: pool.passes_tlvs()
                || judges.any(|judge| judge.needs_header())
                || self.logged.asks_header(),
            timeouts: Timeouts {
                header: self.timeouts.header,
                client: self.timeouts.client,
                client_half_closed: self.timeouts.client_half_closed,
                ..pool.timeouts
            },
            pool: Arc::clone(pool),
            judge,
            within,
            ..self.clone()
        }
    }

    /// The namespace that a received header may select by this name.
    pub(crate) fn selectable(&self, name: &[u8]) -> Option<Arc<NetnsSpec>> {
        let netns = self.selectable.find(name)?;
        let allowed = match &self.netns_tlv {
            NetnsTlv::Select { only: None, .. } => true,
            NetnsTlv::Select { only: Some(only), .. } => only.contains(&netns),
            NetnsTlv::Ignore => false,
        };
        allowed.then_some(netns)
    }
}
