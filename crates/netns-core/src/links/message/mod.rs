//! The requests, and what is read from the answers. No descriptor is used here, and nothing is sent.
//!
//! Answers are read attribute by attribute, only those that are needed: a newer kernel's unknown attribute,
//! or an old one that has grown, must not make an interface unreadable.

pub(super) mod address;
pub(super) mod link;
pub(super) mod nsid;
pub(super) mod route;
mod settings;

use std::net::IpAddr;

use netlink_packet_core::{NlaBuffer, NlasIterator};
use netlink_packet_route::AddressFamily;

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

/// A number in the byte order of this machine.
fn number(value: &[u8]) -> Option<u32> {
    value.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

/// An address of either family, told by its length.
fn ip_address(value: &[u8]) -> Option<IpAddr> {
    if let Ok(bytes) = <[u8; 4]>::try_from(value) {
        return Some(bytes.into());
    }
    <[u8; 16]>::try_from(value).ok().map(IpAddr::from)
}

/// An attribute as the kernel writes it.
#[cfg(test)]
pub(super) fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let len = u16::try_from(4 + value.len()).expect("a short value");
    let mut bytes = [len.to_ne_bytes(), kind.to_ne_bytes()].concat();
    bytes.extend_from_slice(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_is_told_by_its_length() {
        assert_eq!(ip_address(&[10, 0, 0, 1]), Some([10, 0, 0, 1].into()));
        assert_eq!(ip_address(&[0; 16]), Some([0_u8; 16].into()));
        assert_eq!(ip_address(&[0; 6]), None);
    }

    proptest! {
        #[test]
        fn any_payload_is_read_without_a_panic(bytes: Vec<u8>) {
            link::read(&bytes);
            for kind in ["vlan", "macvlan", "vxlan", "other"] {
                settings::read(kind, &bytes);
            }
            link::read_index(&bytes);
            address::read(&bytes);
            route::read(&bytes);
            nsid::read(&bytes);
        }
    }
}
