//! What the tests of the engine share: an engine of one's own for each test, plans, and an observer that remembers.
#![allow(dead_code, reason = "each test program uses its own part of this")]

pub(crate) mod checks;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nsproxy_engine::{
    Balancing, CloseReason, Endpoint, Engine, Handle, InProcess, ListenerPlan, ListenerStatus, Notice,
    Observer, OpenerFactory, Plan, ServerPlan, ServerStatus, SessionSummary, Settings, SocketOpener, Stats,
    Target, UpstreamNetns,
};
use nsproxy_testkit::{Address, DEFAULT_DEADLINE, Listener, Peer, eventually};
use socket2::{Domain, Socket, Type};

/// A port of the kernel's choice.
pub(crate) const LOOPBACK: &str = "127.0.0.1:0";
/// The pool of a [`plan`].
pub(crate) const POOL: &str = "forward";

/// What a session was, kept.
#[derive(Debug, Clone)]
pub(crate) struct End {
    pub(crate) reason: CloseReason,
    pub(crate) server: Option<String>,
    pub(crate) client: Option<SocketAddr>,
    pub(crate) upstream: Option<SocketAddr>,
    pub(crate) client_netns: Option<String>,
    pub(crate) upstream_netns: Option<String>,
    pub(crate) bytes_up: u64,
    pub(crate) bytes_down: u64,
}

/// An observer that remembers.
#[derive(Debug, Default)]
pub(crate) struct Record {
    ends: Mutex<Vec<End>>,
    notices: Mutex<Vec<String>>,
}

impl Record {
    pub(crate) fn ends(&self) -> Vec<End> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn notices(&self) -> Vec<String> {
        self.notices
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Observer for Record {
    fn session_ended(&self, summary: &SessionSummary<'_>) {
        let end = End {
            reason: summary.reason,
            server: summary.server.map(str::to_owned),
            client: summary.client,
            upstream: summary.upstream,
            client_netns: summary.client_netns.map(ToString::to_string),
            upstream_netns: summary.upstream_netns.map(ToString::to_string),
            bytes_up: summary.bytes_up,
            bytes_down: summary.bytes_down,
        };
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).push(end);
    }

    fn notice(&self, notice: &Notice<'_>) {
        let text = format!("{notice:?}");
        self.notices
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(text);
    }
}

/// An engine with a plan, and what it has told.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) engine: Engine,
    pub(crate) handle: Handle,
    pub(crate) listeners: Vec<ListenerStatus>,
    pub(crate) record: Arc<Record>,
}

impl Relay {
    /// With two workers, as many sessions as there can be, and sockets made in place.
    pub(crate) fn start(plan: &Plan) -> Self {
        Self::start_with(&settings(2), Arc::new(InProcess), plan)
    }

    pub(crate) fn start_with(settings: &Settings, opener: Arc<dyn OpenerFactory>, plan: &Plan) -> Self {
        let record = Arc::<Record>::default();
        let engine = Engine::start(settings, opener, Arc::clone(&record) as Arc<dyn Observer>)
            .unwrap_or_else(|error| panic!("the engine does not start: {error}"));
        let handle = engine.handle();
        let listeners = handle
            .apply(plan)
            .unwrap_or_else(|error| panic!("the plan is refused: {error}"));
        Self {
            engine,
            handle,
            listeners,
            record,
        }
    }

    /// Where the first listener is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address_of(0)
    }

    pub(crate) fn address_of(&self, listener: usize) -> SocketAddr {
        match &self.listeners[listener].address {
            Endpoint::Ip(address) => *address,
            other => panic!("{other} is no address"),
        }
    }

    pub(crate) fn connect(&self) -> Peer {
        Peer::connect(self.address())
    }

    /// The name of the service that a new client meets.
    pub(crate) fn met(&self) -> String {
        let reply = self.connect().read_to_end(100);
        String::from_utf8(reply).unwrap_or_else(|error| panic!("{error}"))
    }

    pub(crate) fn server(&self, name: &str) -> ServerStatus {
        let servers = self.handle.servers();
        let server = servers.into_iter().find(|server| server.server == name);
        server.unwrap_or_else(|| panic!("there is no server {name}"))
    }

    pub(crate) fn stats(&self) -> Stats {
        self.handle.stats()
    }

    /// Waits until so many sessions have ended, and says how.
    pub(crate) fn ends(&self, count: usize) -> Vec<End> {
        eventually(DEFAULT_DEADLINE, "the sessions to end", || {
            let ends = self.record.ends();
            (ends.len() >= count).then_some(ends)
        })
    }

    /// How the only session has ended.
    pub(crate) fn end(&self) -> End {
        let mut ends = self.ends(1);
        assert_eq!(ends.len(), 1, "more than one session: {ends:?}");
        ends.remove(0)
    }

    /// Waits until nothing is in use any more.
    pub(crate) fn expect_idle(&self) {
        self.eventually("everything to be given back", |stats| {
            stats.sessions == 0
                && stats.pipes_in_use == 0
                && stats.buffers_in_use == 0
                && stats.timers_armed == 0
                && self.handle.sessions() == 0
                && self.handle.places_taken() == 0
        });
    }

    /// Waits until the counters are so.
    #[track_caller]
    pub(crate) fn eventually(&self, what: &str, so: impl Fn(&Stats) -> bool) {
        eventually(DEFAULT_DEADLINE, what, || so(&self.stats()).then_some(()));
    }
}

