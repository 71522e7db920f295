//! Proxies and servers in the order of the configuration, with the numbers that HAProxy gives them: a `listen` section is one
//! proxy, and the first proxy has number 2.

use std::collections::HashMap;
use std::net::IpAddr;

use nsproxy_config::Config;
use nsproxy_config::model::{Backend, Frontend, HealthSource, Server};

/// Number of the first proxy.
const FIRST: u32 = 2;

/// What the configuration in force has.
#[derive(Debug, Default)]
pub(super) struct Directory {
    pub(super) proxies: Vec<Proxy>,
}

/// A frontend, a backend, or both.
#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) id: u32,
    pub(super) name: String,
    pub(super) front: Option<Front>,
    pub(super) back: Option<Back>,
}

/// What is told of a frontend.
#[derive(Debug)]
pub(super) struct Front {
    pub(super) limit: u64,
    pub(super) rate_limit: u64,
}

/// What is told of a backend.
#[derive(Debug)]
pub(super) struct Back {
    pub(super) fullconn: u64,
    pub(super) algorithm: &'static str,
    pub(super) servers: Vec<ServerEntry>,
}

/// What is told of a server.
#[derive(Debug)]
pub(super) struct ServerEntry {
    pub(super) name: String,
    /// `rise` and `fall`, of one that is checked.
    pub(super) check: Option<(u32, u32)>,
    /// Where it is checked, if that is elsewhere.
    pub(super) check_port: u16,
    pub(super) check_address: Option<IpAddr>,
}

impl Directory {
    /// Where a frontend has no limit of its own, `max_sessions` is it.
    pub(super) fn of(config: &Config, max_sessions: usize) -> Self {
        let frontends = config.frontends.iter();
        let mut fronts: HashMap<_, _> = frontends
            .map(|frontend| ((&frontend.name, &frontend.place), front(frontend, max_sessions)))
            .collect();
        let mut proxies: Vec<_> = config
            .backends
            .iter()
            .map(|backend| {
                let front = fronts.remove(&(&backend.name, &backend.place));
                (&backend.place, &backend.name, front, Some(back(backend)))
            })
            .collect();
        let alone = fronts.into_iter();
        proxies.extend(alone.map(|((name, place), front)| (place, name, Some(front), None)));
        proxies.sort_by(|(a, ..), (b, ..)| (&a.file, a.line).cmp(&(&b.file, b.line)));
        let proxies = (FIRST..).zip(proxies).map(|(id, (_, name, front, back))| Proxy {
            id,
            name: name.clone(),
            front,
            back,
        });
        Self {
            proxies: proxies.collect(),
        }
    }

    /// The proxy with this name that has a backend.
    pub(super) fn backend(&self, name: &str) -> Option<(&Proxy, &Back)> {
        self.backends().find(|(proxy, _)| proxy.name == name)
    }

    /// Whether this server is checked at the port that its sessions go to.
    pub(super) fn is_checked_at_its_port(&self, (backend, server): (&str, &str)) -> bool {
        let backend = self.backend(backend).map(|(_, back)| back);
        let mut servers = backend.iter().flat_map(|back| &back.servers);
        servers.any(|entry| entry.name == server && entry.check.is_some() && entry.check_port == 0)
    }

    /// All that have a backend.
    pub(super) fn backends(&self) -> impl Iterator<Item = (&Proxy, &Back)> {
        let proxies = self.proxies.iter();
        proxies.filter_map(|proxy| Some((proxy, proxy.back.as_ref()?)))
    }
}

fn front(frontend: &Frontend, max_sessions: usize) -> Front {
    Front {
        limit: frontend.maxconn.map_or(max_sessions as u64, u64::from),
        rate_limit: frontend.session_rate.map_or(0, |rate| u64::from(rate.get())),
    }
}

fn back(backend: &Backend) -> Back {
    Back {
        fullconn: backend.fullconn.map_or(0, u64::from),
        algorithm: backend.balance.name(),
        servers: backend.servers.iter().map(server).collect(),
    }
}

fn server(server: &Server) -> ServerEntry {
    let check = match &server.health.source {
        HealthSource::Check(check) => Some(check),
        _ => None,
    };
    ServerEntry {
        name: server.name.clone(),
        check: check.map(|check| (check.rise.get(), check.fall.get())),
        check_port: check.and_then(|check| check.port).unwrap_or(0),
        check_address: check.and_then(|check| check.address),
    }
}
