//! What a session needs to know about where it came in: one value per listener and plan, shared by its sessions.

use std::collections::HashMap;
use std::sync::Arc;

use netns_core::NetnsSpec;

use crate::admission::Gate;
use crate::core::moment::Span;
use crate::core::session::Timeouts;
use crate::plan::{Endpoint, ListenerPlan, NetnsRef, RelayPlan};
use crate::pool::Pool;

/// Namespaces that a received header may select, by the bytes of the TLV.
pub(crate) type Selectable = HashMap<Vec<u8>, Arc<NetnsSpec>>;

/// Everything about a listener that its sessions use.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub(crate) struct Route {
    pub(crate) relay: String,
    /// The listener's namespace.
    pub(crate) netns: NetnsRef,
    /// The address that the listener is bound to, with the port that it was given.
    pub(crate) address: Endpoint,
    pub(crate) accept_proxy: bool,
    pub(crate) transparent: bool,
    pub(crate) timeouts: Timeouts,
    pub(crate) pool: Arc<Pool>,
    pub(crate) selectable: Arc<Selectable>,
    /// A server may get the TLVs of the client's header.
    pub(crate) passes_tlvs: bool,
    /// The relay's own gate: its limit, or where it is followed, its count.
    pub(crate) gate: Option<Arc<Gate>>,
    /// An observer wants to know how its sessions come along.
    pub(crate) followed: bool,
}

impl Route {
    pub(crate) fn new(
        relay: &RelayPlan,
        listener: &ListenerPlan,
        address: Endpoint,
        pool: Arc<Pool>,
        selectable: Arc<Selectable>,
        gate: Option<Arc<Gate>>,
    ) -> Self {
        let timeouts = Timeouts {
            header: relay.header_timeout.and_then(Span::from_duration),
            client: Span::from_duration(relay.client_timeout),
            ..pool.timeouts
        };
        Self {
            passes_tlvs: pool.passes_tlvs(),
            relay: relay.name.clone(),
            netns: listener.netns.clone().map(Arc::new),
            address,
            accept_proxy: listener.accept_proxy,
            transparent: listener.transparent,
            timeouts,
            pool,
            selectable,
            gate,
            followed: relay.followed,
        }
    }
}
