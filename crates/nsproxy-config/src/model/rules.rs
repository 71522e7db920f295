//! What a proxy decides about its connections: `acl`, `tcp-request`, `use_backend`, `use-server` and `tcp-response`.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::BackendId;
use crate::json;

/// The rules of a frontend, or of a backend. A `listen` is both: its rules about servers are its backend's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Rules {
    /// The `acl`s that its conditions name, and the anonymous ones in them.
    pub acls: Vec<Acl>,
    /// `tcp-request connection`: once a connection was accepted.
    pub connection: Vec<Rule>,
    /// `tcp-request session`: once its PROXY header was read.
    pub session: Vec<Rule>,
    /// `tcp-request content`: once the client has sent something.
    pub content: Vec<Rule>,
    /// `tcp-request inspect-delay`: how long to wait for that. `None`: not at all.
    #[serde(serialize_with = "json::milliseconds")]
    pub inspect_delay: Option<Duration>,
    /// `use_backend`: the first one that holds is followed.
    pub use_backends: Vec<UseBackend>,
    /// `use-server`: the first one that holds, and whose server can be used, is followed. Only of backends.
    pub use_servers: Vec<UseServer>,
    /// `tcp-response content`: once the server has sent something. Only of backends.
    pub response: Vec<Rule>,
    /// `tcp-response inspect-delay`: how long to wait for that. `None`: not at all.
    #[serde(serialize_with = "json::milliseconds")]
    pub response_delay: Option<Duration>,
}

/// An action, and when to take it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// What to do.
    pub action: Action,
    /// `None`: always.
    pub condition: Option<Condition>,
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// `accept`: no further rule of this kind is looked at.
    Accept,
    /// `reject`: the connection is closed.
    Reject,
    /// `close`: the connection to the server is closed. Only in `tcp-response content` rules.
    Close,
    /// `expect-proxy layer4`: a PROXY header is expected. Only in `connection` rules.
    ExpectProxy,
    /// `set-src` and its like. Only in `connection` rules.
    Set(Subject, Expression),
}

/// What a rule can set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// `set-src`
    Source,
    /// `set-src-port`
    SourcePort,
    /// `set-dst`
    Destination,
    /// `set-dst-port`
    DestinationPort,
}

/// A `use_backend` line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UseBackend {
    /// Where connections go.
    pub backend: BackendId,
    /// `None`: always.
    pub condition: Option<Condition>,
}

/// A `use-server` line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UseServer {
    /// The name of a server of the backend.
    pub server: String,
    /// `None`: always.
    pub condition: Option<Condition>,
}

/// What stands behind `if` or `unless`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Condition {
    /// `unless`
    pub unless: bool,
    /// What stands between `or`s: of each list, all terms have to hold. No list is empty.
    pub any: Vec<Vec<Term>>,
}

/// An `acl` in a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Term {
    /// `!`
    pub negated: bool,
    /// Which one.
    pub acl: AclId,
}

/// Which of a frontend's [`acls`](Rules::acls) is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct AclId(pub(crate) usize);

impl AclId {
    /// The index into [`Rules::acls`].
    pub fn index(self) -> usize {
        self.0
    }
}

/// All `acl` lines of a name, or an anonymous one. One test that holds is enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Acl {
    /// `None`: it is written in a condition, and has one test.
    pub name: Option<String>,
    /// Never empty.
    pub tests: Vec<Test>,
}

/// One comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Test {
    /// What is compared.
    pub expression: Expression,
    /// `-m`: how.
    pub method: Method,
    /// `-i`: ASCII letters are the same in both cases.
    pub ignores_case: bool,
    /// `-f`: files with a pattern on each line.
    pub files: Vec<PatternFile>,
    /// The patterns on the line.
    pub patterns: Patterns,
}

/// A file of patterns, as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PatternFile {
    /// Where it is.
    pub path: PathBuf,
    /// What is in it.
    pub patterns: Patterns,
}

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// There is a value.
    Found,
    /// It is true, or not 0.
    Bool,
    /// It is one of these numbers.
    Int,
    /// It is one of these versions: two numbers with a dot. Of `req.ssl_ver` only.
    Version,
    /// It is in one of these networks.
    Ip,
    /// It is one of these bytes, written as hexadecimal digits.
    Bin,
    /// Its length is one of these numbers.
    Len,
    /// It is one of these texts.
    Str,
    /// It begins with one of them.
    Beg,
    /// It ends with one of them.
    End,
    /// One of them is in it.
    Sub,
    /// One of them is in it, between slashes.
    Dir,
    /// One of them is in it, between dots and slashes.
    Dom,
    /// One of these regular expressions is found in it.
    Reg,
}

/// What a value is compared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Patterns {
    /// Nothing: the value itself says it.
    None,
    /// Numbers and ranges; of versions, major times 65536 plus minor.
    Numbers(Vec<RangeInclusive<i64>>),
    /// Networks: an address, and how many of its first bits count.
    Networks(Vec<(IpAddr, u8)>),
    /// Texts.
    Texts(Vec<String>),
    /// Bytes.
    Bytes(Vec<Vec<u8>>),
}

