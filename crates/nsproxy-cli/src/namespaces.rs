//! Words of warning about namespaces that are not there, or will not be seen when they come. A listener waits for its own, and
//! says so itself, but a server's is looked up for each connection.

use std::collections::BTreeMap;
use std::fs;

use netns_core::{Netns, NetnsSpec, Registry};
use nsproxy_engine::{Plan, UpstreamNetns};

use crate::log;

/// Says which servers cannot be reached as things stand.
pub(crate) fn warn_about_missing(plan: &Plan) {
    let mut servers: BTreeMap<&NetnsSpec, Vec<&str>> = BTreeMap::new();
    for server in plan.pools.iter().flat_map(|pool| &pool.servers) {
        if let UpstreamNetns::Named(netns) = &server.netns {
            servers.entry(netns).or_default().push(&server.name);
        }
    }
    for (netns, servers) in servers {
        if let Err(error) = Netns::open(netns) {
            let servers = servers.join("`, `");
            let error = anyhow::Error::from(error);
            log::complain(&format!(
                "nsproxy: warning: connections to `{servers}` will fail until netns {netns} is there: {error:#}"
            ));
        }
    }
}

/// Says so if names that are given to namespaces later will not be seen: in the mounts of a service with its own.
pub(crate) fn warn_if_blind(plan: &Plan) {
    let has_name = plan.namespaces().into_iter().any(|spec| spec.name().is_some());
    if !has_name && plan.patterns().next().is_none() || are_mounts_its_own() != Some(true) {
        return;
    }
    // Without an answer there is nothing to warn of.
    if let Ok(sight) = Registry::system().sight()
        && let Some(text) = sight.warning()
    {
        log::complain(&format!(
            "nsproxy: warning: {text} (docs/operation.md, \"As a systemd service\", says what helps)"
        ));
    }
}

/// Whether this process has a mount namespace of its own, another one than the first process has; `None` if that may not be known.
pub(crate) fn are_mounts_its_own() -> Option<bool> {
    let mounts_of = |process: &str| fs::read_link(format!("/proc/{process}/ns/mnt")).ok();
    Some(mounts_of("self")? != mounts_of("1")?)
}
