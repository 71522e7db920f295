//! TLVs whose values are made for each session: the name that its client asks for, its identifier, and what a plan composes.

use std::sync::Arc;

use proxy_proto::TlvType;

use super::entry::Entry;
use super::resources::Resources;
use crate::core::rules::Hello;
use crate::core::side::Side;
use crate::plan::{HeaderPlan, UNIQUE_ID_LEN};

/// Longest name of a host that is taken from what a client sends: there is none longer (RFC 1035, section 2.3.4).
const LONGEST_NAME: usize = 255;

/// Those of a header for the server of this session, for as long as that of its client is kept.
pub(super) fn tlvs(
    plan: &HeaderPlan,
    entry: &Entry,
    key: usize,
    resources: &mut Resources,
) -> Vec<(TlvType, Vec<u8>)> {
    let HeaderPlan::V2(plan) = plan else {
        return Vec::new();
    };
    let mut tlvs = Vec::new();
    let received = entry.received.as_ref();
    let received = received.and_then(|received| received.header.as_deref());
    let is_composed = || plan.composed.iter().any(|tlv| tlv.kind == TlvType::AUTHORITY.0);
    if plan.authority
        && !is_composed()
        && !names_a_host(received)
        && let Some(name) = server_name(entry.contents(Side::Downstream))
    {
        tlvs.push((TlvType::AUTHORITY, name));
    }
    if plan.unique_id
        && let Some(id) = unique_id(entry, key, resources)
    {
        tlvs.push((TlvType::UNIQUE_ID, id));
    }
    for tlv in &plan.composed {
        let mut value = Vec::new();
        tlv.value.compose(&resources.facts(entry, key), &mut value);
        tlvs.push((TlvType(tlv.kind), value));
    }
    tlvs
}

/// Whether a header has the name of a host, which comes first: who has sent it has seen more of the client.
fn names_a_host(received: Option<&[u8]>) -> bool {
    let parsed = received.and_then(|header| proxy_proto::parse(header).ok());
    parsed.is_some_and(|parsed| parsed.header.tlvs().any(|tlv| tlv.kind() == TlvType::AUTHORITY))
}

/// The server name of a TLS client's first bytes.
fn server_name(contents: &[u8]) -> Option<Vec<u8>> {
    let Hello::Message(message) = Hello::read(contents) else {
        return None;
    };
    let name = message.server_name()?;
    (name.len() <= LONGEST_NAME).then(|| name.to_vec())
}

/// The identifier of a session, if its relay gives it one. It stays the same from the first time on.
fn unique_id(entry: &Entry, key: usize, resources: &mut Resources) -> Option<Vec<u8>> {
    let compose = Arc::clone(entry.route.unique_id.as_ref()?);
    let facts = resources.facts(entry, key);
    if let Some(known) = facts.unique_id() {
        return Some(known.to_vec());
    }
    let mut id = Vec::new();
    compose.compose(&facts, &mut id);
    id.truncate(UNIQUE_ID_LEN);
    let (milestones, _) = resources.milestones(entry, key)?;
    milestones.identify(id.clone().into());
    Some(id)
}
