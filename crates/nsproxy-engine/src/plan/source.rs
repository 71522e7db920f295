//! What connections to servers are bound to.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::sync::Arc;

/// Where connections to a server come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcePlan {
    /// The address that they come from.
    pub address: SourceAddress,
    /// The link of the server's namespace that they leave by (`SO_BINDTODEVICE`).
    pub interface: Option<Arc<str>>,
}

impl From<SourceAddress> for SourcePlan {
    fn from(address: SourceAddress) -> Self {
        Self {
            address,
            interface: None,
        }
    }
}

/// The address that connections to a server come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceAddress {
    /// The kernel's choice.
    Any,
    /// This one; port 0 leaves the port to the kernel.
    Own(SocketAddr),
    /// This one, and one of these ports, which each connection of the server has to itself. While none is free, there can be no
    /// other connection.
    Ports {
        /// The address.
        ip: IpAddr,
        /// The lowest port.
        first: NonZeroU16,
        /// The highest port. Below the lowest one there are none.
        last: NonZeroU16,
    },
    /// This one, which need not be the host's (`IP_TRANSPARENT`); port 0 leaves the port to the kernel.
    Foreign(SocketAddr),
    /// The client's address (`IP_TRANSPARENT`), as the PROXY header or the client's socket tells.
    Client {
        /// Whether the client's port is taken, too.
        with_port: bool,
    },
}
