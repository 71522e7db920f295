//! `Link`: an interface, as the kernel describes it.

use std::net::IpAddr;

use super::MacvlanMode;

/// A network interface, as it was when it was listed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Link {
    /// Its number in its namespace.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// It was set up (`IFF_UP`). Whether it carries anything is another question: see `has_carrier`.
    pub is_up: bool,
    /// The other end is there and up (`IFF_LOWER_UP`).
    pub has_carrier: bool,
    /// The largest packet, in bytes.
    pub mtu: u32,
    /// The hardware address, for Ethernet and its like.
    pub mac: Option<[u8; 6]>,
    /// What made it: `veth`, `vlan`... Nothing for `lo` and for physical ones.
    pub kind: Option<String>,
    /// What it was made with, as far as its kind has something.
    pub settings: LinkSettings,
    /// The interface that it stands on, or the other end of a pair (`IFLA_LINK`).
    pub parent: Option<Parent>,
    /// The index of the bridge, or of another master, to which it belongs.
    pub master: Option<u32>,
}

/// Where the interface is on which another stands, or the other end of a pair.
///
/// An index means something in its own namespace only: the same number may be another interface here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Parent {
    /// In the same namespace.
    Here {
        /// Its number.
        index: u32,
    },
    /// In another one.
    Elsewhere {
        /// Its number there.
        index: u32,
        /// The number of that namespace here. Nothing if the namespace is dying.
        nsid: Option<u32>,
    },
}

impl Parent {
    /// Its number in the namespace where it is.
    pub const fn index(self) -> u32 {
        match self {
            Self::Here { index } | Self::Elsewhere { index, .. } => index,
        }
    }
}

/// What an interface was made with: what tells it from another of the same kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LinkSettings {
    /// Nothing that is known here.
    None,
    /// Of a VLAN.
    Vlan {
        /// The VLAN's number.
        id: u16,
    },
    /// Of a macvlan.
    Macvlan {
        /// What it sees of others on the same parent.
        mode: MacvlanMode,
    },
    /// Of a VXLAN.
    Vxlan {
        /// The network's number.
        vni: u32,
        /// The other end of the tunnel, or the multicast group of all ends.
        remote: Option<IpAddr>,
        /// The address from which the carrying packets go.
        local: Option<IpAddr>,
        /// The index of the interface through which they go, in the namespace in which the interface was made.
        device: Option<u32>,
        /// The UDP port of all ends.
        port: u16,
    },
}
