//! TLVs whose values are made for each session: its identifier, and what a plan composes.

use std::sync::Arc;

use proxy_proto::TlvType;

use super::entry::Entry;
use super::resources::Resources;
use crate::plan::{HeaderPlan, UNIQUE_ID_LEN};

/// Those of a header for the server of this session.
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
