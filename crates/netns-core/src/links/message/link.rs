//! Messages about interfaces.

use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd};

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoMacVlan, InfoVeth, InfoVlan, InfoVxlan, LinkAttribute, LinkFlags, LinkHeader,
    LinkInfo, LinkMessage, MacVlanMode,
};

use super::super::{Link, LinkSettings, MacvlanMode, Parent, Vxlan};
use super::{attributes, number, settings, text};
use crate::Netns;

/// The length of `struct ifinfomsg`.
const HEADER: usize = 16;
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_LINK_NETNSID: u16 = 37;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;

pub(in super::super) fn create_veth(
    name: &str,
    peer_name: &str,
    peer_netns: Option<&Netns>,
) -> RouteNetlinkMessage {
    let mut peer = named(peer_name);
    if let Some(netns) = peer_netns {
        // The descriptor, not a pid: gVisor acknowledges the latter and ignores it.
        peer.attributes
            .push(LinkAttribute::NetNsFd(netns.as_fd().as_raw_fd()));
    }
    create(
        name,
        InfoKind::Veth,
        Some(InfoData::Veth(InfoVeth::Peer(peer))),
        None,
    )
}

pub(in super::super) fn create_vlan(parent: u32, name: &str, id: u16) -> RouteNetlinkMessage {
    let data = InfoData::Vlan(vec![InfoVlan::Id(id)]);
    create(name, InfoKind::Vlan, Some(data), Some(parent))
}

pub(in super::super) fn create_macvlan(parent: u32, name: &str, mode: MacvlanMode) -> RouteNetlinkMessage {
    let mode = match mode {
        MacvlanMode::Private => MacVlanMode::Private,
        MacvlanMode::Vepa => MacVlanMode::Vepa,
        MacvlanMode::Bridge => MacVlanMode::Bridge,
        MacvlanMode::Passthru => MacVlanMode::Passthrough,
        MacvlanMode::Source => MacVlanMode::Source,
    };
    let data = InfoData::MacVlan(vec![InfoMacVlan::Mode(mode)]);
    create(name, InfoKind::MacVlan, Some(data), Some(parent))
}

/// `device` is the index of the interface that `vxlan` names.
pub(in super::super) fn create_vxlan(name: &str, vxlan: &Vxlan, device: Option<u32>) -> RouteNetlinkMessage {
    let mut data = vec![
        InfoVxlan::Id(vxlan.vni),
        InfoVxlan::Port(vxlan.port.unwrap_or(Vxlan::PORT)),
        // Without a group or a single peer, the forwarding table is all there is; it is learnt as always.
        InfoVxlan::Learning(true),
    ];
    data.extend(vxlan.remote.map(|address| match address {
        IpAddr::V4(address) => InfoVxlan::Group(address),
        IpAddr::V6(address) => InfoVxlan::Group6(address),
    }));
    data.extend(vxlan.local.map(|address| match address {
        IpAddr::V4(address) => InfoVxlan::Local(address),
        IpAddr::V6(address) => InfoVxlan::Local6(address),
    }));
    data.extend(device.map(InfoVxlan::Link));
    create(name, InfoKind::Vxlan, Some(InfoData::Vxlan(data)), None)
}

pub(in super::super) fn create_bridge(name: &str) -> RouteNetlinkMessage {
    create(name, InfoKind::Bridge, None, None)
}

pub(in super::super) fn set_up(name: &str, is_up: bool) -> RouteNetlinkMessage {
    let mut link = named(name);
    link.header.flags = if is_up { LinkFlags::Up } else { LinkFlags::empty() };
    link.header.change_mask = LinkFlags::Up;
    RouteNetlinkMessage::SetLink(link)
}

pub(in super::super) fn set_mtu(name: &str, mtu: u32) -> RouteNetlinkMessage {
    let mut link = named(name);
    link.attributes.push(LinkAttribute::Mtu(mtu));
    RouteNetlinkMessage::SetLink(link)
}

/// `master` is an index; none takes the interface out of its bridge.
pub(in super::super) fn set_master(name: &str, master: Option<u32>) -> RouteNetlinkMessage {
    let mut link = named(name);
    link.attributes
        .push(LinkAttribute::Controller(master.unwrap_or(0)));
    RouteNetlinkMessage::SetLink(link)
}

pub(in super::super) fn rename(index: u32, new_name: &str) -> RouteNetlinkMessage {
    let mut link = numbered(index);
    link.attributes.push(LinkAttribute::IfName(new_name.to_owned()));
    RouteNetlinkMessage::SetLink(link)
}

pub(in super::super) fn move_to(index: u32, netns: &Netns, new_name: Option<&str>) -> RouteNetlinkMessage {
    let mut link = numbered(index);
    link.attributes
        .push(LinkAttribute::NetNsFd(netns.as_fd().as_raw_fd()));
    link.attributes
        .extend(new_name.map(|name| LinkAttribute::IfName(name.to_owned())));
    RouteNetlinkMessage::SetLink(link)
}

pub(in super::super) fn delete(name: &str) -> RouteNetlinkMessage {
    RouteNetlinkMessage::DelLink(named(name))
}

pub(in super::super) fn get(name: &str) -> RouteNetlinkMessage {
    RouteNetlinkMessage::GetLink(named(name))
}

pub(in super::super) fn all() -> RouteNetlinkMessage {
    RouteNetlinkMessage::GetLink(LinkMessage::default())
}

