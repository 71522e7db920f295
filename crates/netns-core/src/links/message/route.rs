//! Messages about routes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};

use super::super::{Destination, Route};
use super::{attributes, family, ip_address, number};

/// The length of `struct rtmsg`, and of `struct rtnexthop`.
const HEADER: usize = 12;
const NEXT_HOP_HEADER: usize = 8;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;
const RTA_MULTIPATH: u16 = 9;
const RTA_TABLE: u16 = 15;
const RTA_VIA: u16 = 18;
const RTN_UNICAST: u8 = 1;
/// A copy that the kernel keeps for itself.
const RTM_F_CLONED: u32 = 0x200;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// A route in an answer. Its interfaces are known by number only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Found {
    pub(in super::super) destination: Destination,
    pub(in super::super) source: Option<IpAddr>,
    pub(in super::super) metric: Option<u32>,
    pub(in super::super) protocol: u8,
    pub(in super::super) hops: Vec<Hop>,
}

/// Where a route's packets go next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in super::super) struct Hop {
    pub(in super::super) via: Option<IpAddr>,
    pub(in super::super) device: Option<u32>,
}

/// `device` is the index of the interface that `route` names.
pub(in super::super) fn add(route: &Route, device: Option<u32>) -> RouteNetlinkMessage {
    let mut message = of(route, device);
    message.header.protocol = RouteProtocol::from(route.protocol);
    message.header.kind = RouteType::Unicast;
    // The scope of IPv4 says how far the next hop is; IPv6 does not use it.
    message.header.scope = match (route.via, message.header.address_family) {
        (None, netlink_packet_route::AddressFamily::Inet) => RouteScope::Link,
        _ => RouteScope::Universe,
    };
    RouteNetlinkMessage::NewRoute(message)
}

pub(in super::super) fn remove(route: &Route, device: Option<u32>) -> RouteNetlinkMessage {
    let mut message = of(route, device);
    // Any: what is not said in the request is not compared.
    message.header.scope = RouteScope::NoWhere;
    RouteNetlinkMessage::DelRoute(message)
}

pub(in super::super) fn all() -> RouteNetlinkMessage {
    let mut message = RouteMessage::default();
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    RouteNetlinkMessage::GetRoute(message)
}

/// The route in an answer, or nothing if it is not one of the main table for packets to one receiver.
pub(in super::super) fn read(payload: &[u8]) -> Option<Found> {
    let header: &[u8; HEADER] = payload.first_chunk()?;
    let [family, prefix, _, _, short_table, protocol, _, kind, flags @ ..] = *header;
    if kind != RTN_UNICAST || u32::from_ne_bytes(flags) & RTM_F_CLONED != 0 {
        return None;
    }
    let mut address = match family {
        AF_INET => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        AF_INET6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        _ => return None,
    };
    let (mut source, mut metric, mut table) = (None, None, u32::from(short_table));
    let (mut hop, mut hops) = (Hop::default(), Vec::new());
    for attribute in attributes(payload.get(HEADER..)?) {
        let value = attribute.value();
        match attribute.kind() {
            RTA_DST => address = ip_address(value)?,
            RTA_PREFSRC => source = ip_address(value),
            RTA_PRIORITY => metric = number(value).filter(|&metric| metric != 0),
            RTA_TABLE => table = number(value)?,
            RTA_MULTIPATH => hops = next_hops(value),
            kind => hop.take(kind, value),
        }
    }
    if table != u32::from(RouteHeader::RT_TABLE_MAIN) {
        return None;
    }
    if hops.is_empty() {
        hops.push(hop);
    }
    // `Default` means the family of the gateway, and without one IPv4: see there.
    let is_ipv4 = family == AF_INET;
    let tells_family = hops
        .iter()
        .all(|hop| hop.via.map_or(is_ipv4, |via| via.is_ipv4() == is_ipv4));
    let destination = if prefix == 0 && tells_family {
        Destination::Default
    } else {
        Destination::Network { address, prefix }
    };
    Some(Found {
        destination,
        source,
        metric,
        protocol,
        hops,
    })
}

impl Hop {
    fn take(&mut self, kind: u16, value: &[u8]) {
        match kind {
            RTA_GATEWAY => self.via = ip_address(value),
            // An address family of two bytes, and the address: a gateway of the other family.
            RTA_VIA => self.via = value.get(2..).and_then(ip_address),
            RTA_OIF => self.device = number(value),
            _ => {}
        }
    }
}

/// The hops of a route with several: each a `struct rtnexthop` with attributes of its own.
fn next_hops(mut bytes: &[u8]) -> Vec<Hop> {
    let mut hops = Vec::new();
    while let Some(header) = bytes.first_chunk::<NEXT_HOP_HEADER>() {
        let [len_low, len_high, _, _, index @ ..] = *header;
        let len = usize::from(u16::from_ne_bytes([len_low, len_high]));
        let Some(own) = bytes.get(NEXT_HOP_HEADER..len) else {
            break;
        };
        let mut hop = Hop {
            via: None,
            device: Some(u32::from_ne_bytes(index)),
        };
        for attribute in attributes(own) {
            hop.take(attribute.kind(), attribute.value());
        }
        hops.push(hop);
        bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    hops
}

/// What the requests to add and to remove have in common.
fn of(route: &Route, device: Option<u32>) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    let (address, prefix) = route.network();
    message.header.address_family = family(address);
    message.header.destination_prefix_length = prefix;
    // A network of no bits is the default route, which has no address.
    if prefix > 0 {
        let address = RouteAddress::from(address);
        message.attributes.push(RouteAttribute::Destination(address));
    }
    let attributes = [
        route.via.map(|via| RouteAttribute::Gateway(via.into())),
        device.map(RouteAttribute::Oif),
        route
            .source
            .map(|source| RouteAttribute::PrefSource(source.into())),
        route.metric.map(RouteAttribute::Priority),
    ];
    message.attributes.extend(attributes.into_iter().flatten());
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5549: not every kernel has it, so the bytes are what can be tested everywhere.
    #[test]
    fn an_ipv4_default_route_by_an_ipv6_gateway_is_not_taken_for_one_of_ipv6() {
        let gateway = Ipv6Addr::LOCALHOST;
        let header = [AF_INET, 0, 0, 0, RouteHeader::RT_TABLE_MAIN, 4, 0, RTN_UNICAST];
        let via = [
            22_u16.to_ne_bytes(),
            RTA_VIA.to_ne_bytes(),
            u16::from(AF_INET6).to_ne_bytes(),
        ]
        .concat();
        let payload = [header.as_slice(), &[0; 4], &via, &gateway.octets(), &[0; 2]].concat();
        let found = read(&payload).unwrap();
        let destination = Destination::Network {
            address: Ipv4Addr::UNSPECIFIED.into(),
            prefix: 0,
        };
        assert_eq!(found.destination, destination);
        assert_eq!(found.hops[0].via, Some(gateway.into()));
    }
}
