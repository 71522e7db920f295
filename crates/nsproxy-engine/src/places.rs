//! Where the engine itself listens: what a connection to a server must not lead back to.
//!
//! Each worker keeps what it was told of. What is done with the answer is in `worker/loops.rs`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use netns_core::NetnsId;

use crate::listeners::{Listener, ListenerId};
use crate::plan::Endpoint;

/// The IP listeners that a worker knows, by port.
#[derive(Debug, Default)]
pub(crate) struct OwnPlaces(HashMap<u16, Vec<OwnPlace>>);

/// One listener.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OwnPlace {
    pub(crate) listener: ListenerId,
    netns: NetnsId,
    /// An address in IPv6 form for IPv4 is in IPv4 form here.
    ip: IpAddr,
    /// Takes connections to addresses that are not this host's: which ones reach it is for the routing to know.
    pub(crate) is_transparent: bool,
    /// One at all addresses of IPv6 takes IPv4, too.
    is_dual: bool,
}

impl OwnPlaces {
    /// Adds a listener; one at a path cannot be where a connection between addresses leads.
    pub(crate) fn add(&mut self, listener: &Listener) {
        if let Endpoint::Ip(address) = listener.bound {
            self.put(
                address.port(),
                OwnPlace {
                    listener: listener.id,
                    netns: listener.netns,
                    ip: address.ip().to_canonical(),
                    is_transparent: listener.transparent,
                    is_dual: listener.is_dual(),
                },
            );
        }
    }

    /// Forgets a listener.
    pub(crate) fn remove(&mut self, listener: &Listener) {
        if let Endpoint::Ip(address) = listener.bound
            && let Entry::Occupied(mut places) = self.0.entry(address.port())
        {
            places.get_mut().retain(|place| place.listener != listener.id);
            if places.get().is_empty() {
                places.remove();
            }
        }
    }

    fn put(&mut self, port: u16, place: OwnPlace) {
        self.0.entry(port).or_default().push(place);
    }

    /// Whether an address is a listener's very own, in some namespace.
    pub(crate) fn is_bound(&self, address: &SocketAddr) -> bool {
        let ip = meant(address.ip());
        self.at(address.port()).iter().any(|place| place.ip == ip)
    }

    /// Whether a listener may take connections to an address, in some namespace.
    pub(crate) fn may_take(&self, address: &SocketAddr) -> bool {
        let ip = meant(address.ip());
        self.at(address.port()).iter().any(|place| place.takes(ip))
    }

    /// The listener that takes connections to an address in this namespace if they arrive there at all: as the kernel has it,
    /// one that is bound to the address before one that is bound to all.
    pub(crate) fn taker(&self, netns: NetnsId, address: &SocketAddr) -> Option<OwnPlace> {
        let ip = meant(address.ip());
        let takers = self.at(address.port()).iter();
        let takers = takers.filter(|place| place.netns == netns && place.takes(ip));
        takers.max_by_key(|place| place.ip == ip).copied()
    }

    fn at(&self, port: u16) -> &[OwnPlace] {
        self.0.get(&port).map_or(&[], Vec::as_slice)
    }
}

impl OwnPlace {
    /// Whether it is bound to all addresses of a family.
    pub(crate) fn is_wildcard(&self) -> bool {
        self.ip.is_unspecified()
    }

    fn takes(&self, ip: IpAddr) -> bool {
        let is_of_its_family = self.ip.is_ipv4() == ip.is_ipv4() || self.ip.is_ipv6() && self.is_dual;
        self.ip == ip || self.is_wildcard() && is_of_its_family
    }
}

/// The address that a connection goes to: the unspecified one stands for the loopback address (ip(7)).
pub(crate) fn meant(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> NetnsId {
        let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
        NetnsId::of_socket(&socket).unwrap()
    }

    fn places(addresses: &[&str]) -> OwnPlaces {
        let mut places = OwnPlaces::default();
        for (id, address) in (0..).zip(addresses) {
            // `only`: for IPv6 only.
            let (address, is_dual) = match address.strip_prefix("only ") {
                Some(address) => (address, false),
                None => (*address, true),
            };
            let address: SocketAddr = address.parse().unwrap();
            let place = OwnPlace {
                listener: ListenerId(id),
                netns: here(),
                ip: address.ip(),
                is_transparent: false,
                is_dual,
            };
            places.put(address.port(), place);
        }
        places
    }

    fn taker(places: &OwnPlaces, address: &str) -> Option<u32> {
        let taker = places.taker(here(), &address.parse().unwrap());
        taker.map(|place| place.listener.0)
    }

    #[test]
    fn the_most_specific_listener_takes_a_connection() {
        let places = places(&["0.0.0.0:80", "10.0.0.1:80", "[::]:81", "[2001:db8::1]:80"]);
        assert_eq!(taker(&places, "10.0.0.1:80"), Some(1));
        assert_eq!(taker(&places, "[::ffff:10.0.0.1]:80"), Some(1));
        assert_eq!(taker(&places, "10.0.0.2:80"), Some(0));
        assert_eq!(taker(&places, "[2001:db8::1]:80"), Some(3));
        assert_eq!(taker(&places, "10.0.0.1:82"), None);
    }

    #[test]
    fn all_of_ipv6_includes_ipv4_and_not_the_other_way_round() {
        let places = places(&["0.0.0.0:80", "[::]:81", "only [::]:82"]);
        assert_eq!(taker(&places, "10.0.0.1:82"), None);
        assert_eq!(taker(&places, "[2001:db8::2]:82"), Some(2));
        assert_eq!(taker(&places, "[2001:db8::2]:80"), None);
        assert_eq!(taker(&places, "10.0.0.1:81"), Some(1));
        assert_eq!(taker(&places, "[2001:db8::2]:81"), Some(1));
        assert!(!places.may_take(&"[2001:db8::2]:80".parse().unwrap()));
        assert!(!places.is_bound(&"10.0.0.1:80".parse().unwrap()));
    }

    #[test]
    fn the_unspecified_address_means_the_loopback_address() {
        let places = places(&["127.0.0.1:80", "[::1]:80"]);
        assert_eq!(taker(&places, "0.0.0.0:80"), Some(0));
        assert_eq!(taker(&places, "[::]:80"), Some(1));
    }
}
