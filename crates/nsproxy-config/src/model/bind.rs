//! `bind` lines: where a frontend listens, and what its sockets are like.

use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU16, NonZeroU32};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::{AbstractName, BindNetns, NetnsTlv, Place};
use crate::json;

/// One address of a `bind` line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bind {
    /// Where to listen.
    pub address: BindAddress,
    /// `namespace`: in which namespace. `None`: the one that nsproxy runs in.
    #[serde(serialize_with = "json::optional_text")]
    pub netns: Option<BindNetns>,
    /// `accept-proxy`: every connection begins with a PROXY header.
    pub accept_proxy: bool,
    /// `netns-tlv`: what a NETNS TLV in that header may do. The default where there is no header.
    pub netns_tlv: NetnsTlv,
    /// `transparent`: with `IP_TRANSPARENT`. Never for a unix socket.
    pub transparent: bool,
    /// `v6only` (true) or `v4v6` (false): whether all addresses of IPv6 are without IPv4. `None`: as the system has it.
    pub only_v6: Option<bool>,
    /// `name`: a label for logs and statistics.
    pub name: Option<String>,
    /// `id`: its number, of a line with one address and port. `None`: the next of the frontend.
    pub id: Option<NonZeroU32>,
    /// What its sockets are like.
    pub socket: BindSocket,
    /// Where it is written.
    #[serde(serialize_with = "json::text")]
    pub place: Place,
}

/// What one `bind` address names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BindAddress {
    /// Ports of an IP address, possibly the unspecified one.
    Ip {
        /// The address.
        ip: IpAddr,
        /// One port or several, each a socket of its own.
        ports: PortRange,
    },
    /// A unix socket in the file system; at most 107 bytes. It may be relative.
    Unix(PathBuf),
    /// A unix socket without a file.
    Abstract(AbstractName),
    /// The socket that nsproxy was started with at this descriptor; never negative.
    Inherited(i32),
    /// The sockets that nsproxy was started with under this name, as systemd names them (`FileDescriptorName=`).
    Activated(String),
}

impl BindAddress {
    /// How many sockets it is.
    pub fn sockets(&self) -> usize {
        match self {
            Self::Ip { ports, .. } => ports.iter().count(),
            Self::Unix(_) | Self::Abstract(_) | Self::Inherited(_) | Self::Activated(_) => 1,
        }
    }

    /// Each IP socket address; none for a unix socket.
    pub fn socket_addrs(&self) -> impl Iterator<Item = SocketAddr> + use<> {
        let (ip, ports) = match self {
            Self::Ip { ip, ports } => (*ip, Some(ports.iter())),
            Self::Unix(_) | Self::Abstract(_) | Self::Inherited(_) | Self::Activated(_) => {
                (IpAddr::from([0, 0, 0, 0]), None)
            }
        };
        ports
            .into_iter()
            .flatten()
            .map(move |port| SocketAddr::new(ip, port))
    }
}

/// Ports from a first to a last, both included; never empty, never port 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct PortRange {
    first: u16,
    last: u16,
}

impl PortRange {
    /// The range, unless it would be empty or begin with 0.
    pub fn new(first: u16, last: u16) -> Option<Self> {
        (first != 0 && first <= last).then_some(Self { first, last })
    }

    /// One port. The caller has made sure that it is not 0.
    pub(crate) fn single(port: u16) -> Self {
        Self {
            first: port,
            last: port,
        }
    }

    /// The lowest port.
    pub fn first(self) -> u16 {
        self.first
    }

    /// The highest port.
    pub fn last(self) -> u16 {
        self.last
    }

    /// All ports in order.
    pub fn iter(self) -> RangeInclusive<u16> {
        self.first..=self.last
    }
}

/// What the sockets of a `bind` line are like, and how many sessions each may have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct BindSocket {
    /// `maxconn`: the most sessions of each. `None`: not limited here.
    pub maxconn: Option<NonZeroU32>,
    /// `backlog`, or that of the frontend: how many connections may wait. `None`: as many as the kernel allows.
    pub backlog: Option<NonZeroU32>,
    /// `interface`: the link by which connections have to come in.
    pub interface: Option<String>,
    /// `mss`: the longest segment that clients send, 88 to 32767.
    pub mss: Option<NonZeroU16>,
    /// `tcp-ut`: how long bytes for a client may stay unacknowledged; never 0.
    #[serde(serialize_with = "json::milliseconds")]
    pub tcp_ut: Option<Duration>,
    /// `defer-accept`: a connection is taken once its client has sent something.
    pub defer_accept: bool,
    /// `tfo`: bytes may come with the request for a connection.
    pub tfo: bool,
}

/// `tune.rcvbuf` and `tune.sndbuf`: the kernel's buffers for one connection, in bytes. `None`: as the kernel has it, or written as 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct SocketBuffers {
    /// Of what was received.
    pub receive: Option<NonZeroU32>,
    /// Of what is to be sent.
    pub send: Option<NonZeroU32>,
}

/// `option clitcpka` or `srvtcpka`, and its numbers. `None`: as the kernel has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct KeepAlive {
    /// Seconds of silence before a probe, up to 32767.
    pub idle: Option<NonZeroU16>,
    /// Seconds from a probe to the next one, up to 32767.
    pub interval: Option<NonZeroU16>,
    /// Probes in a row without an answer, up to 127.
    pub count: Option<NonZeroU16>,
}
