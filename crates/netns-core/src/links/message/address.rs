//! Messages about the addresses of interfaces.

use std::net::IpAddr;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};

use super::{attributes, family, ip_address, number};

/// The length of `struct ifaddrmsg`.
const HEADER: usize = 8;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;
/// In the flags: duplicate address detection is not over.
const IFA_F_TENTATIVE: u32 = 0x40;

/// An address in an answer. The interface is known by its number only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Found {
    pub(in super::super) index: u32,
    pub(in super::super) address: IpAddr,
    pub(in super::super) prefix: u8,
    pub(in super::super) peer: Option<IpAddr>,
    pub(in super::super) is_tentative: bool,
}

pub(in super::super) fn add(index: u32, address: IpAddr, prefix: u8) -> RouteNetlinkMessage {
    let mut message = of(index, address, prefix);
    if address.is_ipv6() {
        message.header.flags = AddressHeaderFlags::Nodad;
    }
    RouteNetlinkMessage::NewAddress(message)
}

pub(in super::super) fn remove(index: u32, address: IpAddr, prefix: u8) -> RouteNetlinkMessage {
    RouteNetlinkMessage::DelAddress(of(index, address, prefix))
}

pub(in super::super) fn all() -> RouteNetlinkMessage {
    RouteNetlinkMessage::GetAddress(AddressMessage::default())
}

/// The address in an answer, or nothing if it is not one of IP.
pub(in super::super) fn read(payload: &[u8]) -> Option<Found> {
    let header: &[u8; HEADER] = payload.first_chunk()?;
    let [_, prefix, short_flags, _, index @ ..] = *header;
    let (mut local, mut remote, mut flags) = (None, None, u32::from(short_flags));
    for attribute in attributes(payload.get(HEADER..)?) {
        match attribute.kind() {
            IFA_LOCAL => local = ip_address(attribute.value()),
            IFA_ADDRESS => remote = ip_address(attribute.value()),
            IFA_FLAGS => flags = number(attribute.value()).unwrap_or(flags),
            _ => {}
        }
    }
    // IPv6 has `IFA_LOCAL` only where there is a peer; with IPv4 both are the same unless there is one.
    let address = local.or(remote)?;
    Some(Found {
        index: u32::from_ne_bytes(index),
        address,
        prefix,
        peer: remote.filter(|&remote| remote != address),
        is_tentative: flags & IFA_F_TENTATIVE != 0,
    })
}

fn of(index: u32, address: IpAddr, prefix: u8) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = family(address);
    message.header.prefix_len = prefix;
    message.header.index = index;
    message.attributes = vec![
        AddressAttribute::Local(address),
        AddressAttribute::Address(address),
    ];
    message
}
