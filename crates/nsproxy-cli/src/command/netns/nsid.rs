//! The numbers by which the kernel lets one namespace call others, and the names that belong to them.

use std::collections::{BTreeMap, HashMap};

use netns_core::links::Links;
use netns_core::{Entry, EntryState, Netns, NetnsId, NetnsName};

use super::context::Context;
use super::failure::{Failure, Result, warn};

/// Finds the numbers of entries, seen from here. Each is a question to the kernel, so no more are asked than there are
/// numbers to be found: most often none.
#[derive(Debug)]
pub(super) struct Nsids<'a> {
    context: &'a Context,
    links: Links,
    /// Numbers in use whose namespace was not met yet.
    left: usize,
    known: HashMap<NetnsId, u32>,
}

impl<'a> Nsids<'a> {
    pub(super) fn here(context: &'a Context) -> Result<Self> {
        let mut links = Links::here()?;
        let left = in_use(&mut links);
        Ok(Self::with(context, links, left))
    }

    /// With links of this namespace, in which `left` numbers are in use.
    fn with(context: &'a Context, links: Links, left: usize) -> Self {
        Self {
            context,
            links,
            left,
            known: HashMap::new(),
        }
    }

    /// The number of an entry that leads to `netns`, if it has one. An entry that is no namespace has none, and is warned
    /// about.
    pub(super) fn of(&mut self, entry: &Entry, netns: Option<&Netns>) -> Option<u32> {
        let found = match (&entry.state, netns) {
            (EntryState::Live { id } | EntryState::Symlink { id: Some(id), .. }, Some(netns)) => {
                self.look_up(netns, *id)
            }
            (EntryState::Dangling, _) => Err(Failure::remark(
                "the network namespace is gone, or its mount is not visible in this mount namespace",
            )),
            (EntryState::WrongType { found }, _) => {
                Err(Failure::remark(format_args!("not a network namespace: {found}")))
            }
            (EntryState::Symlink { to, id: None }, _) => Err(Failure::remark(format_args!(
                "a symlink to {}, which is no network namespace",
                to.display()
            ))),
            (EntryState::Unreadable { error }, _) => Err(Failure::remark(error)),
            _ => Ok(None),
        };
        found.unwrap_or_else(|failure| {
            let path = self.context.registry.path().join(&entry.name);
            warn(format_args!("{}: {failure}", path.display()));
            None
        })
    }

    fn look_up(&mut self, netns: &Netns, id: NetnsId) -> Result<Option<u32>> {
        if let Some(&nsid) = self.known.get(&id) {
            return Ok(Some(nsid));
        }
        if self.left == 0 {
            return Ok(None);
        }
        let found = self.links.nsid_of(netns)?;
        if let Some(nsid) = found {
            self.known.insert(id, nsid);
            self.left -= 1;
        }
        Ok(found)
    }
}

/// How many numbers this namespace has for others. A kernel that does not list them may have any number of them.
pub(super) fn in_use(links: &mut Links) -> usize {
    links.list_nsids(None).map_or(usize::MAX, |used| used.len())
}

/// The names by number, of which `in_use` are. Of several names of one namespace it is the first.
pub(super) fn names(context: &Context, links: Links, in_use: usize) -> Result<BTreeMap<u32, NetnsName>> {
    let mut nsids = Nsids::with(context, links, in_use);
    let mut names = BTreeMap::new();
    context.registry.for_each(|entry, netns| {
        if let Some(nsid) = nsids.of(&entry, netns) {
            names.entry(nsid).or_insert(entry.name);
        }
    })?;
    Ok(names)
}
