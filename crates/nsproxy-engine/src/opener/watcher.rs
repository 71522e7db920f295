//! The other half of the seam: who tells that the name of a namespace leads elsewhere now.
//!
//! An opener makes sockets in namespaces; a [`NetnsWatcher`] says when names come, go, and lead to others. Both know where
//! namespaces are to be found, so both come from the same [`OpenerFactory`](super::OpenerFactory). What it tells is a hint: the
//! engine asks its opener for a socket in each namespace that may have changed, and takes that socket's word for which one it is.
//! So a hint too many costs a system call or two, and one that is late is taken as it stands then.

use std::collections::BTreeSet;
use std::io;

use netns_core::NetnsSpec;

/// Watches names of namespaces. There is one for an engine, on a thread of its own, where it was made.
pub trait NetnsWatcher {
    /// Takes the registry that its descriptors are to be registered with, under tokens from `first` on.
    fn register(&mut self, registry: mio::Registry, first: usize);

    /// From now on these are of interest, and no others. What was not of interest before is told now, as it stands: it may have
    /// changed before anybody watched.
    ///
    /// # Errors
    ///
    /// Some cannot be watched; the others are. [`NetnsWatcher::retry`] is called after a second.
    fn watch(&mut self, interest: &NetnsInterest, changes: &mut Vec<NetnsChange>) -> io::Result<()>;

    /// Tries again what has failed.
    ///
    /// # Errors
    ///
    /// It has failed again.
    fn retry(&mut self, changes: &mut Vec<NetnsChange>) -> io::Result<()>;

    /// One of its descriptors is ready. Must not block.
    ///
    /// # Errors
    ///
    /// As [`NetnsWatcher::watch`].
    fn on_ready(&mut self, token: mio::Token, changes: &mut Vec<NetnsChange>) -> io::Result<()>;
}

/// What is of interest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NetnsInterest {
    /// These.
    pub specs: BTreeSet<NetnsSpec>,
    /// Every name that there is, since a pattern may match it.
    pub all_names: bool,
}

impl NetnsInterest {
    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.specs.is_empty() && !self.all_names
    }
}

/// A namespace that may be another one than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetnsChange {
    /// As plans call it.
    pub netns: NetnsSpec,
    /// What is there now.
    pub presence: Presence,
}

/// What seems to be there under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// A network namespace.
    There,
    /// None.
    Missing,
    /// None, and there will not be one again: it was that of a process which has ended. Whoever gets its number is another.
    Ended,
}
