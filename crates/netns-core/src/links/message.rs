//! The requests, and what is read from the answers. No descriptor is used here, and nothing is sent.
//!
//! Answers are read attribute by attribute, only those that are needed: a newer kernel's unknown attribute,
//! or an old one that has grown, must not make an interface unreadable.

use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd};

use netlink_packet_core::{NlaBuffer, NlasIterator};
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkHeader, LinkInfo, LinkMessage,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::Destination;
use crate::Netns;

/// The length of `struct ifinfomsg`.
const LINK_HEADER: usize = 16;
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;

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
}

pub(super) fn create_veth(name: &str, peer_name: &str, peer_netns: Option<&Netns>) -> RouteNetlinkMessage {
    let mut peer = named(peer_name);
    if let Some(netns) = peer_netns {
        // The descriptor, not a pid: gVisor acknowledges the latter and ignores it.
        peer.attributes
            .push(LinkAttribute::NetNsFd(netns.as_fd().as_raw_fd()));
    }
    let mut link = named(name);
    link.attributes.push(LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::Veth),
        LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
    ]));
    RouteNetlinkMessage::NewLink(link)
}

pub(super) fn set_up(name: &str) -> RouteNetlinkMessage {
    let mut link = named(name);
    link.header.flags = LinkFlags::Up;
    link.header.change_mask = LinkFlags::Up;
    RouteNetlinkMessage::SetLink(link)
}

pub(super) fn delete(name: &str) -> RouteNetlinkMessage {
    RouteNetlinkMessage::DelLink(named(name))
}

pub(super) fn get_link(name: &str) -> RouteNetlinkMessage {
    RouteNetlinkMessage::GetLink(named(name))
}

pub(super) fn all_links() -> RouteNetlinkMessage {
    RouteNetlinkMessage::GetLink(LinkMessage::default())
}

pub(super) fn add_address(index: u32, address: IpAddr, prefix: u8) -> RouteNetlinkMessage {
    let mut message = AddressMessage::default();
    message.header.family = family(address);
    message.header.prefix_len = prefix;
    message.header.index = index;
    if address.is_ipv6() {
        message.header.flags = AddressHeaderFlags::Nodad;
    }
    message.attributes = vec![
        AddressAttribute::Local(address),
        AddressAttribute::Address(address),
    ];
    RouteNetlinkMessage::NewAddress(message)
}

pub(super) fn add_route(destination: Destination, via: IpAddr) -> RouteNetlinkMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family(via);
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = RouteProtocol::Static;
    message.header.kind = RouteType::Unicast;
    if let Destination::Network { address, prefix } = destination {
        message.header.destination_prefix_length = prefix;
        message
            .attributes
            .push(RouteAttribute::Destination(RouteAddress::from(address)));
    }
    message
        .attributes
        .push(RouteAttribute::Gateway(RouteAddress::from(via)));
    RouteNetlinkMessage::NewRoute(message)
}

/// The interface in an answer, or nothing if it is not one.
pub(super) fn link(payload: &[u8]) -> Option<Link> {
    let header = LinkHeader::parse(payload).ok()?;
    let mut link = Link {
        index: header.index,
        name: String::new(),
        is_up: header.flags.contains(LinkFlags::Up),
        has_carrier: header.flags.contains(LinkFlags::LowerUp),
        mtu: 0,
        mac: None,
        kind: None,
    };
    for attribute in attributes(payload.get(LINK_HEADER..)?) {
        let value = attribute.value();
        match attribute.kind() {
            IFLA_IFNAME => link.name = text(value),
            IFLA_MTU => link.mtu = value.first_chunk().map_or(0, |bytes| u32::from_ne_bytes(*bytes)),
            IFLA_ADDRESS => link.mac = value.try_into().ok(),
            IFLA_LINKINFO => {
                link.kind = attributes(value)
                    .find(|attribute| attribute.kind() == IFLA_INFO_KIND)
                    .map(|attribute| text(attribute.value()));
            }
            _ => {}
        }
    }
    (!link.name.is_empty()).then_some(link)
}

/// The number of the interface in an answer.
pub(super) fn link_index(payload: &[u8]) -> Option<u32> {
    LinkHeader::parse(payload).ok().map(|header| header.index)
}

/// A link message in which the kernel finds the interface by its name.
fn named(name: &str) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(name.to_owned()));
    message
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    }
}

/// The attributes up to the first that is malformed.
fn attributes(bytes: &[u8]) -> impl Iterator<Item = NlaBuffer<&[u8]>> {
    NlasIterator::new(bytes).map_while(Result::ok)
}

/// Text up to the first NUL.
fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value.split(|&byte| byte == 0).next().unwrap_or_default()).into_owned()
}
