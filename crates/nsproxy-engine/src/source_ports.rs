//! The ports that connections to one server come from, where a plan gives a range of them.
//!
//! Each connection has a port to itself until its socket is closed. The one that was free for longest is next, so that what the
//! kernel still remembers of the connection before (TIME-WAIT) is in nobody's way for as long as possible.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::plan::SourceAddress;

/// The ports of one address that are free.
#[derive(Debug)]
pub(crate) struct SourcePorts {
    ip: IpAddr,
    first: NonZeroU16,
    last: NonZeroU16,
    free: Mutex<VecDeque<NonZeroU16>>,
}

impl SourcePorts {
    /// Those of a plan's address. `None`: it has no range of ports.
    pub(crate) fn of(address: SourceAddress) -> Option<Self> {
        let SourceAddress::Ports { ip, first, last } = address else {
            return None;
        };
        let free = (first.get()..=last.get()).filter_map(NonZeroU16::new).collect();
        Some(Self {
            ip,
            first,
            last,
            free: Mutex::new(free),
        })
    }

    /// Whether these are the ports of that address.
    pub(crate) fn are_of(&self, address: SourceAddress) -> bool {
        let Self { ip, first, last, .. } = *self;
        address == SourceAddress::Ports { ip, first, last }
    }

    /// A port for a new connection, if one is free.
    pub(crate) fn take(&self) -> Option<NonZeroU16> {
        self.free().pop_front()
    }

    /// The port of a connection whose socket is closed.
    pub(crate) fn give_back(&self, port: NonZeroU16) {
        self.free().push_back(port);
    }

    fn free(&self) -> MutexGuard<'_, VecDeque<NonZeroU16>> {
        // Nothing in here panics half-way.
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn port(port: u16) -> NonZeroU16 {
        NonZeroU16::new(port).unwrap()
    }

    fn range(first: u16, last: u16) -> SourceAddress {
        SourceAddress::Ports {
            ip: IpAddr::from([10, 0, 0, 1]),
            first: port(first),
            last: port(last),
        }
    }

    #[test]
    fn the_port_that_was_free_for_longest_is_next_and_none_is_given_twice() {
        let ports = SourcePorts::of(range(7, 9)).unwrap();
        let [a, b] = [(); 2].map(|()| ports.take());
        assert_eq!([a, b], [Some(port(7)), Some(port(8))]);
        ports.give_back(port(7));
        assert_eq!(
            [(); 3].map(|()| ports.take()),
            [Some(port(9)), Some(port(7)), None]
        );
    }

    #[test]
    fn the_highest_port_is_one_and_a_reversed_range_has_none() {
        let highest = SourcePorts::of(range(65_535, 65_535)).unwrap();
        assert_eq!([(); 2].map(|()| highest.take()), [Some(port(65_535)), None]);
        assert_eq!(SourcePorts::of(range(9, 7)).unwrap().take(), None);
        assert!(SourcePorts::of(SourceAddress::Any).is_none());
    }

    #[test]
    fn ports_are_known_again_by_address_and_range() {
        let ports = SourcePorts::of(range(7, 9)).unwrap();
        assert!(ports.are_of(range(7, 9)));
        assert!(!ports.are_of(range(7, 8)));
    }
}
