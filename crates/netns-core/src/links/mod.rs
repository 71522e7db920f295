//! `Links`: the network interfaces of one namespace, over rtnetlink.
//!
//! Enough to wire namespaces together without another tool: interfaces, their addresses, routes, and the
//! numbers that namespaces have for each other. It is a blocking client with one netlink socket. The socket
//! was made inside the namespace and works from any thread, so nothing here enters one but the constructor,
//! and a move with a new name, which looks whether that is taken. What the kernel says when it refuses (its
//! extended acknowledgement) is kept in the error.
//!
//! The types of the netlink crates do not appear in the interface: they change with nearly each of their
//! releases.

mod address;
mod answer;
mod change;
mod client;
mod create;
mod error;
mod ext_ack;
mod link;
mod message;
mod nsid;
mod operation;
mod route;

pub use address::LinkAddress;
pub use create::{MacvlanMode, MacvlanModeError, Vxlan};
pub use error::LinkError;
pub use link::{Link, LinkSettings, Parent};
pub use nsid::{NsidChoice, NsidEntry};
pub use operation::LinkOperation;
pub use route::{Destination, Route};

use client::Client;

use crate::{Netns, scoped};

/// The network interfaces of one namespace, which this keeps alive.
///
/// ```no_run
/// use netns_core::{Netns, links::{Destination, Links, Route}};
///
/// let (left, right) = (Netns::create()?, Netns::create()?);
/// let mut links = Links::in_netns(&left)?;
/// links.create_veth("to-right", "to-left", Some(&right))?;
/// links.add_address("to-right", "10.0.0.1".parse()?, 24)?;
/// links.set_up("to-right")?;
/// links.add_route(&Route::via(Destination::Default, "10.0.0.2".parse()?))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Links {
    client: Client,
}

impl Links {
    /// The interfaces of `netns`. A thread is started which enters it.
    ///
    /// # Errors
    ///
    /// `netns` cannot be entered, or the process has no descriptor left.
    pub fn in_netns(netns: &Netns) -> Result<Self, LinkError> {
        let client = scoped::run(netns, Client::open)?.map_err(LinkError::open)?;
        Ok(Self { client })
    }

    /// The interfaces of the namespace in which the calling thread is now, wherever it goes later.
    ///
    /// # Errors
    ///
    /// The process has no descriptor left.
    pub fn here() -> Result<Self, LinkError> {
        Ok(Self {
            client: Client::open().map_err(LinkError::open)?,
        })
    }

    /// All interfaces, in the order of their indices.
    ///
    /// # Errors
    ///
    /// The kernel refuses, or the interfaces change faster than they can be listed.
    pub fn list(&mut self) -> Result<Vec<Link>, LinkError> {
        let mut links = self
            .client
            .dump(&message::link::all(), message::link::read)
            .map_err(LinkError::during(LinkOperation::List, ""))?;
        links.sort_by_key(|link| link.index);
        Ok(links)
    }

    /// The interface `name`.
    ///
    /// # Errors
    ///
    /// There is none, or the kernel refuses.
    pub fn find(&mut self, name: &str) -> Result<Link, LinkError> {
        check_name(name)?;
        self.client
            .get(&message::link::get(name), message::link::read)
            .map_err(LinkError::during(LinkOperation::Find, name))
    }

    /// The number of the interface `name`, which is looked up for `operation` on `link`.
    fn index_of(&mut self, name: &str, operation: &LinkOperation, link: &str) -> Result<u32, LinkError> {
        check_name(name)?;
        self.client
            .get(&message::link::get(name), message::link::read_index)
            .map_err(LinkError::during(operation.clone(), link))
    }

    /// The names of all interfaces, for answers in which only numbers stand.
    fn names(&mut self) -> Result<impl Fn(u32) -> Option<String> + use<>, LinkError> {
        let links = self.list()?;
        Ok(move |index| {
            let at = links.binary_search_by_key(&index, |link| link.index).ok()?;
            links.get(at).map(|link| link.name.clone())
        })
    }
}

/// Refuses what the kernel would misunderstand. Whether the name is free is the kernel's business.
fn check_name(name: &str) -> Result<(), LinkError> {
    // A `%` asks the kernel to choose a number, and so another name than the one asked for.
    let is_bad = |c: char| matches!(c, '/' | ':' | '%' | '\0') || c.is_ascii_whitespace() || c == '\x0b';
    if name.is_empty() || name.len() >= libc::IFNAMSIZ || matches!(name, "." | "..") || name.contains(is_bad)
    {
        return Err(LinkError::Name {
            name: name.to_owned(),
        });
    }
    Ok(())
}
