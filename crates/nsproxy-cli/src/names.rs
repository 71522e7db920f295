//! Host names of servers: a resolver watches them, and the engine is told where they are.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use netns_core::{NetnsSpec, Root};
use nsproxy_config::Config;
use nsproxy_config::model::{self, Host, InitAddr, Server, ServerAddress, ServerNetns};
use nsproxy_engine::{Family, Handle, Plan, SocketKind, SocketRequest, Target};
use nsproxy_resolve::{
    Failure, Holds, HostName, Init, Missing, Network, Resolver, Servers, Source, Target as Watched, Transport,
};
use socket2::Socket;

use crate::log::Log;

/// The section that there always is.
const BUILT_IN: &str = "default";
/// How long the start waits for the first addresses. Servers without one are down until there is one.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same where some server has to have one for the start to go on.
const LONG_PATIENCE: Duration = Duration::from_secs(60);

/// The hosts of servers, and where they are.
pub(crate) struct Names {
    handle: Handle,
    log: Arc<Log>,
    /// Where the files are that say how names are looked up, if it is not the root directory of now.
    root: Option<Arc<Root>>,
    known: Arc<Mutex<Known>>,
    /// Started when there is the first name.
    resolver: Option<Resolver>,
    /// Of the configuration in force.
    targets: Hosts,
}

/// The hosts that a configuration has.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hosts(Vec<Watched>);

/// What is known of hosts, whichever configuration they are of.
#[derive(Debug, Default)]
struct Known {
    addresses: HashMap<Key, Option<IpAddr>>,
    /// Of the configuration in force: the engine knows only these.
    in_force: HashSet<Key>,
}

/// By backend and server, host and namespace.
type Key = (String, String, HostName, Option<NetnsSpec>);

impl Names {
    pub(crate) fn new(handle: Handle, log: Arc<Log>, root: Option<Arc<Root>>) -> Self {
        Self {
            handle,
            log,
            root,
            known: Arc::default(),
            resolver: None,
            targets: Hosts::default(),
        }
    }

    /// Looks up the names of a configuration, and waits a while for the first addresses, or until `goes_on` says otherwise. The
    /// engine is told nothing of them before [`Names::adopt`]; [`Names::restore`] goes back to those before.
    ///
    /// # Errors
    ///
    /// A server that must not begin without an address has none. Those before are watched again.
    pub(crate) fn look_up(&mut self, config: &Config, goes_on: impl Fn() -> bool) -> anyhow::Result<Hosts> {
        let hosts = Hosts(targets(config)?);
        if hosts.0.is_empty() {
            return Ok(hosts);
        }
        let patience = if hosts.0.iter().any(is_strict) {
            LONG_PATIENCE
        } else {
            PATIENCE
        };
        let resolver = match &self.resolver {
            Some(resolver) => resolver,
            None => self
                .resolver
                .insert(self.start().context("cannot look up host names")?),
        };
        let missing = resolver.watch(hosts.0.clone()).wait_while(patience, goes_on);
        if let Err(error) = accept(&missing) {
            self.restore();
            return Err(error);
        }
        Ok(hosts)
    }

    /// Puts what is known of the hosts into the plan of their configuration.
    pub(crate) fn fill(&self, hosts: &Hosts, plan: &mut Plan) {
        let known = lock(&self.known);
        let keys = hosts
            .0
            .iter()
            .map(|host| ((&*host.group, &*host.name), key(host)));
        let keys: HashMap<_, _> = keys.collect();
        for pool in &mut plan.pools {
            for server in &mut pool.servers {
                if let Target::Host { address, .. } = &mut server.target {
                    let key = keys.get(&(&*pool.name, &*server.name));
                    *address = key.and_then(|key| known.addresses.get(key).copied()).flatten();
                }
            }
        }
    }

    /// The plan of these hosts is in force: the engine is told what has changed since it was filled, and what changes from
    /// now on.
    pub(crate) fn adopt(&mut self, hosts: Hosts) {
        let mut known = lock(&self.known);
        let Known { addresses, in_force } = &mut *known;
        *in_force = hosts.0.iter().map(key).collect();
        addresses.retain(|key, _| in_force.contains(key));
        for ((backend, server, ..), address) in addresses {
            self.handle.set_address(backend, server, *address);
        }
        drop(known);
        if hosts.0.is_empty() {
            self.resolver = None;
        }
        self.targets = hosts;
    }

