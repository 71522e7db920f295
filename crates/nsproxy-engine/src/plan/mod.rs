//! What the engine is to do: listeners, the pools of servers behind them, and the limits. Plain data, made by whoever
//! embeds the engine; `nsproxy` makes it from a HAProxy-syntax configuration.

mod check;
mod health;
mod netns;
mod source;
mod tuning;

pub use check::PlanError;
pub use health::{CheckPlan, HealthPlan, HealthSource, ObservePlan};
pub use netns::{ListenerNetns, NetnsSet};
pub use source::{SourceAddress, SourcePlan};
pub use tuning::{KeepAlive, ListenerTuning, SocketBuffers};

use std::any::Any;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroI16, NonZeroU32};
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use netns_core::{NetnsPattern, NetnsSpec};

use crate::core::balance::{Algorithm, Share};
use crate::core::health::Spread;
use crate::core::rules::{Expression, Rules};
use crate::worker::SessionFacts;

/// Longest identifier of a session, in bytes: what the PROXY protocol allows (section 2.2.5 of the specification).
pub const UNIQUE_ID_LEN: usize = 128;

/// The usual [`RelayPlan::netns_removed_timeout`].
pub const NETNS_REMOVED_TIMEOUT: Duration = Duration::from_secs(5);

/// Everything that [`Handle::apply`](crate::Handle::apply) brings into being.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Rules: listeners and the pool that each relays to.
    pub relays: Vec<RelayPlan>,
    /// Groups of servers; [`RelayPlan::pool`] is an index into this list.
    pub pools: Vec<PoolPlan>,
    /// Namespaces that the NETNS TLV of a received PROXY header may select, by the very text written here, or by a name that
    /// matches.
    pub selectable: NetnsSet,
    /// How the checks of servers are spread over time.
    pub spread: Spread,
    /// Whether every namespace that the plan names has to be there when it is applied. Otherwise what is missing is waited for.
    pub strict_namespaces: bool,
}

/// One rule: what arrives at these listeners goes to that pool.
#[derive(Debug, Clone)]
pub struct RelayPlan {
    /// For logs and statistics.
    pub name: String,
    /// Where to listen.
    pub listeners: Vec<ListenerPlan>,
    /// Index into [`Plan::pools`].
    pub pool: usize,
    /// Inactivity of the client; zero is "never".
    pub client_timeout: Duration,
    /// Inactivity of a client that has ended, or was told that its server has; `None` is as before.
    pub client_half_closed_timeout: Option<Duration>,
    /// How long a session may go on once the namespace of its listener is gone; zero is "as long as it likes", and then it
    /// keeps the namespace alive.
    pub netns_removed_timeout: Duration,
    /// For a complete PROXY header; `None` takes [`RelayPlan::client_timeout`].
    pub header_timeout: Option<Duration>,
    /// Most sessions of this relay at a time; more wait in the kernel's backlog.
    pub max_sessions: Option<u32>,
    /// Most sessions of this relay that begin in a second; more wait there, too.
    pub max_session_rate: Option<NonZeroU32>,
    /// Whether the [`Observer`](crate::Observer) is told when a session begins and is connected, and can ask how long that
    /// took. Costs some memory for each session.
    pub followed: bool,
    /// What is decided of its connections, and which other pools they may go to.
    pub rules: Option<Arc<Rules>>,
    /// What gives each session an identifier, of which [`UNIQUE_ID_LEN`] bytes count. Implies `followed`.
    pub unique_id: Option<Arc<dyn Compose>>,
    /// What an observer, or [`RelayPlan::unique_id`], asks [`SessionFacts::logged`] for, by index.
    pub logged: Arc<[Expression]>,
    /// What the [`Observer`](crate::Observer) finds again in the facts of its sessions, also of those that go on when another
    /// plan is in force; see [`SessionFacts::attachment`]. The engine does nothing with it.
    pub attachment: Option<Arc<dyn Any + Send + Sync>>,
}

