//! A checked configuration, as the plan of an engine.

mod health;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::num::{NonZeroI16, NonZeroU16, NonZeroU32};
use std::sync::Arc;
use std::time::Duration;

use netns_core::{NetnsName, NetnsPattern, NetnsSpec};
use nsproxy_config::model::{
    self, Backend, Balance, Bind, BindAddress, Config, Frontend, PortRule, ProxyHeader, Server,
    ServerAddress, ServerNetns, UseSource,
};
use nsproxy_engine::{
    Algorithm, Balancing, ComposedTlv, Endpoint, HashType, HeaderPlan, KeepAlive, ListenerNetns,
    ListenerPlan, ListenerTuning, NETNS_REMOVED_TIMEOUT, NetnsSet, NetnsTlv, Plan, PoolPlan, RelayPlan,
    ServerPlan, Share, SocketBuffers, SourceAddress, SourcePlan, Span, Spread, Target, TlvPlan,
    UpstreamNetns,
};

use crate::activation;
use crate::log::{SessionText, Text, Texts, host_name};
use crate::rules::{Pools, expression, rules};

/// The pool of frontends that have no backend. No backend can be called so.
pub(crate) const NOWHERE: &str = "<no backend>";

/// What the engine has to do for this configuration.
pub(crate) fn plan(config: &Config) -> Plan {
    let shared = Shared::of(config);
    let mut pools: Vec<_> = config
        .backends
        .iter()
        .map(|backend| pool(backend, &shared))
        .collect();
    // A frontend without a backend is allowed, and warned about: its connections find no server.
    let nowhere = pools.len();
    if config.frontends.iter().any(|frontend| frontend.backend.is_none()) {
        pools.push(PoolPlan {
            name: NOWHERE.to_owned(),
            servers: Vec::new(),
            connect_timeout: Duration::ZERO,
            server_timeout: Duration::ZERO,
            server_half_closed_timeout: None,
            relaying_timeout: None,
            keep_alive: None,
            buffers: SocketBuffers::default(),
            netns_removed_timeout: NETNS_REMOVED_TIMEOUT,
            balance: Balancing::default(),
            hash_key: None,
            rules: None,
        });
    }
    let listening = config
        .frontends
        .iter()
        .filter(|frontend| !frontend.binds.is_empty());
    Plan {
        relays: listening
            .map(|frontend| relay(frontend, nowhere, &shared))
            .collect(),
        pools,
        selectable: netns_set(&config.namespace_list, &config.namespace_patterns),
        strict_namespaces: config.global.strict_namespaces,
        spread: Spread {
            percent: config.global.spread_checks,
            longest: config.global.max_spread_checks.and_then(Span::from_duration),
        },
    }
}

/// What the proxies of a configuration have in common.
struct Shared<'c> {
    pools: Pools<'c>,
    host: Arc<str>,
    client_buffers: SocketBuffers,
    server_buffers: SocketBuffers,
}

impl<'c> Shared<'c> {
    fn of(config: &'c Config) -> Self {
        Self {
            pools: Pools::of(config),
            host: host_name(config).into(),
            client_buffers: buffers(config.global.client_buffers),
            server_buffers: buffers(config.global.server_buffers),
        }
    }
}

fn buffers(written: model::SocketBuffers) -> SocketBuffers {
    SocketBuffers {
        receive: written.receive,
        send: written.send,
    }
}

fn relay(frontend: &Frontend, nowhere: usize, shared: &Shared<'_>) -> RelayPlan {
    let texts = Texts::of(&frontend.logging);
    let logged = texts.logged.iter();
    RelayPlan {
        name: frontend.name.clone(),
        listeners: numbered(frontend, shared),
        pool: frontend.backend.map_or(nowhere, model::BackendId::index),
        client_timeout: frontend.timeouts.client.unwrap_or_default(),
        client_half_closed_timeout: frontend.timeouts.client_fin,
        header_timeout: frontend.timeouts.client_hs,
        netns_removed_timeout: frontend.timeouts.netns_removed.unwrap_or_default(),
        max_sessions: frontend.maxconn,
        max_session_rate: frontend.session_rate,
        // Of others, one line at their end is all that is said.
        followed: !frontend.logging.targets.is_empty(),
        rules: rules(&frontend.rules, None, &shared.pools),
        logged: logged.map(|written| expression(written, &shared.pools)).collect(),
        unique_id: texts
            .unique_id
            .map(|text| SessionText::shared(text, Arc::clone(&shared.host))),
        attachment: None,
    }
}

