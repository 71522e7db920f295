//! What a configuration means: plain data, in which every value is valid.
//!
//! A plan for the engine is made from it. Namespaces are named here and not opened: whether they exist is
//! known only when the configuration runs. `listen` sections appear as a frontend and a backend.

mod abstract_name;
mod admin;
mod bind;
mod bind_netns;
mod check;
mod global;
mod identity;
mod netns_tlv;
mod resolvers;
mod rules;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use netns_core::{NetnsName, NetnsPattern, NetnsSpec};
use serde::Serialize;

use crate::json;

pub use self::abstract_name::AbstractName;
pub use self::admin::{Admin, AdminLevel, AdminSocket};
pub use self::bind::{Bind, BindAddress, BindSocket, KeepAlive, PortRange, SocketBuffers};
pub use self::bind_netns::BindNetns;
pub use self::global::{Global, HostName};
pub use self::identity::{Account, Capability};
pub use self::netns_tlv::{NetnsNames, NetnsTlv};
pub use self::resolvers::{Family, Hold, Host, InitAddr, Nameserver, Network, Resolvers};
pub use crate::logs::{Format, LogTarget, Logging};
pub use crate::source::Place;
pub use check::*;
pub use rules::{
    Acl, AclId, Action, Condition, Converter, Expression, Fetch, Method, PatternFile, Patterns, PayloadFrom,
    Peer, Rule, Rules, ServerRef, Subject, Term, Test, UseBackend, UseServer,
};

/// A whole configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Config {
    /// The `global` section.
    pub global: Global,
    /// The namespaces that a received NETNS TLV may select. Names only, since that is what a header carries.
    #[serde(serialize_with = "json::texts")]
    pub namespace_list: BTreeSet<NetnsName>,
    /// The patterns of that list: it holds every name that matches one.
    #[serde(serialize_with = "json::texts")]
    pub namespace_patterns: BTreeSet<NetnsPattern>,
    /// The `resolvers` sections, in the order of the text.
    pub resolvers: Vec<Resolvers>,
    /// In the order of the text.
    pub frontends: Vec<Frontend>,
    /// In the order of the text. Backends that nothing uses are among them.
    pub backends: Vec<Backend>,
}

impl Config {
    /// The backend with this id.
    ///
    /// # Panics
    ///
    /// When the id is of another configuration and this one has fewer backends.
    pub fn backend(&self, id: BackendId) -> &Backend {
        &self.backends[id.0]
    }

    /// True when the two differ at most in where things are written.
    pub fn means_the_same_as(&self, other: &Self) -> bool {
        self.without_places() == other.without_places()
    }

    /// The same with one place for everything.
    fn without_places(&self) -> Self {
        let mut config = self.clone();
        let nowhere = Place {
            file: "".into(),
            line: 0,
        };
        for resolvers in &mut config.resolvers {
            resolvers.place = nowhere.clone();
        }
        for frontend in &mut config.frontends {
            frontend.place = nowhere.clone();
            for bind in &mut frontend.binds {
                bind.place = nowhere.clone();
            }
        }
        for backend in &mut config.backends {
            backend.place = nowhere.clone();
            for server in &mut backend.servers {
                server.place = nowhere.clone();
            }
        }
        config
    }
}

/// A `frontend`, or the listening half of a `listen`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Frontend {
    /// Unique among frontends. A backend may have the same name.
    pub name: String,
    /// Where the section begins.
    #[serde(serialize_with = "json::text")]
    pub place: Place,
    /// Where it listens. Empty only when the configuration's warnings say so.
    pub binds: Vec<Bind>,
    /// Where its connections go. With `None` they are closed; the configuration's warnings say so.
    pub backend: Option<BackendId>,
    /// `maxconn`: the most connections of this frontend, at least 1. `None`: only the global limit.
    pub maxconn: Option<u32>,
    /// `option clitcpka` or `tcpka`: silent clients are probed.
    pub keep_alive: Option<KeepAlive>,
    /// `rate-limit sessions`: the most connections of this frontend in a second. `None`: no limit, or written as 0.
    pub session_rate: Option<NonZeroU32>,
    /// `acl`, `tcp-request` and `use_backend`: what is decided of each connection.
    pub rules: Rules,
    /// The timeouts of the client's side.
    pub timeouts: ClientTimeouts,
    /// What is logged of its sessions.
    pub logging: Logging,
}

