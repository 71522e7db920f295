//! Making interfaces: pairs, and what stands on another interface.
//!
//! Each is one request, so a refusal leaves nothing behind.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::operation::LinkOperation;
use super::{LinkError, Links, check_name, client, message};
use crate::Netns;

impl Links {
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
        let request = message::link::create_veth(name, peer_name, peer_netns);
        self.client
            .change(&request, client::CREATE)
            .map_err(LinkError::during(operation, name))
    }

    /// Makes `name`, which carries the packets of `parent` that are tagged with the VLAN `id` (802.1Q). It is
    /// down.
    ///
    /// # Errors
    ///
    /// There is no `parent`, `name` is taken, `id` is not one of 0 to 4094, or the kernel refuses: not every
    /// kernel has VLANs.
    pub fn create_vlan(&mut self, parent: &str, name: &str, id: u16) -> Result<(), LinkError> {
        let operation = LinkOperation::CreateVlan {
            parent: parent.to_owned(),
            id,
        };
        check_name(name)?;
        let parent = self.index_of(parent, &operation, name)?;
        self.client
            .change(&message::link::create_vlan(parent, name, id), client::CREATE)
            .map_err(LinkError::during(operation, name))
    }

    /// Makes `name`, which has a hardware address of its own on the network of `parent`. It is down.
    ///
    /// # Errors
    ///
    /// There is no `parent`, `name` is taken, or the kernel refuses.
    pub fn create_macvlan(&mut self, parent: &str, name: &str, mode: MacvlanMode) -> Result<(), LinkError> {
        let operation = LinkOperation::CreateMacvlan {
            parent: parent.to_owned(),
        };
        check_name(name)?;
        let parent = self.index_of(parent, &operation, name)?;
        self.client
            .change(&message::link::create_macvlan(parent, name, mode), client::CREATE)
            .map_err(LinkError::during(operation, name))
    }

    /// Makes `name`, an Ethernet network over UDP. It is down. The packets that carry it go through the
    /// namespace in which it is made, also when it is moved to another.
    ///
    /// # Errors
    ///
    /// There is no interface `vxlan.device`, `name` is taken, or the kernel refuses.
    pub fn create_vxlan(&mut self, name: &str, vxlan: &Vxlan) -> Result<(), LinkError> {
        let operation = LinkOperation::CreateVxlan { vni: vxlan.vni };
        check_name(name)?;
        let device = match &vxlan.device {
            Some(device) => Some(self.index_of(device, &operation, name)?),
            None => None,
        };
        self.client
            .change(&message::link::create_vxlan(name, vxlan, device), client::CREATE)
            .map_err(LinkError::during(operation, name))
    }

    /// Makes a bridge, which is down and to which no interface belongs: see [`Links::set_master`].
    ///
    /// # Errors
    ///
    /// `name` is taken, or the kernel refuses.
    pub fn create_bridge(&mut self, name: &str) -> Result<(), LinkError> {
        check_name(name)?;
        self.client
            .change(&message::link::create_bridge(name), client::CREATE)
            .map_err(LinkError::during(LinkOperation::CreateBridge, name))
    }
}

/// What the macvlan interfaces of one parent see of each other (`ip-link(8)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MacvlanMode {
    /// Nothing.
    Private,
    /// What the switch outside sends back.
    Vepa,
    /// Each other.
    Bridge,
    /// There is one only, and it has the parent to itself.
    Passthru,
    /// What comes from a list of hardware addresses.
    Source,
}

impl MacvlanMode {
    const ALL: [Self; 5] = [
        Self::Private,
        Self::Vepa,
        Self::Bridge,
        Self::Passthru,
        Self::Source,
    ];
}

/// The words of `ip link`.
impl fmt::Display for MacvlanMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Private => "private",
            Self::Vepa => "vepa",
            Self::Bridge => "bridge",
            Self::Passthru => "passthru",
            Self::Source => "source",
        })
    }
}

impl FromStr for MacvlanMode {
    type Err = MacvlanModeError;

    fn from_str(text: &str) -> Result<Self, MacvlanModeError> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.to_string() == text)
            .ok_or_else(|| MacvlanModeError {
                text: text.to_owned(),
            })
    }
}

/// The text is no mode of a macvlan interface.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a macvlan mode (private, vepa, bridge, passthru or source)")]
#[non_exhaustive]
pub struct MacvlanModeError {
    /// The refused text.
    pub text: String,
}

/// What a VXLAN interface is made of (RFC 7348).
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Vxlan {
    /// The network's number, below 2^24.
    pub vni: u32,
    /// The other end of the tunnel, or the multicast group of all ends.
    pub remote: Option<IpAddr>,
    /// The address from which the carrying packets go.
    pub local: Option<IpAddr>,
    /// The interface through which they go. A group needs it.
    pub device: Option<String>,
    /// The UDP port of all ends; without it [`Vxlan::PORT`].
    pub port: Option<u16>,
}

impl Vxlan {
    /// The port that is reserved for VXLAN. (The kernel's own default, 8472, is older than that.)
    pub const PORT: u16 = 4789;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_for_modes_are_read_back() {
        for mode in MacvlanMode::ALL {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        let error = "passthrough".parse::<MacvlanMode>().unwrap_err();
        assert!(error.to_string().contains("`passthrough` is not"), "{error}");
    }
}
