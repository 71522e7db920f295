//! The addresses of interfaces.

use std::net::IpAddr;

use super::operation::LinkOperation;
use super::{LinkError, Links, client, message};

/// An address of an interface, as it was when it was listed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkAddress {
    /// The interface's name.
    pub link: String,
    /// The interface's number.
    pub index: u32,
    /// The address.
    pub address: IpAddr,
    /// The length of its network's prefix, in bits.
    pub prefix: u8,
    /// The other end's address, where the interface leads to one peer.
    pub peer: Option<IpAddr>,
    /// The kernel is still looking whether someone else has it (IPv6 duplicate address detection).
    pub is_tentative: bool,
}

impl Links {
    /// Gives the interface `name` an address, in a network of `prefix` bits. The kernel adds the route to the
    /// network when the interface is up.
    ///
    /// An IPv6 address can be used at once: duplicate address detection, which takes a second or more, is
    /// left out.
    /// A router still waits, for its own link-local address, before it forwards IPv6 over an interface that has
    /// just come up.
    ///
    /// # Errors
    ///
    /// There is no such interface, it has the address already, or the kernel refuses.
    pub fn add_address(&mut self, name: &str, address: IpAddr, prefix: u8) -> Result<(), LinkError> {
        let operation = LinkOperation::AddAddress { address, prefix };
        let index = self.index_of(name, &operation, name)?;
        self.client
            .change(&message::address::add(index, address, prefix), client::CREATE)
            .map_err(LinkError::during(operation, name))
    }

    /// Takes an address away from the interface `name`.
    ///
    /// # Errors
    ///
    /// There is no such interface, it does not have the address with this prefix, or the kernel refuses.
    pub fn remove_address(&mut self, name: &str, address: IpAddr, prefix: u8) -> Result<(), LinkError> {
        let operation = LinkOperation::RemoveAddress { address, prefix };
        let index = self.index_of(name, &operation, name)?;
        self.client
            .change(&message::address::remove(index, address, prefix), client::MODIFY)
            .map_err(LinkError::during(operation, name))
    }

    /// The addresses of all interfaces, in the order of the interfaces.
    ///
    /// # Errors
    ///
    /// The kernel refuses, or the addresses change faster than they can be listed.
    pub fn list_addresses(&mut self) -> Result<Vec<LinkAddress>, LinkError> {
        let mut found = self
            .client
            .dump(&message::address::all(), message::address::read)
            .map_err(LinkError::during(LinkOperation::ListAddresses, ""))?;
        found.sort_by_key(|address| address.index);
        let name_of = self.names()?;
        Ok(found
            .into_iter()
            // An interface that went away between the two lists took its addresses with it.
            .filter_map(|found| {
                Some(LinkAddress {
                    link: name_of(found.index)?,
                    index: found.index,
                    address: found.address,
                    prefix: found.prefix,
                    peer: found.peer,
                    is_tentative: found.is_tentative,
                })
            })
            .collect())
    }
}