pub(crate) fn settings(workers: usize) -> Settings {
    Settings {
        workers: NonZeroUsize::new(workers),
        ..Settings::default()
    }
}

/// A listener on a port of the kernel's choice.
pub(crate) fn listener() -> ListenerPlan {
    listener_at(LOOPBACK)
}

pub(crate) fn listener_at(address: &str) -> ListenerPlan {
    let address = address
        .parse()
        .unwrap_or_else(|error| panic!("{address}: {error}"));
    ListenerPlan::at(Endpoint::Ip(address))
}

/// The same in a namespace.
pub(crate) fn in_netns(netns: &str, listener: ListenerPlan) -> ListenerPlan {
    let netns: netns_core::NetnsSpec = netns.parse().unwrap_or_else(|error| panic!("{netns}: {error}"));
    ListenerPlan {
        netns: Some(netns.into()),
        ..listener
    }
}

pub(crate) fn unix_listener(path: &Path) -> ListenerPlan {
    ListenerPlan {
        address: Endpoint::Unix(path.to_owned()),
        ..listener()
    }
}

pub(crate) fn server(address: &Address) -> ServerPlan {
    let target = match address {
        Address::Inet(address) => Target::Ip {
            address: address.ip(),
            port: Some(address.port()),
        },
        Address::Unix(path) => Target::Unix(path.clone()),
    };
    ServerPlan {
        source: None,
        name: "s".to_owned(),
        target,
        netns: UpstreamNetns::Default,
        send_header: None,
        share: nsproxy_engine::Share::default(),
        health: nsproxy_engine::HealthPlan::default(),
    }
}

pub(crate) fn named(name: &str, address: &Address) -> ServerPlan {
    ServerPlan {
        name: name.to_owned(),
        ..server(address)
    }
}

/// From a port of the kernel's choice to this server, without timeouts but a minute to connect.
pub(crate) fn plan(to: &Address) -> Plan {
    Plan::forward(listener(), server(to), None)
}

/// The same to these servers.
pub(crate) fn plan_of(servers: Vec<ServerPlan>, balance: Balancing) -> Plan {
    let mut plan = Plan::forward(listener(), servers[0].clone(), None);
    plan.pools[0].servers = servers;
    plan.pools[0].balance = balance;
    plan
}

/// An address at which nobody listens. The socket keeps it from others.
pub(crate) fn nobody() -> (Socket, Address) {
    let held = || -> std::io::Result<_> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
        let address = socket.local_addr()?.as_socket();
        Ok((socket, address))
    };
    match held() {
        Ok((socket, Some(address))) => (socket, Address::Inet(address)),
        other => panic!("no address: {other:?}"),
    }
}

/// An engine that relays to this address.
pub(crate) fn relay_to(address: &Address) -> Relay {
    Relay::start(&plan(address))
}

/// A relayed connection: an engine, and both of its ends.
pub(crate) fn relayed() -> (Relay, Peer, Peer) {
    let origin = Listener::bind(LOOPBACK);
    let relay = relay_to(origin.address());
    let client = relay.connect();
    let server = origin.accept();
    (relay, client, server)
}

/// Sockets made in place, and nobody who tells when a namespace goes.
#[derive(Debug)]
pub(crate) struct Unwatched;

impl OpenerFactory for Unwatched {
    fn opener(&self, stock: usize) -> std::io::Result<Box<dyn SocketOpener>> {
        InProcess.opener(stock)
    }
}

/// A short time for what must not happen.
pub(crate) const A_WHILE: Duration = Duration::from_millis(150);

/// An error and its causes, as a program shows them.
pub(crate) fn whole(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