/// Where a `bind` line listens: one place for each port of a range.
pub(crate) fn endpoints(address: &BindAddress) -> Vec<Endpoint> {
    match address {
        BindAddress::Ip { .. } => address.socket_addrs().map(Endpoint::Ip).collect(),
        BindAddress::Unix(path) => vec![Endpoint::Unix(path.clone())],
        BindAddress::Abstract(name) => vec![Endpoint::Unix(name.sun_path())],
        BindAddress::Inherited(descriptor) => vec![Endpoint::Inherited(*descriptor)],
        BindAddress::Activated(name) => activation::named(name).map(Endpoint::Inherited).collect(),
    }
}

/// All listeners of a frontend. One without an `id` has its place among them as its number, or the next that is free.
fn numbered(frontend: &Frontend, shared: &Shared<'_>) -> Vec<ListenerPlan> {
    let given: BTreeSet<u32> = frontend
        .binds
        .iter()
        .filter_map(|bind| bind.id.map(u32::from))
        .collect();
    let mut next = 1;
    let mut all = Vec::new();
    for bind in &frontend.binds {
        for mut listener in listeners(bind, frontend, shared) {
            while bind.id.is_none() && given.contains(&next) {
                next += 1;
            }
            listener.number = bind.id.map_or(next, u32::from);
            next += 1;
            all.push(listener);
        }
    }
    all
}

/// One for each port of a range.
fn listeners(bind: &Bind, frontend: &Frontend, shared: &Shared<'_>) -> Vec<ListenerPlan> {
    let socket = &bind.socket;
    let netns_tlv = netns_tlv(&bind.netns_tlv);
    let listener = |address| ListenerPlan {
        address,
        netns: bind.netns.as_ref().map(|netns| match netns {
            model::BindNetns::Named(spec) => ListenerNetns::Named(spec.clone()),
            model::BindNetns::Matching(pattern) => ListenerNetns::Matching(pattern.clone()),
        }),
        accept_proxy: bind.accept_proxy,
        netns_tlv: netns_tlv.clone(),
        transparent: bind.transparent,
        only_v6: bind.only_v6,
        interface: socket.interface.clone(),
        max_sessions: socket.maxconn.map(NonZeroU32::get),
        // It depends on the others.
        number: 0,
        name: bind.name.as_deref().map(Arc::from),
        tuning: ListenerTuning {
            backlog: socket.backlog,
            max_segment: socket.mss,
            user_timeout: socket.tcp_ut,
            defer_accept: socket.defer_accept,
            fast_open: socket.tfo,
            keep_alive: frontend.keep_alive.map(keep_alive),
            buffers: shared.client_buffers,
        },
    };
    endpoints(&bind.address).into_iter().map(listener).collect()
}

fn keep_alive(written: model::KeepAlive) -> KeepAlive {
    KeepAlive {
        idle: written.idle,
        interval: written.interval,
        count: written.count,
    }
}

fn netns_tlv(policy: &model::NetnsTlv) -> NetnsTlv {
    match policy {
        model::NetnsTlv::Ignore => NetnsTlv::Ignore,
        model::NetnsTlv::Select { only, required } => NetnsTlv::Select {
            only: only
                .as_ref()
                .map(|only| Arc::new(netns_set(&only.names, &only.patterns))),
            required: *required,
        },
    }
}

/// As a header names them.
fn netns_set(names: &BTreeSet<NetnsName>, patterns: &BTreeSet<NetnsPattern>) -> NetnsSet {
    let specs = names.iter().filter_map(|name| NetnsSpec::new(name).ok());
    NetnsSet {
        specs: specs.collect(),
        patterns: patterns.clone(),
    }
}

fn pool(backend: &Backend, shared: &Shared<'_>) -> PoolPlan {
    PoolPlan {
        name: backend.name.clone(),
        servers: backend
            .servers
            .iter()
            .map(|line| server(backend, line, shared))
            .collect(),
        connect_timeout: backend.timeouts.connect.unwrap_or_default(),
        server_timeout: backend.timeouts.server.unwrap_or_default(),
        server_half_closed_timeout: backend.timeouts.server_fin,
        relaying_timeout: backend.timeouts.tunnel,
        keep_alive: backend.keep_alive.map(keep_alive),
        buffers: shared.server_buffers,
        netns_removed_timeout: backend.timeouts.netns_removed.unwrap_or_default(),
        balance: balancing(backend),
        hash_key: match &backend.balance {
            Balance::Hash(key) => Some(expression(key, &shared.pools)),
            _ => None,
        },
        rules: rules(&backend.rules, Some(&backend.name), &shared.pools),
    }
}