/// The timeouts that a frontend has. `None` means no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ClientTimeouts {
    /// `timeout client`: how long the client may be inactive.
    #[serde(serialize_with = "json::milliseconds")]
    pub client: Option<Duration>,
    /// `timeout client-hs`: how long a PROXY header may take. That of `client` when none is written.
    #[serde(serialize_with = "json::milliseconds")]
    pub client_hs: Option<Duration>,
    /// `timeout client-fin`: how long a client may be inactive once one direction has ended. `None`: as `client` says.
    #[serde(serialize_with = "json::milliseconds")]
    pub client_fin: Option<Duration>,
    /// `timeout netns-removed`: how long a session may go on once the namespace of its listener is gone.
    #[serde(serialize_with = "json::milliseconds")]
    pub netns_removed: Option<Duration>,
}

/// Which of a configuration's [`backends`](Config::backends) is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct BackendId(pub(crate) usize);

impl BackendId {
    /// The index into [`Config::backends`].
    pub fn index(self) -> usize {
        self.0
    }
}

/// A `backend`, or the connecting half of a `listen`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Backend {
    /// Unique among backends. A frontend may have the same name.
    pub name: String,
    /// Where the section begins.
    #[serde(serialize_with = "json::text")]
    pub place: Place,
    /// `balance`: how a server is chosen.
    pub balance: Balance,
    /// `hash-type`: how a hash becomes a server.
    pub hash_type: HashType,
    /// `option allbackups`: use every backup when no other server can be used, not only the first.
    pub all_backups: bool,
    /// `fullconn`, or a tenth of what its frontends may have: the sessions at which servers get up to their `maxconn`.
    pub fullconn: Option<u32>,
    /// `retries`: connection attempts after the first.
    pub retries: u16,
    /// `option redispatch`: every so many retries, or counted back from the last, which is -1; never 0.
    pub redispatch: Option<i16>,
    /// `tcp-check`: what a check does, with `option tcp-check`. `None`: it connects, and that is all.
    pub tcp_check: Option<Vec<TcpCheckStep>>,
    /// `log`: where what there is to say about its servers goes, `log global` resolved.
    #[serde(serialize_with = "json::texts")]
    pub logs: Vec<LogTarget>,
    /// `log-tag`: the name of the program in messages. `None`: that of `global`.
    pub log_tag: Option<String>,
    /// `option log-health-checks`: log each result of a check that is news.
    pub log_health_checks: bool,
    /// In the order of the text. Empty only when the configuration's warnings say so.
    pub servers: Vec<Server>,
    /// `tcp-request content` and what belongs to it: what is decided of a connection that has come here. None of a `listen`, which
    /// has them as a frontend.
    pub rules: Rules,
    /// `source`: what connections to servers are bound to. `None`: the kernel chooses.
    pub source: Option<SourceAddress>,
    /// `option srvtcpka` or `tcpka`: silent servers are probed.
    pub keep_alive: Option<KeepAlive>,
    /// The timeouts of the servers' side.
    pub timeouts: ServerTimeouts,
}

/// How a server is chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// Each in turn, by weight.
    RoundRobin,
    /// `static-rr`: the same, in an order that is computed once.
    StaticRoundRobin,
    /// The one with the fewest sessions for its weight.
    LeastConn,
    /// The first one that has room.
    First,
    /// By the client's address.
    Source,
    /// By this value.
    Hash(Expression),
    /// The least busy one of so many drawn by lot. Of two, by default.
    Random(u32),
}

impl Balance {
    /// How many servers `random` draws when it does not say.
    pub(crate) const DRAWS: u32 = 2;

    /// What `balance` calls it, without what may follow.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::RoundRobin => "roundrobin",
            Self::StaticRoundRobin => "static-rr",
            Self::LeastConn => "leastconn",
            Self::First => "first",
            Self::Source => "source",
            Self::Hash(_) => "hash",
            Self::Random(_) => "random",
        }
    }
}

impl Default for Balance {
    fn default() -> Self {
        Self::Random(Self::DRAWS)
    }
}

/// How a hash becomes a server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HashType {
    /// By a map of all servers. The default.
    #[default]
    MapBased,
    /// On a ring: when a server goes, only its clients move.
    Consistent,
}

/// The timeouts that a backend has. `None` means no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ServerTimeouts {
    /// `timeout connect`: how long connecting may take.
    #[serde(serialize_with = "json::milliseconds")]
    pub connect: Option<Duration>,
    /// `timeout queue`: how long to wait for a server to have room; that of `connect` unless set.
    #[serde(serialize_with = "json::milliseconds")]
    pub queue: Option<Duration>,
    /// `timeout server`: how long the server may be inactive.
    #[serde(serialize_with = "json::milliseconds")]
    pub server: Option<Duration>,
    /// `timeout server-fin`: how long a server may be inactive once one direction has ended. `None`: as `server` says.
    #[serde(serialize_with = "json::milliseconds")]
    pub server_fin: Option<Duration>,
    /// `timeout tunnel`: how long either side may be inactive once bytes are relayed, whatever `client` and `server` say.
    #[serde(serialize_with = "json::milliseconds")]
    pub tunnel: Option<Duration>,
    /// `timeout check`: how long a check may take once it is connected.
    #[serde(serialize_with = "json::milliseconds")]
    pub check: Option<Duration>,
    /// `timeout netns-removed`: how long a session may go on once the namespace of its server is gone.
    #[serde(serialize_with = "json::milliseconds")]
    pub netns_removed: Option<Duration>,
}

