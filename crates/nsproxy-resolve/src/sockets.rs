//! The one way to a socket here: whoever starts the resolver says how to get one in a namespace.

use std::io;

use netns_core::NetnsSpec;
use socket2::{Domain, Protocol, Socket, Type};

/// Makes sockets in namespaces.
pub trait Sockets: Send {
    /// A socket that does not block, in this namespace; `None` is the one that the resolver was started in. The call should
    /// take no longer than a moment: meanwhile nothing else is asked.
    ///
    /// # Errors
    ///
    /// The namespace is not there or may not be entered, or there is no socket to be had.
    fn open(&mut self, netns: Option<&NetnsSpec>, kind: SocketKind) -> io::Result<Socket>;
}

/// What socket is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketKind {
    /// For an IPv6 server, or an IPv4 one.
    pub is_v6: bool,
    /// TCP, or UDP.
    pub is_stream: bool,
}

impl SocketKind {
    /// The arguments of `socket(2)`.
    pub fn arguments(self) -> (Domain, Type, Option<Protocol>) {
        let domain = if self.is_v6 { Domain::IPV6 } else { Domain::IPV4 };
        if self.is_stream {
            (domain, Type::STREAM, Some(Protocol::TCP))
        } else {
            (domain, Type::DGRAM, Some(Protocol::UDP))
        }
    }
}
