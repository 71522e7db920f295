//! What is watched, whom it is asked of, and for how long answers count. Plain data, made by whoever starts the resolver.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use netns_core::NetnsSpec;

use crate::{Failure, HostName};

/// Name servers that one lookup asks at most: it has two sockets for each.
pub const MOST_SERVERS: usize = 8;

/// Somebody who wants to know where a host is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Targets of one group and host do not share an address, unless they may.
    pub group: String,
    /// Unique in its group.
    pub name: String,
    /// Its host.
    pub host: HostName,
    /// The namespace that is asked in; `None` is the one that the resolver was started in.
    pub netns: Option<NetnsSpec>,
    /// Whom to ask.
    pub source: Source,
    /// The family that is taken when there are both.
    pub prefer: Family,
    /// Addresses in one of these come before others of their family.
    pub networks: Vec<Network>,
    /// Whether it may have the address of another target of its group with the same host.
    pub shares_address: bool,
    /// Where the first address comes from: each in turn, until one has an address or says that there is none.
    pub init: Vec<Init>,
}

/// A way to the first address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Init {
    /// The one that it had before.
    Last,
    /// A lookup as the C library does it: [`Source::System`].
    System,
    /// This one, until a lookup says otherwise.
    Address(IpAddr),
    /// It begins without.
    None,
}

/// A family of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    pub(crate) fn has(self, address: IpAddr) -> bool {
        address.is_ipv4() == (self == Self::V4)
    }
}

/// Whom to ask.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// The files `hosts` and `resolv.conf` of the namespace say it.
    System,
    /// These.
    Servers(Arc<Servers>),
}

/// Name servers, and how to deal with them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Servers {
    /// For messages.
    pub name: String,
    /// At most [`MOST_SERVERS`] count.
    pub servers: Vec<(SocketAddr, Transport)>,
    /// Whether those of the namespace's `resolv.conf` are asked, too.
    pub resolv_conf: bool,
    /// How often a question is asked, at least once.
    pub attempts: u32,
    /// How long each attempt waits for an answer.
    pub retry: Duration,
    /// When to ask again after an address was found.
    pub again_found: Duration,
    /// When to ask again after none was.
    pub again_failed: Duration,
    /// The largest answer by UDP, in bytes.
    pub payload: u16,
    /// For how long addresses are kept that a lookup no longer confirms.
    pub holds: Holds,
}

impl Servers {
    /// What a lookup by the namespace's own files is like. What it has found is kept until the servers say something else:
    /// whoever names no servers of their own expects what a lookup at the start alone would give, and no less.
    pub(crate) fn of_the_system() -> Self {
        let without_end = Duration::MAX;
        Self {
            name: "resolv.conf".to_owned(),
            servers: Vec::new(),
            resolv_conf: true,
            attempts: 3,
            retry: Duration::from_secs(1),
            again_found: Duration::from_secs(10),
            again_failed: Duration::from_secs(2),
            payload: crate::message::PLAIN_SIZE,
            holds: Holds {
                refused: without_end,
                timeout: without_end,
                other: without_end,
                ..Holds::default()
            },
        }
    }
}

/// How a server is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// By UDP, and by TCP if the answer does not fit.
    Udp,
    /// By TCP only.
    Tcp,
}

/// For how long the last addresses are kept, counted from the last answer that had some, while lookups fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Holds {
    /// After [`Failure::NoSuchName`].
    pub no_such_name: Duration,
    /// After [`Failure::Refused`].
    pub refused: Duration,
    /// After [`Failure::Timeout`].
    pub timeout: Duration,
    /// After any other failure.
    pub other: Duration,
    /// How long an address is kept that answers do not have any more, while they have others.
    pub obsolete: Duration,
}

impl Default for Holds {
    /// HAProxy's: half a minute, and obsolete addresses not at all.
    fn default() -> Self {
        let half_a_minute = Duration::from_secs(30);
        Self {
            no_such_name: half_a_minute,
            refused: half_a_minute,
            timeout: half_a_minute,
            other: half_a_minute,
            obsolete: Duration::ZERO,
        }
    }
}

impl Holds {
    pub(crate) fn after(&self, failure: Failure) -> Duration {
        match failure {
            Failure::NoSuchName => self.no_such_name,
            Failure::Refused => self.refused,
            Failure::Timeout => self.timeout,
            Failure::Other | Failure::NoSocket => self.other,
        }
    }
}

/// Addresses that begin alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    /// One of them.
    pub address: IpAddr,
    /// How many bits are alike: up to 32 for IPv4, 128 for IPv6.
    pub bits: u8,
}

impl Network {
    /// Whether an address is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        let bits = u32::from(self.bits);
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.leading_zeros() >= bits.min(32)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.leading_zeros() >= bits.min(128)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_the_addresses_that_begin_like_it() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap_or_else(|error| panic!("{error}"));
        let network = |address: &str, bits| Network {
            address: ip(address),
            bits,
        };
        assert!(network("10.1.0.0", 16).contains(ip("10.1.255.1")));
        assert!(!network("10.1.0.0", 16).contains(ip("10.2.0.1")));
        assert!(network("2001:db8::", 32).contains(ip("2001:db8:1::1")));
        assert!(!network("0.0.0.0", 0).contains(ip("::1")));
        assert!(network("::", 0).contains(ip("::1")));
        assert!(!network("10.0.0.1", 32).contains(ip("10.0.0.2")));
    }
}