/// A `source` line, or the same on a `server` line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceAddress {
    /// What to bind to, in the server's namespace. Unspecified address and port 0: the kernel chooses.
    pub address: SocketAddr,
    /// On a `server` line: the ports of that address, of which each connection has one to itself; its own port is 0 then, and there
    /// is no `usesrc`.
    pub ports: Option<PortRange>,
    /// `usesrc`: take another address instead, as a transparent socket.
    pub usesrc: Option<UseSource>,
    /// `interface`: the link that connections leave by.
    pub interface: Option<String>,
}

/// Which address `usesrc` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UseSource {
    /// `clientip`: the address; the kernel chooses the port.
    ClientIp,
    /// `client`: address and port.
    Client,
    /// This one, which need not be the host's; with port 0 the kernel chooses the port.
    Address(SocketAddr),
}

/// A `server` line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Server {
    /// Unique in its backend.
    pub name: String,
    /// Where it is written.
    #[serde(serialize_with = "json::text")]
    pub place: Place,
    /// What to connect to.
    pub address: ServerAddress,
    /// `namespace`: in which namespace to connect.
    pub netns: ServerNetns,
    /// `source`: in the place of that of the backend.
    pub source: Option<SourceAddress>,
    /// `send-proxy`, `send-proxy-v2`: the PROXY header that connections begin with.
    pub send_proxy: Option<ProxyHeader>,
    /// `weight`, 0 to 256.
    pub weight: u16,
    /// `backup`: only while no other server can be used.
    pub backup: bool,
    /// `disabled`: not at all.
    pub disabled: bool,
    /// `maxconn`: most sessions at a time.
    pub maxconn: Option<NonZeroU32>,
    /// `minconn`: that limit while the backend has little to do.
    pub minconn: Option<NonZeroU32>,
    /// `maxqueue`: most sessions that wait for this very server.
    pub maxqueue: Option<NonZeroU32>,
    /// What decides whether it can be used.
    pub health: Health,
}

/// What a server's connections go to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerAddress {
    /// An IP address, never the unspecified one.
    Ip {
        /// The address.
        ip: IpAddr,
        /// The port.
        port: PortRule,
    },
    /// `*` or the unspecified address: where the client wanted to go, by a received PROXY header or by the
    /// connection itself.
    Client {
        /// The port.
        port: PortRule,
    },
    /// The addresses of a host, which are looked up in the server's namespace.
    Host(Host),
    /// A unix socket in the file system; at most 107 bytes. It may be relative.
    Unix(PathBuf),
    /// A unix socket without a file.
    Abstract(AbstractName),
}

/// Which port of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PortRule {
    /// This one; never 0.
    Fixed(u16),
    /// The port where the client wanted to go.
    Client,
    /// `+N`, `-N`: so far from that port; from -65534 to 65534, never 0. What comes out may be no port.
    Distance(i32),
}

impl PortRule {
    /// The port at this distance from the client's.
    pub(crate) fn of_distance(distance: i32) -> Self {
        match distance {
            0 => Self::Client,
            distance => Self::Distance(distance),
        }
    }
}

/// In which namespace a server is connected to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerNetns {
    /// The one that nsproxy runs in.
    #[default]
    Home,
    /// This one.
    Named(#[serde(serialize_with = "json::text")] NetnsSpec),
    /// `*`: that of the client's connection.
    Client,
}

/// A PROXY header to send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProxyHeader {
    /// Text.
    V1,
    /// Binary.
    V2 {
        /// `proxy-v2-options crc32c`: with a checksum.
        crc32c: bool,
        /// `proxy-v2-options unique-id`: with the session's identifier.
        unique_id: bool,
        /// `proxy-v2-options authority`: with the host name of the client's header.
        authority: bool,
        /// `pass-proxy`: with the TLVs of the client's header.
        pass_proxy: bool,
        /// `set-proxy-v2-tlv-fmt`: with others.
        composed: Vec<ComposedTlv>,
    },
}

/// A TLV whose value is made for each session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ComposedTlv {
    /// Its type.
    pub kind: u8,
    /// Its value.
    #[serde(serialize_with = "json::text")]
    pub value: Format,
}
