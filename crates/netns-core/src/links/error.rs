//! What can go wrong with interfaces, addresses and routes.

use std::io;
use std::net::IpAddr;

use super::answer::Failure;
use super::operation::{Attempt, LinkOperation};
use super::route::Destination;
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
    /// The kernel's numbers for namespaces are not that large.
    #[error("the nsid {nsid} is too large; the largest is {max}", max = i32::MAX)]
    NsidTooLarge {
        /// The refused number.
        nsid: u32,
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

/// The kernel's sentence; it ends some with a dot and others not.
fn kernel_text(message: Option<&str>) -> String {
    message.map_or_else(String::new, |message| {
        format!(": {}", message.trim_end_matches('.'))
    })
}

fn hint(operation: &LinkOperation, source: &io::Error) -> &'static str {
    use LinkOperation as O;
    match (operation, source.raw_os_error()) {
        (_, Some(libc::EPERM)) => {
            " (CAP_NET_ADMIN is needed in the user namespaces that own the network namespaces concerned)"
        }
        (operation, Some(libc::EOPNOTSUPP)) => unsupported(operation),
        (O::AddAddress { address, .. }, Some(libc::EACCES)) if address.is_ipv6() => IPV6_DISABLED,
        (O::AddRoute { route }, Some(libc::ENETUNREACH | libc::EHOSTUNREACH)) if route.via.is_some() => {
            " (no interface that is up has an address in the gateway's network)"
        }
        (O::AddAddress { .. }, Some(libc::EEXIST)) => " (it has this address already)",
        (O::AddRoute { .. }, Some(libc::EEXIST)) => " (there is a route to it already)",
        (O::AddRoute { .. }, Some(libc::ENETDOWN)) => " (the interface is down)",
        (O::RemoveRoute { .. }, Some(libc::ESRCH)) => " (there is no such route)",
        (O::RemoveAddress { .. }, Some(libc::EADDRNOTAVAIL)) => " (it has no such address)",
        (O::Rename { .. }, Some(libc::EBUSY)) => " (set it down first)",
        (O::SetMaster { master: Some(_) }, Some(libc::EBUSY)) => {
            " (something else takes what it receives, such as a macvlan that stands on it)"
        }
        (
            O::CreateVeth { .. }
            | O::CreateVlan { .. }
            | O::CreateMacvlan { .. }
            | O::CreateVxlan { .. }
            | O::CreateBridge
            | O::Rename { .. },
            Some(libc::EEXIST),
        ) => " (another interface has this name there)",
        (O::CreateVlan { .. } | O::CreateMacvlan { .. }, Some(libc::ENODEV)) => {
            " (there is no such interface to stand on)"
        }
        (_, Some(libc::ENODEV)) => " (no interface has this name there)",
        _ => "",
    }
}

const IPV6_DISABLED: &str = " (IPv6 is disabled there; see net.ipv6.conf.*.disable_ipv6)";

fn unsupported(operation: &LinkOperation) -> &'static str {
    use LinkOperation as O;
    match operation {
        O::CreateVeth { .. } => " (this kernel has no veth pairs, or its module cannot be loaded from here)",
        O::CreateVlan { .. } => {
            " (this kernel has no VLANs, or its module `8021q` cannot be loaded from here)"
        }
        O::CreateMacvlan { .. } => {
            " (this kernel has no macvlan interfaces, or its module cannot be loaded from here)"
        }
        O::CreateVxlan { .. } => {
            " (this kernel has no VXLAN interfaces, or its module cannot be loaded from here)"
        }
        O::CreateBridge => " (this kernel has no bridges, or its module cannot be loaded from here)",
        O::Delete => " (it is not one that can be deleted)",
        O::AddAddress { address, .. } if address.is_ipv6() => IPV6_DISABLED,
        _ => "",
    }
}
