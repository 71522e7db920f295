//! What can go wrong with interfaces, addresses and routes.

use std::fmt;
use std::io;
use std::net::IpAddr;

use super::Destination;
use super::answer::Failure;
use crate::EnterError;

/// An operation on the interfaces of a namespace failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The namespace could not be entered.
    #[error(transparent)]
    Enter(#[from] EnterError),
    /// The netlink socket could not be opened.
    #[error("cannot open a netlink socket")]
    Open {
        /// The errno.
        source: io::Error,
    },
    /// It is no name for an interface.
    #[error(
        "`{}` is not a name for a network interface (1 to 15 bytes, without `/`, `:`, `%` and blanks)",
        name.escape_debug()
    )]
    Name {
        /// The refused name.
        name: String,
    },
    /// An IPv4 network by an IPv6 gateway, or the other way round.
    #[error("cannot add the route to {destination} via {via}: the two are of different address families")]
    MixedFamilies {
        /// Where the route should lead.
        destination: Destination,
        /// By which gateway.
        via: IpAddr,
    },
    /// The kernel refused.
    #[error("cannot {}{}{}", Attempt(operation, link), kernel_text(message.as_deref()), hint(operation, source))]
    Refused {
        /// What was asked for.
        operation: LinkOperation,
        /// The interface, or nothing where the operation is not about one.
        link: String,
        /// What the kernel said beside the errno (its extended acknowledgement), if it said something.
        message: Option<String>,
        /// The errno.
        source: io::Error,
    },
    /// The kernel's answer could not be had, or could not be understood. The operation may have been done.
    #[error(
        "cannot tell whether it was possible to {}: no usable answer from the kernel",
        Attempt(operation, link)
    )]
    NoAnswer {
        /// What was asked for.
        operation: LinkOperation,
        /// The interface, or nothing where the operation is not about one.
        link: String,
        /// What was wrong with the exchange.
        source: io::Error,
    },
}

impl LinkError {
    pub(super) fn open(source: io::Error) -> Self {
        Self::Open { source }
    }

    /// For `map_err`: the failure of `operation` on `link`.
    pub(super) fn during(operation: LinkOperation, link: &str) -> impl FnOnce(Failure) -> Self {
        let link = link.to_owned();
        move |failure| match failure {
            Failure::Refused { source, message } => Self::Refused {
                operation,
                link,
                message,
                source,
            },
            Failure::Exchange(source) => Self::NoAnswer {
                operation,
                link,
                source,
            },
        }
    }
}

/// What was asked of the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkOperation {
    /// Making a veth pair.
    CreateVeth {
        /// The name of the other end.
        peer: String,
    },
    /// Setting an interface up.
    SetUp,
    /// Giving an interface an address.
    AddAddress {
        /// The address.
        address: IpAddr,
        /// The length of its network's prefix, in bits.
        prefix: u8,
    },
    /// Adding a route.
    AddRoute {
        /// Where it leads.
        destination: Destination,
        /// By which gateway.
        via: IpAddr,
    },
    /// Deleting an interface.
    Delete,
    /// Listing the interfaces.
    List,
}

/// An operation and the interface that it is about: the words that follow "cannot".
struct Attempt<'a>(&'a LinkOperation, &'a str);

impl fmt::Display for Attempt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(operation, link) = self;
        match operation {
            LinkOperation::CreateVeth { peer } => write!(f, "create the veth pair `{link}` and `{peer}`"),
            LinkOperation::SetUp => write!(f, "set the interface `{link}` up"),
            LinkOperation::AddAddress { address, prefix } => {
                write!(f, "add the address {address}/{prefix} to the interface `{link}`")
            }
            LinkOperation::AddRoute { destination, via } => {
                write!(f, "add the route to {destination} via {via}")
            }
            LinkOperation::Delete => write!(f, "delete the interface `{link}`"),
            LinkOperation::List => f.write_str("list the interfaces"),
        }
    }
}

/// The kernel's sentence; it ends some with a dot and others not.
fn kernel_text(message: Option<&str>) -> String {
    message.map_or_else(String::new, |message| {
        format!(": {}", message.trim_end_matches('.'))
    })
}

fn hint(operation: &LinkOperation, source: &io::Error) -> &'static str {
    match (operation, source.raw_os_error()) {
        (_, Some(libc::EPERM)) => {
            " (CAP_NET_ADMIN is needed in the user namespaces that own the network namespaces concerned)"
        }
        (LinkOperation::CreateVeth { .. }, Some(libc::EOPNOTSUPP)) => {
            " (this kernel has no veth pairs, or its module cannot be loaded from here)"
        }
        (LinkOperation::Delete, Some(libc::EOPNOTSUPP)) => " (it is not one that can be deleted)",
        (LinkOperation::AddAddress { address, .. }, Some(libc::EACCES | libc::EOPNOTSUPP))
            if address.is_ipv6() =>
        {
            " (IPv6 is disabled there; see net.ipv6.conf.*.disable_ipv6)"
        }
        (LinkOperation::AddRoute { .. }, Some(libc::ENETUNREACH | libc::EHOSTUNREACH)) => {
            " (no interface that is up has an address in the gateway's network)"
        }
        _ => "",
    }
}
