//! A word of warning about namespaces that are not there: a listener waits for its own, and says so itself, but a server's is
//! looked up for each connection.

use std::collections::BTreeMap;

use netns_core::{Netns, NetnsSpec};
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