/// One place to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerPlan {
    /// Address to bind.
    pub address: Endpoint,
    /// Namespace to bind it in; `None` is the one that the engine was started in. While it is missing, the listener waits for it.
    /// Of an inherited socket, the namespace that it is in already: its connections belong there.
    pub netns: Option<ListenerNetns>,
    /// Whether each connection starts with a PROXY header.
    pub accept_proxy: bool,
    /// What the NETNS TLV of that header may do.
    pub netns_tlv: NetnsTlv,
    /// Whether to accept connections to addresses that this host does not have (`IP_TRANSPARENT`).
    pub transparent: bool,
    /// Whether one at all addresses of IPv6 (`::`) is for IPv6 only; `None` is as the namespace has it
    /// (`net.ipv6.bindv6only`). Without effect on others.
    pub only_v6: Option<bool>,
    /// The link of the namespace that connections have to come in by (`SO_BINDTODEVICE`).
    pub interface: Option<String>,
    /// Most sessions of this listener at a time; more wait in the kernel's backlog.
    pub max_sessions: Option<u32>,
    /// Its number, for rules.
    pub number: u32,
    /// Its name, for rules.
    pub name: Option<Arc<str>>,
    /// What its socket is like.
    pub tuning: ListenerTuning,
}

impl ListenerPlan {
    /// A listener at this address, in the namespace that the engine was started in, for connections without a header.
    pub const fn at(address: Endpoint) -> Self {
        Self {
            address,
            netns: None,
            accept_proxy: false,
            netns_tlv: NetnsTlv::Select {
                only: None,
                required: false,
            },
            transparent: false,
            only_v6: None,
            interface: None,
            max_sessions: None,
            number: 1,
            name: None,
            tuning: ListenerTuning {
                backlog: None,
                max_segment: None,
                user_timeout: None,
                defer_accept: false,
                fast_open: false,
                keep_alive: None,
                buffers: SocketBuffers {
                    receive: None,
                    send: None,
                },
            },
        }
    }
}

/// What the NETNS TLV of a received PROXY header may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetnsTlv {
    /// Select a namespace.
    Select {
        /// Of [`Plan::selectable`], only these; `None` is all of them.
        only: Option<Arc<NetnsSet>>,
        /// Whether a connection is closed when its header selects none, be it `LOCAL`, without the TLV, or with another name.
        required: bool,
    },
    /// Nothing, whatever it says: the listener's namespace applies.
    Ignore,
}

impl Default for NetnsTlv {
    fn default() -> Self {
        Self::Select {
            only: None,
            required: false,
        }
    }
}

/// An address of either kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Endpoint {
    /// TCP.
    Ip(SocketAddr),
    /// A unix stream socket in the file system; or, when it begins with a zero byte, one without a file, by all the bytes of
    /// its name (unix(7)).
    Unix(PathBuf),
    /// Only of a listener: the stream socket that the process was started with at this descriptor, wherever it is bound. It
    /// is duplicated, and never shut down, since other processes may share it. See [`ListenerStatus`](crate::ListenerStatus)
    /// for its address.
    Inherited(RawFd),
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Unix(path) => match path.as_os_str().as_bytes() {
                [0, name @ ..] => {
                    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
                    write!(f, "abns@{}", name.escape_ascii())
                }
                _ => path.display().fmt(f),
            },
            Self::Inherited(descriptor) => write!(f, "fd@{descriptor}"),
        }
    }
}

/// A group of servers that can stand in for each other.
#[derive(Debug, Clone)]
pub struct PoolPlan {
    /// For logs and statistics; with a server's name, the key of what outlives a plan.
    pub name: String,
    /// In the order in which algorithms look at them.
    pub servers: Vec<ServerPlan>,
    /// For the connection to be established; zero is "never".
    pub connect_timeout: Duration,
    /// Inactivity of the server; zero is "never".
    pub server_timeout: Duration,
    /// Inactivity of a server that has ended, or was told that its client has; `None` is as before.
    pub server_half_closed_timeout: Option<Duration>,
    /// Inactivity of either side, in the place of [`RelayPlan::client_timeout`] and [`PoolPlan::server_timeout`], once bytes
    /// are relayed.
    pub relaying_timeout: Option<Duration>,
    /// Whether, and how, silent servers are probed.
    pub keep_alive: Option<KeepAlive>,
    /// The kernel's buffers for connections to its servers, but for unix sockets.
    pub buffers: SocketBuffers,
    /// How long a session may go on once the namespace of its server is gone; zero is "as long as it likes".
    pub netns_removed_timeout: Duration,
    /// How sessions are spread, wait and are tried again.
    pub balance: Balancing,
    /// What [`Algorithm::Source`] hashes in the place of the client's address; without a value, the next server is taken.
    pub hash_key: Option<Expression>,
    /// What is decided of a session that has come to the pool by what its client sends: [`Rules::content`] and
    /// [`Rules::inspect`] count here.
    pub rules: Option<Arc<Rules>>,
}

