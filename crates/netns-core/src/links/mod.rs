//! `Links`: the network interfaces of one namespace, over rtnetlink.
//!
//! Enough to wire namespaces together: veth pairs, addresses, routes, up, delete, list. It is a blocking
//! client with one netlink socket. The socket was made inside the namespace and works from any thread, so
//! nothing here enters one but the constructor. What the kernel says when it refuses (its extended
//! acknowledgement) is kept in the error.
//!
//! The types of the netlink crates do not appear in the interface: they change with nearly each of their
//! releases.

mod answer;
mod client;
mod error;
mod ext_ack;
mod message;

pub use error::{LinkError, LinkOperation};
pub use message::Link;

use std::fmt;
use std::net::IpAddr;

use client::Client;

use crate::{Netns, scoped};

/// The network interfaces of one namespace, which this keeps alive.
///
/// ```no_run
/// use netns_core::{Netns, links::{Destination, Links}};
///
/// let (left, right) = (Netns::create()?, Netns::create()?);
/// let mut links = Links::in_netns(&left)?;
/// links.create_veth("to-right", "to-left", Some(&right))?;
/// links.add_address("to-right", "10.0.0.1".parse()?, 24)?;
/// links.set_up("to-right")?;
/// links.add_route(Destination::Default, "10.0.0.2".parse()?)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Links {
    client: Client,
}

impl Links {
    /// The interfaces of `netns`. A thread is started which enters it.
    ///
    /// # Errors
    ///
    /// `netns` cannot be entered, or the process has no descriptor left.
    pub fn in_netns(netns: &Netns) -> Result<Self, LinkError> {
        let client = scoped::run(netns, Client::open)?.map_err(LinkError::open)?;
        Ok(Self { client })
    }

    /// The interfaces of the namespace in which the calling thread is now, wherever it goes later.
    ///
    /// # Errors
    ///
    /// The process has no descriptor left.
    pub fn here() -> Result<Self, LinkError> {
        Ok(Self {
            client: Client::open().map_err(LinkError::open)?,
        })
    }

    /// Makes a pair of linked interfaces: `name` here, and `peer_name` in `peer_netns`, or here too. Both are
    /// down.
    ///
    /// It is one request: both ends exist at once, and the peer is never seen here if it belongs elsewhere.
    ///
    /// # Errors
    ///
    /// A name is not one of an interface, or is taken, or the kernel refuses. Then there is neither end.
    pub fn create_veth(
        &mut self,
        name: &str,
        peer_name: &str,
        peer_netns: Option<&Netns>,
    ) -> Result<(), LinkError> {
        let operation = LinkOperation::CreateVeth {
            peer: peer_name.to_owned(),
        };
        check_name(name)?;
        check_name(peer_name)?;
        let request = message::create_veth(name, peer_name, peer_netns);
        self.client
            .change(&request, client::CREATE)
            .map_err(LinkError::during(operation, name))
    }

    /// Sets the interface `name` up.
    ///
    /// # Errors
    ///
    /// There is none, or the kernel refuses.
    pub fn set_up(&mut self, name: &str) -> Result<(), LinkError> {
        check_name(name)?;
        self.client
            .change(&message::set_up(name), client::MODIFY)
            .map_err(LinkError::during(LinkOperation::SetUp, name))
    }

    /// Gives the interface `name` an address, in a network of `prefix` bits. The kernel adds the route to the
    /// network when the interface is up.
    ///
    /// An IPv6 address can be used at once: duplicate address detection, which takes a second or more, is
    /// left out.
    /// A router still waits, for its own link-local address, before it forwards IPv6 over an interface that has
    /// just come up.
    ///
    /// # Errors
    ///
    /// There is no such interface, it has the address already, or the kernel refuses.
    pub fn add_address(&mut self, name: &str, address: IpAddr, prefix: u8) -> Result<(), LinkError> {
        let operation = LinkOperation::AddAddress { address, prefix };
        check_name(name)?;
        let index = self
            .client
            .get(&message::get_link(name), message::link_index)
            .map_err(LinkError::during(operation.clone(), name))?;
        self.client
            .change(&message::add_address(index, address, prefix), client::CREATE)
            .map_err(LinkError::during(operation, name))
    }

    /// Adds a route to `destination` by the gateway `via`, to the main table.
    ///
    /// # Errors
    ///
    /// There is such a route already, the gateway is not on a network of an interface that is up, the two are
    /// of different families, or the kernel refuses.
    pub fn add_route(&mut self, destination: Destination, via: IpAddr) -> Result<(), LinkError> {
        let operation = LinkOperation::AddRoute { destination, via };
        if let Destination::Network { address, .. } = destination
            && address.is_ipv4() != via.is_ipv4()
        {
            return Err(LinkError::MixedFamilies { destination, via });
        }
        self.client
            .change(&message::add_route(destination, via), client::CREATE)
            .map_err(LinkError::during(operation, ""))
    }

    /// Deletes the interface `name`, and with it the other end, if it is one of a pair.
    ///
    /// # Errors
    ///
    /// There is none, it cannot be deleted (`lo`, a physical one), or the kernel refuses.
    pub fn delete(&mut self, name: &str) -> Result<(), LinkError> {
        check_name(name)?;
        self.client
            .change(&message::delete(name), client::MODIFY)
            .map_err(LinkError::during(LinkOperation::Delete, name))
    }

    /// All interfaces, in the order of their indices.
    ///
    /// # Errors
    ///
    /// The kernel refuses, or the interfaces change faster than they can be listed.
    pub fn list(&mut self) -> Result<Vec<Link>, LinkError> {
        let mut links = self
            .client
            .dump(&message::all_links(), message::link)
            .map_err(LinkError::during(LinkOperation::List, ""))?;
        links.sort_by_key(|link| link.index);
        Ok(links)
    }
}

/// Where a route leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Destination {
    /// Everywhere that no other route leads to, in the gateway's family.
    Default,
    /// A network.
    Network {
        /// Its address; bits beyond the prefix must be zero.
        address: IpAddr,
        /// Its length in bits.
        prefix: u8,
    },
}

/// As `ip route` writes it: `default`, `10.0.0.0/8`.
impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Network { address, prefix } => write!(f, "{address}/{prefix}"),
        }
    }
}

/// Refuses what the kernel would misunderstand. Whether the name is free is the kernel's business.
fn check_name(name: &str) -> Result<(), LinkError> {
    // A `%` asks the kernel to choose a number, and so another name than the one asked for.
    let is_bad = |c: char| matches!(c, '/' | ':' | '%' | '\0') || c.is_ascii_whitespace() || c == '\x0b';
    if name.is_empty() || name.len() >= libc::IFNAMSIZ || matches!(name, "." | "..") || name.contains(is_bad)
    {
        return Err(LinkError::Name {
            name: name.to_owned(),
        });
    }
    Ok(())
}
