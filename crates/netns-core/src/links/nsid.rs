//! The numbers that a namespace has for others (nsid).
//!
//! The kernel names foreign namespaces by such numbers, for example that of the other end of a pair. A number
//! means something in the namespace that has it and nowhere else; it has nothing to do with
//! [`NetnsId`](crate::NetnsId). It stays until the namespace dies; the kernel frees it some time after that.

use super::answer::nonsense;
use super::operation::LinkOperation;
use super::{LinkError, Links, client, message};
use crate::Netns;

/// Which number a namespace shall have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NsidChoice {
    /// The lowest that is free.
    Auto,
    /// This one, at most [`i32::MAX`].
    Fixed(u32),
}

/// A number for a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct NsidEntry {
    /// The number, in the namespace that was asked about.
    pub nsid: u32,
    /// The number that the same namespace has here, if another one was asked about and it has one here.
    pub current: Option<u32>,
}

impl Links {
    /// The number that this namespace has for `netns`, if it has one.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn nsid_of(&mut self, netns: &Netns) -> Result<Option<u32>, LinkError> {
        self.client
            .get(&message::nsid::of_netns(netns), message::nsid::read)
            .map(|found| found.nsid)
            .map_err(LinkError::during(LinkOperation::GetNsid, ""))
    }

    /// Gives `netns` a number in this namespace, and says which it is.
    ///
    /// # Errors
    ///
    /// It has one already (even the same), the number is taken or too large, or the kernel refuses.
    pub fn set_nsid(&mut self, netns: &Netns, choice: NsidChoice) -> Result<u32, LinkError> {
        let operation = LinkOperation::SetNsid { choice };
        let nsid = match choice {
            NsidChoice::Auto => None,
            NsidChoice::Fixed(nsid) => Some(signed(nsid)?),
        };
        self.client
            .change(&message::nsid::set(netns, nsid), client::MODIFY)
            .map_err(LinkError::during(operation.clone(), ""))?;
        match choice {
            NsidChoice::Fixed(nsid) => Ok(nsid),
            NsidChoice::Auto => self.nsid_of(netns)?.ok_or_else(|| {
                LinkError::during(operation, "")(nonsense("a namespace without the number that it got"))
            }),
        }
    }

    /// All numbers that this namespace has for others, or that the one with the number `target` has.
    ///
    /// # Errors
    ///
    /// There is no namespace with the number `target`, or the kernel refuses.
    pub fn list_nsids(&mut self, target: Option<u32>) -> Result<Vec<NsidEntry>, LinkError> {
        let request = message::nsid::all(target.map(signed).transpose()?);
        let found = self
            .client
            .dump(&request, message::nsid::read)
            .map_err(LinkError::during(LinkOperation::ListNsids { target }, ""))?;
        Ok(found.into_iter().filter_map(entry).collect())
    }

    /// The namespace which has the number `nsid` here: its number in the namespace with the number `target`, or
    /// without a target, here. There may be none in the target.
    ///
    /// # Errors
    ///
    /// No namespace has one of the two numbers here, or the kernel refuses.
    pub fn look_up_nsid(&mut self, nsid: u32, target: Option<u32>) -> Result<Option<NsidEntry>, LinkError> {
        let operation = LinkOperation::LookUpNsid { nsid, target };
        let request = message::nsid::look_up(signed(nsid)?, target.map(signed).transpose()?);
        self.client
            .get(&request, message::nsid::read)
            .map(entry)
            .map_err(LinkError::during(operation, ""))
    }
}

fn entry(found: message::nsid::Found) -> Option<NsidEntry> {
    Some(NsidEntry {
        nsid: found.nsid?,
        current: found.current,
    })
}

/// The kernel's numbers are signed, and negative ones mean something else.
fn signed(nsid: u32) -> Result<i32, LinkError> {
    i32::try_from(nsid).map_err(|_| LinkError::NsidTooLarge { nsid })
}
