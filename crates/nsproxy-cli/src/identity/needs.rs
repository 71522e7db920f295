//! Which capabilities a plan needs once it has begun, and what for.
//!
//! Listeners in the namespace that nsproxy runs in are open by then, and stay. One in another namespace is opened anew whenever
//! that comes: so what it takes to open it is kept. The namespace of a process is the exception, which never comes again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use netns_core::NetnsSpec;
use nsproxy_config::model::Capability;
use nsproxy_engine::{
    Endpoint, HealthSource, ListenerNetns, ListenerPlan, Plan, PoolPlan, RelayPlan, ServerPlan,
    SourceAddress, UpstreamNetns,
};

/// Ports below this one are for the privileged, unless `ip_unprivileged_port_start` says otherwise (ip(7)).
const UNPRIVILEGED: u16 = 1024;

/// Capabilities, each with what it is needed for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Needs(BTreeMap<Capability, String>);

impl Needs {
    /// What the plan needs while it runs, and what is to be kept besides.
    pub(super) fn of(plan: &Plan, besides: &BTreeSet<Capability>) -> Self {
        let mut needs = Self::default();
        let follows = clients_have_namespaces(plan);
        for pool in &plan.pools {
            for server in &pool.servers {
                needs.server(pool, server, follows.as_ref());
                needs.source(pool, server);
            }
        }
        for relay in &plan.relays {
            for listener in &relay.listeners {
                needs.listener(relay, listener);
            }
        }
        for capability in besides {
            needs.add(*capability, || "(`setcap`)".to_owned());
        }
        needs
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Capability, &str)> {
        self.0
            .iter()
            .map(|(capability, reason)| (*capability, reason.as_str()))
    }

    /// The first reason is the one that is told.
    fn add(&mut self, capability: Capability, reason: impl FnOnce() -> String) {
        self.0.entry(capability).or_insert_with(reason);
    }

    fn server(&mut self, pool: &PoolPlan, server: &ServerPlan, follows: Option<&Vec<&NetnsSpec>>) {
        let shown = || format!("for server `{}/{}`", pool.name, server.name);
        let connected = match (&server.netns, follows) {
            (UpstreamNetns::Default, _) | (UpstreamNetns::Client, None) => None,
            (UpstreamNetns::Client, Some(theirs)) => Some(theirs.clone()),
            (UpstreamNetns::Named(netns), _) => Some(vec![netns]),
        };
        let checked = match &server.health.source {
            HealthSource::Checked(check) => check.netns.as_ref(),
            _ => None,
        };
        if connected.is_none() && checked.is_none() {
            return;
        }
        let mut netns = connected.into_iter().flatten().chain(checked);
        self.add(Capability::SysAdmin, || {
            format!("to enter namespaces {}", shown())
        });
        if netns.any(is_of_a_process) {
            self.add(Capability::SysPtrace, || {
                format!("to find the namespace of a process {}", shown())
            });
        }
    }

    fn listener(&mut self, relay: &RelayPlan, listener: &ListenerPlan) {
        let comes_again = match &listener.netns {
            None => false,
            Some(ListenerNetns::Named(netns)) => !is_of_a_process(netns),
            Some(ListenerNetns::Matching(_)) => true,
        };
        if !comes_again {
            return;
        }
        let shown = || format!("for `{}`, whose namespace may come later", relay.name);
        self.add(Capability::SysAdmin, || {
            format!("to enter namespaces {}", shown())
        });
        if let Endpoint::Ip(address) = &listener.address {
            if (1..UNPRIVILEGED).contains(&address.port()) {
                self.add(Capability::NetBindService, || {
                    format!("to listen at ports below {UNPRIVILEGED} {}", shown())
                });
            }
            if listener.transparent {
                self.add(Capability::NetRaw, || format!("for `transparent` {}", shown()));
            }
        }
    }

    fn source(&mut self, pool: &PoolPlan, server: &ServerPlan) {
        let shown = || format!("in backend `{}`", pool.name);
        let (port, is_foreign) = match server.source.as_ref().map(|source| source.address) {
            Some(SourceAddress::Client { with_port }) => {
                if with_port {
                    self.add(Capability::NetBindService, || {
                        format!("for clients with ports below {UNPRIVILEGED} {}", shown())
                    });
                }
                (0, true)
            }
            Some(SourceAddress::Own(source)) => (source.port(), false),
            // The lowest one takes most privilege.
            Some(SourceAddress::Ports { first, .. }) => (first.get(), false),
            Some(SourceAddress::Foreign(source)) => (source.port(), true),
            Some(SourceAddress::Any) | None => (0, false),
        };
        if is_foreign {
            self.add(Capability::NetRaw, || format!("for `usesrc` {}", shown()));
        }
        if (1..UNPRIVILEGED).contains(&port) {
            self.add(Capability::NetBindService, || format!("for `source` {}", shown()));
        }
    }
}