    /// The hosts of the configuration in force are watched, and no others.
    pub(crate) fn restore(&mut self) {
        if self.targets.0.is_empty() {
            self.resolver = None;
        } else if let Some(resolver) = &self.resolver {
            // Nobody waits: what was known of them is in force.
            drop(resolver.watch(self.targets.0.clone()));
        }
    }

    fn start(&self) -> io::Result<Resolver> {
        let sockets = Sockets(self.handle.clone());
        let (handle, known, log) = (
            self.handle.clone(),
            Arc::clone(&self.known),
            Arc::clone(&self.log),
        );
        Resolver::start(
            Box::new(sockets),
            self.root.clone(),
            move |target, address, failure| {
                let key = key(target);
                let mut known = lock(&known);
                if known.in_force.contains(&key) {
                    // Under the lock, so that the last word is the last one for the engine, too.
                    handle.set_address(&target.group, &target.name, address);
                }
                known.addresses.insert(key, address);
                drop(known);
                report(&log, target, address, failure);
            },
        )
    }
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

fn key(target: &Watched) -> Key {
    let Watched {
        group,
        name,
        host,
        netns,
        ..
    } = target;
    (group.clone(), name.clone(), host.clone(), netns.clone())
}

/// Whether a server must not begin without an address.
fn is_strict(target: &Watched) -> bool {
    let goes_on = |init: &Init| matches!(init, Init::None | Init::Address(_));
    !target.init.iter().any(goes_on)
}

/// Whether the start may go on without these addresses.
fn accept(missing: &Missing) -> anyhow::Result<()> {
    let failed = missing.failed.first();
    let failed = failed.map(|(target, failure)| (target, failure.to_string()));
    let undecided = missing.undecided.iter().find(|target| is_strict(target));
    let undecided = undecided.map(|target| (target, "its lookup has not ended".to_owned()));
    let Some((target, why)) = failed.or(undecided) else {
        return Ok(());
    };
    anyhow::bail!(
        "server {}/{}: `{}` has no address: {why}; with `none` in its `init-addr` it would be down until there is one",
        target.group,
        target.name,
        target.host
    );
}

fn report(log: &Log, target: &Watched, address: Option<IpAddr>, failure: Option<Failure>) {
    let Watched {
        group, name, host, ..
    } = target;
    let netns = target.netns.as_ref().map(|netns| format!(" in netns {netns}"));
    let netns = netns.unwrap_or_default();
    match (address, failure) {
        (Some(address), _) => log.server_is_found(
            group,
            format_args!("server {group}/{name}: {host} is {address}{netns}"),
        ),
        (None, Some(failure)) => log.server_is_lost(
            group,
            format_args!("server {group}/{name} is down: {host} has no address{netns}: {failure}"),
        ),
        (None, None) => log.server_is_lost(
            group,
            format_args!("server {group}/{name} is down: no address of {host}{netns} is left for it"),
        ),
    }
}

/// Sockets of the engine's opener.
struct Sockets(Handle);

impl nsproxy_resolve::Sockets for Sockets {
    fn open(&mut self, netns: Option<&NetnsSpec>, kind: nsproxy_resolve::SocketKind) -> io::Result<Socket> {
        let family = if kind.is_v6 { Family::Inet6 } else { Family::Inet };
        let request = SocketRequest {
            netns: netns.cloned().map(Arc::new),
            kind: if kind.is_stream {
                SocketKind::Upstream {
                    family,
                    source: None,
                    interface: None,
                }
            } else {
                SocketKind::Datagram { family }
            },
        };
        self.0.open(request).map_err(io::Error::other)
    }
}

/// Every server that is known by name.
fn targets(config: &Config) -> anyhow::Result<Vec<Watched>> {
    let sections = config.resolvers.iter();
    let mut known: HashMap<_, _> = sections
        .map(|section| (section.name.as_str(), Arc::new(servers(section))))
        .collect();
    known.entry(BUILT_IN).or_insert_with(|| Arc::new(built_in()));
    let mut targets = Vec::new();
    for backend in &config.backends {
        for server in &backend.servers {
            if let ServerAddress::Host(host) = &server.address {
                targets.push(target(&backend.name, server, host, &known)?);
            }
        }
    }
    Ok(targets)
}

fn target(
    backend: &str,
    server: &Server,
    host: &Host,
    known: &HashMap<&str, Arc<Servers>>,
) -> anyhow::Result<Watched> {
    let section = |name: &String| {
        let section = known.get(name.as_str()).cloned();
        section.with_context(|| format!("there is no `resolvers` section `{name}`"))
    };
    Ok(Watched {
        group: backend.to_owned(),
        name: server.name.clone(),
        host: HostName::new(&host.name)?,
        netns: match &server.netns {
            ServerNetns::Named(netns) => Some(netns.clone()),
            // A name cannot be looked up in the client's namespace: the configuration would have been refused.
            ServerNetns::Home | ServerNetns::Client => None,
        },
        source: match &host.resolvers {
            None => Source::System,
            Some(name) => Source::Servers(section(name)?),
        },
        prefer: match host.prefer {
            model::Family::Ipv4 => nsproxy_resolve::Family::V4,
            model::Family::Ipv6 => nsproxy_resolve::Family::V6,
        },
        networks: host
            .networks
            .iter()
            .map(|network| Network {
                address: network.address,
                bits: network.bits,
            })
            .collect(),
        shares_address: host.allow_dup_ip,
        init: host
            .init_addr
            .iter()
            .map(|init| match init {
                InitAddr::Last => Init::Last,
                InitAddr::Libc => Init::System,
                InitAddr::None => Init::None,
                InitAddr::Ip(ip) => Init::Address(*ip),
            })
            .collect(),
    })
}

/// What `resolvers default` stands for without a section of that name: the files of the namespace.
fn built_in() -> Servers {
    let nowhere = model::Place {
        file: "".into(),
        line: 0,
    };
    servers(&model::Resolvers {
        parse_resolv_conf: true,
        ..model::Resolvers::new(BUILT_IN.to_owned(), nowhere)
    })
}

/// A `resolvers` section.
fn servers(section: &model::Resolvers) -> Servers {
    let transport = |tcp| if tcp { Transport::Tcp } else { Transport::Udp };
    let nameservers = section.nameservers.iter();
    let hold = &section.hold;
    Servers {
        name: section.name.clone(),
        servers: nameservers
            .map(|server| (server.address, transport(server.tcp)))
            .collect(),
        resolv_conf: section.parse_resolv_conf,
        attempts: section.resolve_retries,
        retry: section.timeout_retry,
        again_found: match hold.valid {
            Duration::ZERO => section.timeout_resolve,
            valid => valid.min(section.timeout_resolve),
        },
        again_failed: section.timeout_resolve,
        payload: section.accepted_payload_size,
        holds: Holds {
            no_such_name: hold.nx,
            refused: hold.refused,
            timeout: hold.timeout,
            other: hold.other,
            obsolete: hold.obsolete,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(init: &[Init]) -> Watched {
        Watched {
            group: "b".to_owned(),
            name: "s".to_owned(),
            host: "db.example".parse().unwrap_or_else(|error| panic!("{error}")),
            netns: None,
            source: Source::System,
            prefer: nsproxy_resolve::Family::V4,
            networks: Vec::new(),
            shares_address: false,
            init: init.to_vec(),
        }
    }

    #[test]
    fn a_lookup_that_does_not_end_stops_the_start_where_there_must_be_an_address() {
        let mut undecided = Missing {
            undecided: vec![missing(&[Init::System, Init::None])],
            ..Missing::default()
        };
        assert!(accept(&undecided).is_ok());
        undecided.undecided.push(missing(&[Init::Last, Init::System]));
        let error = accept(&undecided).map_err(|error| error.to_string());
        let error = error.expect_err("one of them is strict");
        assert!(
            error.contains("server b/s: `db.example` has no address"),
            "{error}"
        );
    }
}