/// How a pool spreads its sessions, how long they wait, and what follows a connection that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Balancing {
    /// How a server is chosen.
    pub algorithm: Algorithm,
    /// Whether all backups are used when no other server can be, or only the first.
    pub all_backups: bool,
    /// The pool's sessions, waiting ones included, at which a server with [`Share::min_sessions`] gets up to
    /// [`Share::max_sessions`]. `None`: always.
    pub full_at: Option<NonZeroU32>,
    /// How long a session waits for a server to have room; `None` takes [`PoolPlan::connect_timeout`].
    pub queue_timeout: Option<Duration>,
    /// Connection attempts after the first, each with [`PoolPlan::connect_timeout`] and a socket of its own.
    pub retries: u16,
    /// Every so many retries another server is tried, or counted back from the last one, which is -1; with algorithms that
    /// have no reason for a certain server, at each retry. `None` always stays with the server.
    pub redispatch: Option<NonZeroI16>,
}

/// One server.
#[derive(Debug, Clone)]
pub struct ServerPlan {
    /// Unique in its pool.
    pub name: String,
    /// Where it is.
    pub target: Target,
    /// Namespace that it is reached in.
    pub netns: UpstreamNetns,
    /// Where connections to it come from; `None` leaves it to the kernel.
    pub source: Option<SourcePlan>,
    /// The PROXY header that it gets.
    pub send_header: Option<HeaderPlan>,
    /// What it may get.
    pub share: Share,
    /// How it is found out whether it can be reached.
    pub health: HealthPlan,
}

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// At this address; without a port, at the port that the client connected to.
    Ip {
        /// Its address.
        address: IpAddr,
        /// Its port.
        port: Option<u16>,
    },
    /// At the address that the client connected to, as the PROXY header or the client's socket tells; with a port, there.
    ClientDestination {
        /// Port instead of the client's.
        port: Option<u16>,
    },
    /// So far from the port that the client connected to, at this address or at the one that the client connected to.
    Shifted {
        /// Its address.
        address: Option<IpAddr>,
        /// The distance. What comes out need not be a port.
        by: i32,
    },
    /// At this unix socket, as in [`Endpoint::Unix`].
    Unix(PathBuf),
    /// At the address of a host, which [`Handle::set_address`](crate::Handle::set_address) tells and may change. Without one
    /// the server is down.
    Host {
        /// The host's name. The engine does not look it up; a server that has the same one in the next plan, and is reached
        /// in the same namespace, keeps its address.
        name: String,
        /// Its port; `None` is the port that the client connected to.
        port: Option<u16>,
        /// The address to begin with.
        address: Option<IpAddr>,
    },
}

/// The namespace that a server is reached in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpstreamNetns {
    /// The one that the engine was started in.
    Default,
    /// This one, as its name is understood at the moment of each connection.
    Named(NetnsSpec),
    /// The client connection's; the default one when that has none.
    Client,
}

/// A PROXY header to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderPlan {
    /// The text form. Cannot carry a namespace.
    V1,
    /// The binary form, with the client connection's namespace in the NETNS TLV, and more on demand.
    V2(TlvPlan),
}

/// What a version 2 header carries besides addresses and the namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a TLV of its own")]
pub struct TlvPlan {
    /// A checksum of the header (CRC32C).
    pub checksum: bool,
    /// The TLVs of the header that the client's connection began with, byte for byte and in their order. Of the namespace it
    /// is still policy that decides, and a checksum among them is computed anew.
    pub received: bool,
    /// The host name that the client asked for (AUTHORITY): the one of the header that its connection began with, or else the server
    /// name of its TLS `ClientHello`, where that has come by then.
    pub authority: bool,
    /// The session's identifier (`UNIQUE_ID`), where [`RelayPlan::unique_id`] gives it one.
    pub unique_id: bool,
    /// Others, in this order.
    pub composed: Vec<ComposedTlv>,
}

/// A TLV whose value is made for each session.
#[derive(Debug, Clone)]
pub struct ComposedTlv {
    /// Its type.
    pub kind: u8,
    /// What makes its value.
    pub value: Arc<dyn Compose>,
}