/// The namespaces that clients' connections may belong to, without those that patterns match; `None` when all are in the default
/// one.
fn clients_have_namespaces(plan: &Plan) -> Option<Vec<&NetnsSpec>> {
    let listeners = plan.relays.iter().flat_map(|relay| &relay.listeners);
    let theirs: Vec<_> = listeners
        .filter_map(|listener| listener.netns.as_ref()?.named())
        .chain(&plan.selectable.specs)
        .collect();
    (!theirs.is_empty() || plan.patterns().next().is_some()).then_some(theirs)
}

/// Whether the namespace is found by way of a process of, perhaps, another user.
fn is_of_a_process(netns: &NetnsSpec) -> bool {
    netns.pid().is_some()
        || netns
            .path()
            .is_some_and(|path| path.starts_with(Path::new("/proc")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The capabilities that a configuration needs.
    fn needs(text: &str) -> String {
        let source = nsproxy_config::Source::new("test.cfg", text);
        let loaded =
            nsproxy_config::parse(vec![source], &|_| None).unwrap_or_else(|report| panic!("{report}"));
        let plan = crate::plan::plan(&loaded.config);
        let needs = Needs::of(&plan, &loaded.config.global.setcap);
        let all: Vec<_> = needs.iter().map(|(capability, _)| capability.name()).collect();
        all.join(" ")
    }

    #[test]
    fn a_relay_within_the_default_namespace_needs_nothing() {
        assert_eq!(
            needs("listen l\n bind :80 transparent\n server s 10.0.0.1:80\n"),
            ""
        );
        assert_eq!(needs("listen l\n bind :80\n server s * namespace *\n"), "");
    }

    #[test]
    fn a_listener_needs_what_it_takes_to_open_it_when_its_namespace_comes() {
        let with = |bind: &str| needs(&format!("listen l\n bind {bind}\n server s 10.0.0.1:80\n"));
        assert_eq!(with(":8080 namespace blue"), "cap_sys_admin");
        assert_eq!(with(":80 namespace blue"), "cap_net_bind_service cap_sys_admin");
        assert_eq!(
            with(":8080 namespace /run/netns/blue transparent"),
            "cap_net_raw cap_sys_admin"
        );
        // It is open already, and goes with the process for good.
        assert_eq!(with(":80 namespace pid:1"), "");
        assert_eq!(with(":80 namespace /proc/1/ns/net"), "");
    }

    #[test]
    fn a_server_in_a_namespace_needs_the_way_there() {
        assert_eq!(
            needs("listen l\n bind :80\n server s 10.0.0.1:80 namespace blue\n"),
            "cap_sys_admin"
        );
        for netns in ["pid:1", "/proc/1/ns/net"] {
            assert_eq!(
                needs(&format!(
                    "listen l\n bind :80\n server s 10.0.0.1:80 namespace {netns}\n"
                )),
                "cap_sys_admin cap_sys_ptrace"
            );
        }
    }

    #[test]
    fn a_check_in_a_namespace_needs_the_way_there() {
        assert_eq!(
            needs("listen l\n bind :80\n server s 10.0.0.1:80 check check-namespace pid:1\n"),
            "cap_sys_admin cap_sys_ptrace"
        );
    }

    #[test]
    fn a_server_that_follows_needs_what_its_clients_namespaces_need() {
        assert_eq!(
            needs("listen l\n bind :8080 namespace blue\n server s * namespace *\n"),
            "cap_sys_admin"
        );
        assert_eq!(
            needs("listen l\n bind :80 namespace pid:1\n server s * namespace *\n"),
            "cap_sys_admin cap_sys_ptrace"
        );
        assert_eq!(
            needs(
                "namespace_list\n namespace blue\nlisten l\n bind :80 accept-proxy\n server s * namespace *\n"
            ),
            "cap_sys_admin"
        );
    }

    #[test]
    fn foreign_and_low_sources_need_their_own() {
        let with = |source| {
            needs(&format!(
                "listen l\n bind :80\n source {source}\n server s 10.0.0.1:80\n"
            ))
        };
        assert_eq!(with("10.0.0.2"), "");
        assert_eq!(with("10.0.0.2:1024"), "");
        assert_eq!(with("10.0.0.2:1023"), "cap_net_bind_service");
        assert_eq!(with("0.0.0.0 usesrc clientip"), "cap_net_raw");
        assert_eq!(with("0.0.0.0 usesrc client"), "cap_net_bind_service cap_net_raw");
        assert_eq!(with("0.0.0.0 usesrc 10.9.9.9"), "cap_net_raw");
        assert_eq!(with("0.0.0.0 interface eth0"), "");
        assert_eq!(
            needs("listen l\n bind :80\n server s 10.0.0.1:80 source 10.0.0.2:1 usesrc clientip check\n"),
            "cap_net_raw"
        );
    }

    #[test]
    fn setcap_adds_to_it() {
        assert_eq!(
            needs("global\n setcap cap_net_admin\nlisten l\n bind :80\n server s 10.0.0.1:80\n"),
            "cap_net_admin"
        );
    }
}