/// A server that a fetch asks about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServerRef {
    /// Its backend.
    pub backend: String,
    /// Its name.
    pub server: String,
}

/// One of the two ends of a relayed connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Peer {
    /// `req.`
    Client,
    /// `res.`
    Server,
}

/// Where the bytes are that a length counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PayloadFrom {
    /// From this byte on.
    At(u32),
    /// So far behind the length, or before its end.
    Behind(i32),
}

/// A value of a connection: a fetch, and what is done to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Expression {
    /// Where it comes from.
    pub fetch: Fetch,
    /// In order.
    pub converters: Vec<Converter>,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fetch {
    /// `always_true`, `always_false`, `bool(B)`
    Bool(bool),
    /// `int(N)`
    Int(i64),
    /// `str(TEXT)`
    Str(String),
    /// `ipv4(IP)`, `ipv6(IP)`
    Ip(IpAddr),
    /// `src`
    Source,
    /// `src_port`
    SourcePort,
    /// `dst`
    Destination,
    /// `dst_port`
    DestinationPort,
    /// `src_is_local`
    SourceIsLocal,
    /// `dst_is_local`
    DestinationIsLocal,
    /// `fc_rcvd_proxy`
    ProxyReceived,
    /// `fc_pp_tlv(N)`, `fc_pp_authority`, `fc_pp_unique_id`, `fc_pp_netns`
    ProxyTlv(u8),
    /// `fc_netns`
    Netns,
    /// `bc_src`
    ServerSource,
    /// `bc_src_port`
    ServerSourcePort,
    /// `bc_dst`
    ServerAddress,
    /// `bc_dst_port`
    ServerPort,
    /// `bc_netns`
    ServerNetns,
    /// `be_name`
    BackendName,
    /// `srv_name`
    ServerName,
    /// `fe_name`
    FrontendName,
    /// `fe_conn`
    FrontendSessions,
    /// `nbsrv(BACKEND)`
    UsableServers(String),
    /// `be_conn(BACKEND)`
    BackendSessions(String),
    /// `queue(BACKEND)`
    BackendQueue(String),
    /// `avg_queue(BACKEND)`
    BackendAverageQueue(String),
    /// `connslots(BACKEND)`
    BackendSlots(String),
    /// `srv_is_up(BACKEND/SERVER)`
    ServerIsUp(ServerRef),
    /// `srv_conn(BACKEND/SERVER)`
    ServerSessions(ServerRef),
    /// `srv_queue(BACKEND/SERVER)`
    ServerQueue(ServerRef),
    /// `so_id`
    ListenerNumber,
    /// `so_name`
    ListenerName,
    /// `rand(N)`
    Random(u32),
    /// `wait_end`
    WaitEnd,
    /// `req.len`, `res.len`
    Length(Peer),
    /// `req.payload(OFFSET,LENGTH)` and that of `res`
    Payload {
        /// Who has sent it.
        peer: Peer,
        /// The first byte.
        offset: u32,
        /// How many; 0 for all.
        length: u32,
    },
    /// `req.payload_lv(OFFSET,SIZE[,[+|-]FROM])` and that of `res`
    PayloadLv {
        /// Who has sent it.
        peer: Peer,
        /// Where the length is.
        offset: u32,
        /// How many bytes it has.
        size: u32,
        /// Where the bytes are that it counts.
        from: PayloadFrom,
    },
    /// `req.ssl_sni`
    SslSni,
    /// `req.ssl_alpn`
    SslAlpn,
    /// `req.ssl_hello_type`, `res.ssl_hello_type`
    SslHelloType(Peer),
    /// `req.ssl_ver`
    SslVersion,
}

impl Fetch {
    /// The backend that it asks about, which exists.
    pub fn backend(&self) -> Option<&str> {
        match self {
            Self::UsableServers(name)
            | Self::BackendSessions(name)
            | Self::BackendQueue(name)
            | Self::BackendAverageQueue(name)
            | Self::BackendSlots(name) => Some(name),
            Self::ServerIsUp(server) | Self::ServerSessions(server) | Self::ServerQueue(server) => {
                Some(&server.backend)
            }
            _ => None,
        }
    }

    /// The server that it asks about.
    pub fn server(&self) -> Option<&str> {
        match self {
            Self::ServerIsUp(server) | Self::ServerSessions(server) | Self::ServerQueue(server) => {
                Some(&server.server)
            }
            _ => None,
        }
    }
}

/// What is done to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Converter {
    /// `lower`
    Lower,
    /// `upper`
    Upper,
    /// `length`
    Length,
    /// `hex`
    Hex,
    /// `ipmask(V4[,V6])`
    IpMask {
        /// Bits of an IPv4 address.
        v4: u8,
        /// Bits of an IPv6 address.
        v6: Option<u8>,
    },
}