/// Two are the same if the same thing makes their values.
impl PartialEq for ComposedTlv {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && Arc::ptr_eq(&self.value, &other.value)
    }
}

impl Eq for ComposedTlv {}

impl HeaderPlan {
    /// What its composed TLVs are made of.
    pub(crate) fn expressions(&self) -> impl Iterator<Item = &Expression> {
        let composed = match self {
            Self::V1 => &[][..],
            Self::V2(tlvs) => &tlvs.composed,
        };
        composed.iter().flat_map(|tlv| tlv.value.expressions())
    }
}

/// Makes a text about a session. Called on the worker threads: it must not block.
pub trait Compose: std::fmt::Debug + Send + Sync {
    /// Appends the text to `out`. The connection to the server is there; when it began is not known yet.
    fn compose(&self, facts: &SessionFacts<'_>, out: &mut Vec<u8>);

    /// What [`SessionFacts::value`] is asked for, so that it is there by then.
    fn expressions(&self) -> &[Expression] {
        &[]
    }
}

impl Endpoint {
    /// Whether the port is left to the kernel: there may be several of these in one place.
    pub(crate) fn is_any_port(&self) -> bool {
        matches!(self, Self::Ip(address) if address.port() == 0)
    }
}

impl Plan {
    /// Every namespace that it names.
    pub fn namespaces(&self) -> BTreeSet<&NetnsSpec> {
        let listeners = self.relays.iter().flat_map(|relay| &relay.listeners);
        let listeners = listeners.filter_map(|listener| listener.netns.as_ref()?.named());
        let servers = self.pools.iter().flat_map(|pool| &pool.servers);
        let servers = servers.flat_map(|server| {
            let connected = match &server.netns {
                UpstreamNetns::Named(netns) => Some(netns),
                UpstreamNetns::Default | UpstreamNetns::Client => None,
            };
            let checked = match &server.health.source {
                HealthSource::Checked(check) => check.netns.as_ref(),
                _ => None,
            };
            connected.into_iter().chain(checked)
        });
        listeners.chain(servers).chain(&self.selectable.specs).collect()
    }

    /// Every pattern of namespaces that it has.
    pub fn patterns(&self) -> impl Iterator<Item = &NetnsPattern> {
        let listeners = self.relays.iter().flat_map(|relay| &relay.listeners);
        let matching = listeners.filter_map(|listener| match &listener.netns {
            Some(ListenerNetns::Matching(pattern)) => Some(pattern),
            _ => None,
        });
        matching.chain(&self.selectable.patterns)
    }

    /// Whether a server is checked.
    pub fn has_checks(&self) -> bool {
        let mut servers = self.pools.iter().flat_map(|pool| &pool.servers);
        servers.any(|server| matches!(server.health.source, HealthSource::Checked(_)))
    }

    /// A plan of one relay from one listener to one server, with no timeout but one minute to connect, and a single
    /// attempt.
    pub fn forward(listener: ListenerPlan, server: ServerPlan, source: Option<SourcePlan>) -> Self {
        let source = source.or_else(|| server.source.clone());
        let name = format!("{} -> {}", listener.address, server.name);
        Self {
            relays: vec![RelayPlan {
                name,
                listeners: vec![listener],
                pool: 0,
                client_timeout: Duration::ZERO,
                client_half_closed_timeout: None,
                header_timeout: Some(Duration::from_secs(10)),
                netns_removed_timeout: NETNS_REMOVED_TIMEOUT,
                max_sessions: None,
                max_session_rate: None,
                followed: false,
                rules: None,
                unique_id: None,
                logged: Arc::default(),
                attachment: None,
            }],
            pools: vec![PoolPlan {
                name: "forward".to_owned(),
                servers: vec![ServerPlan { source, ..server }],
                connect_timeout: Duration::from_secs(60),
                server_timeout: Duration::ZERO,
                server_half_closed_timeout: None,
                relaying_timeout: None,
                keep_alive: None,
                buffers: SocketBuffers::default(),
                netns_removed_timeout: NETNS_REMOVED_TIMEOUT,
                balance: Balancing::default(),
                hash_key: None,
                rules: None,
            }],
            selectable: NetnsSet::default(),
            spread: Spread::default(),
            strict_namespaces: false,
        }
    }
}

/// A namespace as configured, shared by everything that refers to it; `None` is the default one.
pub(crate) type NetnsRef = Option<Arc<NetnsSpec>>;
