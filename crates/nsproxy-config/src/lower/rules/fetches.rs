//! Which fetches nsproxy understands: one row each, with what the reference says of it.

use super::expression::Kind;
use super::fetch_args;
use crate::model::{Fetch, Peer, ServerRef};
use crate::reference::FetchDoc;

/// One fetch.
pub(super) struct Row {
    pub(super) doc: FetchDoc,
    /// Older names of HAProxy for it.
    pub(super) aliases: &'static [&'static str],
    /// Of which kind its value is.
    pub(super) kind: Kind,
    /// What has to be there.
    pub(super) needs: Needs,
    pub(super) make: Make,
}

/// What has to be there for a fetch to have a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// The client's connection.
    Nothing,
    /// What the client sends.
    ClientBytes,
    /// A server.
    Server,
    /// What the server sends.
    ServerBytes,
}

/// How its arguments become a fetch.
pub(super) enum Make {
    /// It has none.
    Plain(fn() -> Fetch),
    /// It has arguments, or may have: a message says what it needs.
    With(fn(&[&str]) -> Result<Fetch, &'static str>),
    /// It asks about a backend: that of the section when it names none.
    Backend(fn(String) -> Fetch),
    /// It asks about a server, of the section when it names no backend.
    Server(fn(ServerRef) -> Fetch),
}

macro_rules! row {
    ($syntax:literal, $kind:ident, $needs:expr, [$($alias:literal),*], $make:expr, $meaning:literal) => {
        Row {
            doc: FetchDoc { syntax: $syntax, kind: Kind::$kind.word(), meaning: $meaning },
            aliases: &[$($alias),*],
            kind: Kind::$kind,
            needs: $needs,
            make: $make,
        }
    };
}

pub(super) static FETCHES: &[Row] = &[
    row!(
        "src",
        Address,
        Needs::Nothing,
        ["fc_src"],
        Make::Plain(|| Fetch::Source),
        "The client's address: that of its PROXY header, once that was read."
    ),
    row!(
        "src_port",
        Number,
        Needs::Nothing,
        ["fc_src_port"],
        Make::Plain(|| Fetch::SourcePort),
        "The client's port."
    ),
    row!(
        "dst",
        Address,
        Needs::Nothing,
        ["fc_dst"],
        Make::Plain(|| Fetch::Destination),
        "The address that the client has connected to."
    ),
    row!(
        "dst_port",
        Number,
        Needs::Nothing,
        ["fc_dst_port"],
        Make::Plain(|| Fetch::DestinationPort),
        "The port that the client has connected to."
    ),
    row!(
        "src_is_local",
        Bool,
        Needs::Nothing,
        ["fc_src_is_local"],
        Make::Plain(|| Fetch::SourceIsLocal),
        "Whether the host has the client's address, in the namespace of the listener. True of a client on a unix socket."
    ),
    row!(
        "dst_is_local",
        Bool,
        Needs::Nothing,
        ["fc_dst_is_local"],
        Make::Plain(|| Fetch::DestinationIsLocal),
        "The same of the address that the client has connected to: false of one that `transparent` takes."
    ),
    row!(
        "fc_rcvd_proxy",
        Bool,
        Needs::Nothing,
        [],
        Make::Plain(|| Fetch::ProxyReceived),
        "Whether a PROXY header was received."
    ),
    row!(
        "fc_pp_tlv(TYPE)",
        Text,
        Needs::Nothing,
        [],
        Make::With(fetch_args::tlv),
        "The TLVs of that type in it: a number, or a name such as `AUTHORITY`."
    ),
    row!(
        "fc_pp_authority",
        Text,
        Needs::Nothing,
        [],
        Make::Plain(|| Fetch::ProxyTlv(0x02)),
        "Its host name."
    ),
    row!(
        "fc_pp_unique_id",
        Text,
        Needs::Nothing,
        [],
        Make::Plain(|| Fetch::ProxyTlv(0x05)),
        "Its unique id."
    ),
    row!(
        "fc_pp_netns",
        Text,
        Needs::Nothing,
        [],
        Make::Plain(|| Fetch::ProxyTlv(0x30)),
        "The namespace that it names, whether it may select it or not. Only in nsproxy."
    ),
    row!(
        "fc_netns",
        Text,
        Needs::Nothing,
        [],
        Make::Plain(|| Fetch::Netns),
        "The namespace of the client's connection: the listener's, or the one that its header has selected. None in the namespace that nsproxy runs in. Only in nsproxy."
    ),
    row!(
        "bc_src",
        Address,
        Needs::Server,
        [],
        Make::Plain(|| Fetch::ServerSource),
        "Our address of the connection to the server."
    ),
    row!(
        "bc_src_port",
        Number,
        Needs::Server,
        [],
        Make::Plain(|| Fetch::ServerSourcePort),
        "Its port."
    ),
    row!(
        "bc_dst",
        Address,
        Needs::Server,
        [],
        Make::Plain(|| Fetch::ServerAddress),
        "The server's address."
    ),
    row!(
        "bc_dst_port",
        Number,
        Needs::Server,
        [],
        Make::Plain(|| Fetch::ServerPort),
        "The server's port."
    ),
    row!(
        "bc_netns",
        Text,
        Needs::Server,
        [],
        Make::Plain(|| Fetch::ServerNetns),
        "The namespace that the server is reached in. None in the namespace that nsproxy runs in. Only in nsproxy."
    ),
    row!(
        "be_name",
        Text,
        Needs::Nothing,
        [],
        Make::Plain(|| Fetch::BackendName),
        "The name of the backend, once that is chosen."
    ),
    row!(
        "srv_name",
        Text,
        Needs::Server,
        [],
        Make::Plain(|| Fetch::ServerName),
        "The name of the server."
    ),
    row!(
        "req.ssl_sni",
        Text,
        Needs::ClientBytes,
        ["req_ssl_sni"],
        Make::Plain(|| Fetch::SslSni),
        "The server name of a TLS ClientHello."
    ),
    row!(
        "req.ssl_alpn",
        Text,
        Needs::ClientBytes,
        [],
        Make::Plain(|| Fetch::SslAlpn),
        "Its application protocols: each is compared."
    ),
    row!(
        "req.ssl_hello_type",
        Number,
        Needs::ClientBytes,
        ["req_ssl_hello_type"],
        Make::Plain(|| Fetch::SslHelloType(Peer::Client)),
        "The type of the first TLS handshake message: 1 is a ClientHello."
    ),
    row!(
        "req.ssl_ver",
        Version,
        Needs::ClientBytes,
        ["req_ssl_ver"],
        Make::Plain(|| Fetch::SslVersion),
        "The version that a ClientHello says: 3.1 is TLS 1.0, 3.3 is TLS 1.2 or later."
    ),
    row!(
        "req.len",
        Number,
        Needs::ClientBytes,
        ["req_len"],
        Make::Plain(|| Fetch::Length(Peer::Client)),
        "How many bytes the client has sent."
    ),
    row!(
        "req.payload(OFFSET,LENGTH)",
        Binary,
        Needs::ClientBytes,
        ["payload"],
        Make::With(|args| fetch_args::payload(Peer::Client, args)),
        "These bytes; with a length of 0, all from there on."
    ),
    row!(
        "req.payload_lv(OFFSET,SIZE[,[+|-]FROM])",
        Binary,
        Needs::ClientBytes,
        ["payload_lv"],
        Make::With(|args| fetch_args::payload_lv(Peer::Client, args)),
        "As many bytes as the number of SIZE bytes at OFFSET says: those right behind it, from FROM on, or so far from its end."
    ),
    row!(
        "res.len",
        Number,
        Needs::ServerBytes,
        [],
        Make::Plain(|| Fetch::Length(Peer::Server)),
        "How many bytes the server has sent."
    ),
    row!(
        "res.payload(OFFSET,LENGTH)",
        Binary,
        Needs::ServerBytes,
        [],
        Make::With(|args| fetch_args::payload(Peer::Server, args)),
        "These bytes; with a length of 0, all from there on."
    ),
    row!(
        "res.payload_lv(OFFSET,SIZE[,[+|-]FROM])",
        Binary,
        Needs::ServerBytes,
        [],
        Make::With(|args| fetch_args::payload_lv(Peer::Server, args)),
        "The same of the server as `req.payload_lv` of the client."
    ),
    row!(
        "res.ssl_hello_type",
        Number,
        Needs::ServerBytes,
        ["rep_ssl_hello_type"],
        Make::Plain(|| Fetch::SslHelloType(Peer::Server)),
        "The type of the server's first TLS handshake message: 2 is a ServerHello."
    ),
    row!(
        "wait_end",
        Bool,
        Needs::Nothing,
        [],
        Make::Plain(|| Fetch::WaitEnd),
        "True once nothing more is waited for."
    ),
    row!(
        "always_true",
        Bool,
        Needs::Nothing,
        [],
        Make::Plain(|| Fetch::Bool(true)),
        "True."
    ),
    row!(
        "always_false",
        Bool,
        Needs::Nothing,
        [],
        Make::Plain(|| Fetch::Bool(false)),
        "False."
    ),
    row!(
        "bool(B)",
        Bool,
        Needs::Nothing,
        [],
        Make::With(fetch_args::boolean),
        "`true` or `false`."
    ),
    row!(
        "int(N)",
        Number,
        Needs::Nothing,
        [],
        Make::With(fetch_args::integer),
        "That number."
    ),
    row!(
        "str(TEXT)",
        Text,
        Needs::Nothing,
        [],
        Make::With(fetch_args::text),
        "That text."
    ),
    row!(
        "ipv4(IP)",
        Address,
        Needs::Nothing,
        [],
        Make::With(fetch_args::ipv4),
        "That address."
    ),
    row!(
        "ipv6(IP)",
        Address,
        Needs::Nothing,
        [],
        Make::With(fetch_args::ipv6),
        "That address."
    ),
    row!(
        "rand(N)",
        Number,
        Needs::Nothing,
        [],
        Make::With(fetch_args::random),
        "A random number below N, or below 4294967295."
    ),
    row!(
        "fe_name",
        Text,
        Needs::Nothing,
        [],
        Make::Plain(|| Fetch::FrontendName),
        "The name of the frontend."
    ),
    row!(
        "fe_conn",
        Number,
        Needs::Nothing,
        [],
        Make::Plain(|| Fetch::FrontendSessions),
        "The sessions of the frontend, this one included."
    ),
    row!(
        "nbsrv(BACKEND)",
        Number,
        Needs::Nothing,
        [],
        Make::Backend(Fetch::UsableServers),
        "The servers of a backend that can be used. In `listen`, the argument may be left out."
    ),
    row!(
        "be_conn(BACKEND)",
        Number,
        Needs::Nothing,
        [],
        Make::Backend(Fetch::BackendSessions),
        "Its sessions, waiting ones included."
    ),
    row!(
        "queue(BACKEND)",
        Number,
        Needs::Nothing,
        [],
        Make::Backend(Fetch::BackendQueue),
        "Its sessions that wait."
    ),
    row!(
        "avg_queue(BACKEND)",
        Number,
        Needs::Nothing,
        [],
        Make::Backend(Fetch::BackendAverageQueue),
        "Those, for each server that can be used."
    ),
    row!(
        "connslots(BACKEND)",
        Number,
        Needs::Nothing,
        [],
        Make::Backend(Fetch::BackendSlots),
        "How many more sessions the servers of a backend would take, at once or waiting; -1 where one of them has no `maxconn` or no `maxqueue`."
    ),
    row!(
        "srv_is_up(BACKEND/SERVER)",
        Bool,
        Needs::Nothing,
        [],
        Make::Server(Fetch::ServerIsUp),
        "Whether a server can be used. Without a backend, one of the section."
    ),
    row!(
        "srv_conn(BACKEND/SERVER)",
        Number,
        Needs::Nothing,
        [],
        Make::Server(Fetch::ServerSessions),
        "Its sessions."
    ),
    row!(
        "srv_queue(BACKEND/SERVER)",
        Number,
        Needs::Nothing,
        [],
        Make::Server(Fetch::ServerQueue),
        "Sessions that wait for it and for no other."
    ),
    row!(
        "so_id",
        Number,
        Needs::Nothing,
        [],
        Make::Plain(|| Fetch::ListenerNumber),
        "The number of the socket that the client has come in by: the `id` of its `bind` line, or its place among the sockets of the frontend, from 1."
    ),
    row!(
        "so_name",
        Text,
        Needs::Nothing,
        [],
        Make::Plain(|| Fetch::ListenerName),
        "The `name` of its `bind` line."
    ),
];

impl Row {
    /// What it is called.
    pub(super) fn name(&self) -> &'static str {
        self.doc.name()
    }
}

pub(super) fn find(name: &str) -> Option<&'static Row> {
    FETCHES
        .iter()
        .find(|row| row.name() == name || row.aliases.contains(&name))
}

/// What the reference has of each.
pub(crate) fn entries() -> impl Iterator<Item = &'static FetchDoc> {
    FETCHES.iter().map(|row| &row.doc)
}