/// The interface in an answer, or nothing if it is not one.
pub(in super::super) fn read(payload: &[u8]) -> Option<Link> {
    let header = LinkHeader::parse(payload).ok()?;
    let mut link = Link {
        index: header.index,
        name: String::new(),
        is_up: header.flags.contains(LinkFlags::Up),
        has_carrier: header.flags.contains(LinkFlags::LowerUp),
        mtu: 0,
        mac: None,
        kind: None,
        settings: LinkSettings::None,
        parent: None,
        master: None,
    };
    let (mut parent, mut parent_netns) = (None, None);
    for attribute in attributes(payload.get(HEADER..)?) {
        let value = attribute.value();
        match attribute.kind() {
            IFLA_IFNAME => link.name = text(value),
            IFLA_MTU => link.mtu = number(value).unwrap_or(0),
            IFLA_ADDRESS => link.mac = value.try_into().ok(),
            IFLA_LINK => parent = number(value).filter(|&index| index != 0),
            IFLA_LINK_NETNSID => parent_netns = number(value),
            IFLA_MASTER => link.master = number(value).filter(|&index| index != 0),
            IFLA_LINKINFO => {
                let find = |kind| attributes(value).find(|attribute| attribute.kind() == kind);
                link.kind = find(IFLA_INFO_KIND).map(|attribute| text(attribute.value()));
                if let (Some(kind), Some(data)) = (&link.kind, find(IFLA_INFO_DATA)) {
                    link.settings = settings::read(kind, data.value());
                }
            }
            _ => {}
        }
    }
    link.parent = parent.map(|index| match parent_netns {
        None => Parent::Here { index },
        // -1 says that the namespace has no number here: it is dying, for the kernel gives each other one a number when it
        // is asked.
        Some(nsid) => Parent::Elsewhere {
            index,
            nsid: i32::try_from(nsid).is_ok().then_some(nsid),
        },
    });
    (!link.name.is_empty()).then_some(link)
}

/// The number of the interface in an answer.
pub(in super::super) fn read_index(payload: &[u8]) -> Option<u32> {
    LinkHeader::parse(payload).ok().map(|header| header.index)
}

fn create(name: &str, kind: InfoKind, data: Option<InfoData>, parent: Option<u32>) -> RouteNetlinkMessage {
    let mut link = named(name);
    link.attributes.extend(parent.map(LinkAttribute::Link));
    let mut info = vec![LinkInfo::Kind(kind)];
    info.extend(data.map(LinkInfo::Data));
    link.attributes.push(LinkAttribute::LinkInfo(info));
    RouteNetlinkMessage::NewLink(link)
}

/// A link message in which the kernel finds the interface by its name.
fn named(name: &str) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(name.to_owned()));
    message
}

/// A link message in which the kernel finds the interface by its number, so that a name is a new one.
fn numbered(index: u32) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message
}

#[cfg(test)]
mod tests {
    use super::super::attribute;
    use super::*;

    fn bytes(message: &RouteNetlinkMessage) -> Vec<u8> {
        use netlink_packet_core::NetlinkSerializable as _;
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        bytes
    }

    /// Asked by hand of `ip link add link eth0 name eth0.5 type vlan id 5` (`linux/if_link.h`): not every
    /// kernel has VLANs, so the bytes are what can be tested everywhere.
    #[test]
    fn the_request_for_a_vlan_has_the_bytes_that_the_kernel_reads() {
        let info = [
            attribute(IFLA_INFO_KIND, b"vlan\0"),
            attribute(IFLA_INFO_DATA, &attribute(1, &5_u16.to_ne_bytes())),
        ]
        .concat();
        let expected = [
            vec![0; HEADER],
            attribute(IFLA_IFNAME, b"eth0.5\0"),
            attribute(IFLA_LINK, &7_u32.to_ne_bytes()),
            attribute(IFLA_LINKINFO, &info),
        ]
        .concat();
        assert_eq!(bytes(&create_vlan(7, "eth0.5", 5)), expected);
    }

    #[test]
    fn a_move_names_the_interface_by_number_and_its_new_name_beside() {
        let here = Netns::current().unwrap();
        let expected = [
            [vec![0; 4], 7_u32.to_ne_bytes().to_vec(), vec![0; 8]].concat(),
            attribute(28, &here.as_fd().as_raw_fd().to_ne_bytes()),
            attribute(IFLA_IFNAME, b"w0\0"),
        ]
        .concat();
        assert_eq!(bytes(&move_to(7, &here, Some("w0"))), expected);
    }

    #[test]
    fn a_parent_is_elsewhere_also_if_its_namespace_has_no_number() {
        for (nsid, expected) in [
            (None, Parent::Here { index: 3 }),
            (
                Some(5),
                Parent::Elsewhere {
                    index: 3,
                    nsid: Some(5),
                },
            ),
            (Some(-1), Parent::Elsewhere { index: 3, nsid: None }),
        ] {
            let mut payload = [
                vec![0; HEADER],
                attribute(IFLA_IFNAME, b"v0\0"),
                attribute(IFLA_LINK, &3_u32.to_ne_bytes()),
            ]
            .concat();
            payload.extend(
                nsid.map(|nsid: i32| attribute(IFLA_LINK_NETNSID, &nsid.to_ne_bytes()))
                    .unwrap_or_default(),
            );
            let link = read(&payload).unwrap();
            assert_eq!((link.parent, link.master), (Some(expected), None));
        }
    }
}