fn balancing(backend: &Backend) -> Balancing {
    Balancing {
        algorithm: match &backend.balance {
            Balance::RoundRobin => Algorithm::RoundRobin,
            Balance::StaticRoundRobin => Algorithm::StaticRoundRobin,
            Balance::LeastConn => Algorithm::LeastSessions,
            Balance::First => Algorithm::First,
            // What is hashed is the pool's key.
            Balance::Source | Balance::Hash(_) => Algorithm::Source(match backend.hash_type {
                model::HashType::MapBased => HashType::MapBased,
                model::HashType::Consistent => HashType::Consistent,
            }),
            Balance::Random(draws) => Algorithm::Random(*draws),
        },
        all_backups: backend.all_backups,
        full_at: backend.fullconn.and_then(NonZeroU32::new),
        queue_timeout: backend.timeouts.queue,
        retries: backend.retries,
        redispatch: backend.redispatch.and_then(NonZeroI16::new),
    }
}

fn server(backend: &Backend, server: &Server, shared: &Shared<'_>) -> ServerPlan {
    let send_header = server.send_proxy.as_ref().map(|line| header(line, shared));
    ServerPlan {
        name: server.name.clone(),
        target: match &server.address {
            ServerAddress::Ip { ip, port } => at(Some(*ip), *port),
            ServerAddress::Client { port } => at(None, *port),
            ServerAddress::Host(host) => Target::Host {
                name: host.name.clone(),
                port: match host.port {
                    PortRule::Fixed(port) => Some(port),
                    // A host has no port at a distance: the configuration would have been refused.
                    PortRule::Client | PortRule::Distance(_) => None,
                },
                address: None,
            },
            ServerAddress::Unix(path) => Target::Unix(path.clone()),
            ServerAddress::Abstract(name) => Target::Unix(name.sun_path()),
        },
        netns: match &server.netns {
            ServerNetns::Home => UpstreamNetns::Default,
            ServerNetns::Named(netns) => UpstreamNetns::Named(netns.clone()),
            ServerNetns::Client => UpstreamNetns::Client,
        },
        share: Share {
            weight: server.weight,
            backup: server.backup,
            disabled: server.disabled,
            max_sessions: server.maxconn,
            min_sessions: server.minconn,
            max_queue: server.maxqueue,
        },
        source: source(backend, server),
        health: health::health(backend, server, send_header.as_ref()),
        send_header,
    }
}

fn header(line: &ProxyHeader, shared: &Shared<'_>) -> HeaderPlan {
    match line {
        ProxyHeader::V1 => HeaderPlan::V1,
        ProxyHeader::V2 {
            crc32c,
            unique_id,
            authority,
            pass_proxy,
            composed,
        } => {
            let composed = composed.iter().map(|tlv| ComposedTlv {
                kind: tlv.kind,
                value: SessionText::shared(Text::asked(&tlv.value, &shared.pools), Arc::clone(&shared.host)),
            });
            HeaderPlan::V2(TlvPlan {
                checksum: *crc32c,
                received: *pass_proxy,
                authority: *authority,
                unique_id: *unique_id,
                composed: composed.collect(),
            })
        }
    }
}

/// Without an address: at the client's destination.
fn at(address: Option<IpAddr>, rule: PortRule) -> Target {
    let port = match rule {
        PortRule::Distance(by) => return Target::Shifted { address, by },
        PortRule::Fixed(port) => Some(port),
        PortRule::Client => None,
    };
    match address {
        Some(address) => Target::Ip { address, port },
        None => Target::ClientDestination { port },
    }
}

/// Where connections to a server come from: what its line says comes before what its backend does.
fn source(backend: &Backend, server: &Server) -> Option<SourcePlan> {
    let source = server.source.as_ref().or(backend.source.as_ref())?;
    let ports = source.ports.and_then(|ports| {
        let [first, last] = [ports.first(), ports.last()].map(NonZeroU16::new);
        first.zip(last)
    });
    let address = match source.usesrc {
        None if let Some((first, last)) = ports => SourceAddress::Ports {
            ip: source.address.ip(),
            first,
            last,
        },
        Some(UseSource::ClientIp) => SourceAddress::Client { with_port: false },
        Some(UseSource::Client) => SourceAddress::Client { with_port: true },
        Some(UseSource::Address(address)) => SourceAddress::Foreign(address),
        // `source 0.0.0.0` leaves it to the kernel.
        None if source.address.ip().is_unspecified() && source.address.port() == 0 => SourceAddress::Any,
        None => SourceAddress::Own(source.address),
    };
    Some(SourcePlan {
        address,
        interface: source.interface.as_deref().map(Arc::from),
    })
}
