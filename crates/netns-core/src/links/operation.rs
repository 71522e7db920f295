//! What is asked of the kernel, in words.

use std::fmt;
use std::net::IpAddr;

use super::nsid::NsidChoice;
use super::route::Route;

/// What was asked of the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkOperation {
    /// Making a veth pair.
    CreateVeth {
        /// The name of the other end.
        peer: String,
    },
    /// Making a VLAN interface.
    CreateVlan {
        /// The interface that it stands on.
        parent: String,
        /// The VLAN's number.
        id: u16,
    },
    /// Making a macvlan interface.
    CreateMacvlan {
        /// The interface that it stands on.
        parent: String,
    },
    /// Making a VXLAN interface.
    CreateVxlan {
        /// The network's number.
        vni: u32,
    },
    /// Making a bridge.
    CreateBridge,
    /// Setting an interface up.
    SetUp,
    /// Setting an interface down.
    SetDown,
    /// Setting the size of an interface's largest packet.
    SetMtu {
        /// The size, in bytes.
        mtu: u32,
    },
    /// Making an interface a port of a master, or of none.
    SetMaster {
        /// The master's name.
        master: Option<String>,
    },
    /// Giving an interface another name.
    Rename {
        /// The new name.
        to: String,
    },
    /// Moving an interface to another namespace.
    Move {
        /// Its name there, if it is another.
        new_name: Option<String>,
    },
    /// Giving an interface an address.
    AddAddress {
        /// The address.
        address: IpAddr,
        /// The length of its network's prefix, in bits.
        prefix: u8,
    },
    /// Taking an address away from an interface.
    RemoveAddress {
        /// The address.
        address: IpAddr,
        /// The length of its network's prefix, in bits.
        prefix: u8,
    },
    /// Adding a route.
    AddRoute {
        /// The route.
        route: Box<Route>,
    },
    /// Removing a route.
    RemoveRoute {
        /// The route.
        route: Box<Route>,
    },
    /// Deleting an interface.
    Delete,
    /// Looking an interface up.
    Find,
    /// Listing the interfaces.
    List,
    /// Listing the addresses.
    ListAddresses,
    /// Listing the routes.
    ListRoutes,
    /// Asking for the number of a namespace.
    GetNsid,
    /// Giving a namespace a number.
    SetNsid {
        /// Which one.
        choice: NsidChoice,
    },
    /// Listing the numbers of namespaces.
    ListNsids {
        /// In the namespace with this number, rather than here.
        target: Option<u32>,
    },
    /// Looking a number up.
    LookUpNsid {
        /// The number.
        nsid: u32,
        /// What it is called in the namespace with this number, rather than here.
        target: Option<u32>,
    },
}

/// An operation and the interface that it is about: the words that follow "cannot".
pub(super) struct Attempt<'a>(pub(super) &'a LinkOperation, pub(super) &'a str);

impl fmt::Display for Attempt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use LinkOperation as O;
        let Self(operation, link) = self;
        match operation {
            O::CreateVeth { peer } => write!(f, "create the veth pair `{link}` and `{peer}`"),
            O::CreateVlan { parent, id } => write!(f, "create `{link}` for VLAN {id} of `{parent}`"),
            O::CreateMacvlan { parent } => write!(f, "create the macvlan `{link}` on `{parent}`"),
            O::CreateVxlan { vni } => write!(f, "create `{link}` for VXLAN {vni}"),
            O::CreateBridge => write!(f, "create the bridge `{link}`"),
            O::SetUp => write!(f, "set the interface `{link}` up"),
            O::SetDown => write!(f, "set the interface `{link}` down"),
            O::SetMtu { mtu } => write!(f, "set the MTU of the interface `{link}` to {mtu}"),
            O::SetMaster { master: Some(master) } => {
                write!(f, "make the interface `{link}` a port of `{master}`")
            }
            O::SetMaster { master: None } => write!(f, "take the interface `{link}` from its master"),
            O::Rename { to } => write!(f, "rename the interface `{link}` to `{to}`"),
            O::Move { new_name: None } => write!(f, "move the interface `{link}`"),
            O::Move { new_name: Some(name) } => write!(f, "move the interface `{link}` as `{name}`"),
            O::AddAddress { address, prefix } => {
                write!(f, "add the address {address}/{prefix} to the interface `{link}`")
            }
            O::RemoveAddress { address, prefix } => {
                write!(
                    f,
                    "remove the address {address}/{prefix} from the interface `{link}`"
                )
            }
            O::AddRoute { route } => write!(f, "add the route to {route}"),
            O::RemoveRoute { route } => write!(f, "remove the route to {route}"),
            O::Delete => write!(f, "delete the interface `{link}`"),
            O::Find => write!(f, "find the interface `{link}`"),
            O::List => f.write_str("list the interfaces"),
            O::ListAddresses => f.write_str("list the addresses"),
            O::ListRoutes => f.write_str("list the routes"),
            O::GetNsid => f.write_str("get the nsid of the network namespace"),
            O::SetNsid {
                choice: NsidChoice::Auto,
            } => f.write_str("give the network namespace an nsid"),
            O::SetNsid {
                choice: NsidChoice::Fixed(nsid),
            } => write!(f, "give the network namespace the nsid {nsid}"),
            O::ListNsids { target: None } => f.write_str("list the nsids"),
            O::ListNsids { target: Some(target) } => write!(f, "list the nsids of nsid {target}"),
            O::LookUpNsid { nsid, target: None } => write!(f, "look up the nsid {nsid}"),
            O::LookUpNsid {
                nsid,
                target: Some(target),
            } => write!(f, "look up the nsid {nsid} for nsid {target}"),
        }
    }
}
