//! The numbers by which the kernel lets one namespace call others, and the names that belong to them.

use std::collections::BTreeMap;

use netns_core::links::Links;
use netns_core::{Entry, EntryState, NetnsName};

use super::context::Context;
use super::failure::{Failure, Result, warn};

/// The number of an entry, seen from here. An entry that is no namespace has none, and is warned about.
pub(super) fn of(context: &Context, links: &mut Links, entry: &Entry) -> Option<u32> {
    let found = match &entry.state {
        EntryState::Live { .. } | EntryState::Symlink { id: Some(_), .. } => context
            .registry
            .open(&entry.name)
            .map_err(Failure::from)
            .and_then(|netns| Ok(links.nsid_of(&netns)?)),
        EntryState::Dangling => Err(Failure::new(
            0,
            "the network namespace is gone, or its mount is not visible in this mount namespace",
        )),
        EntryState::WrongType { found } => {
            Err(Failure::new(0, format_args!("not a network namespace: {found}")))
        }
        EntryState::Symlink { to, id: None } => Err(Failure::new(
            0,
            format_args!("a symlink to {}, which is no network namespace", to.display()),
        )),
        EntryState::Unreadable { error } => Err(Failure::new(0, error)),
        _ => Ok(None),
    };
    found.unwrap_or_else(|failure| {
        warn(format_args!(
            "{}: {failure}",
            context.registry.path().join(&entry.name).display()
        ));
        None
    })
}

/// The names by number. Of several names of one namespace it is the first.
pub(super) fn names(context: &Context, links: &mut Links) -> Result<BTreeMap<u32, NetnsName>> {
    let mut names = BTreeMap::new();
    for entry in context.registry.list()? {
        if let Some(nsid) = of(context, links, &entry) {
            names.entry(nsid).or_insert(entry.name);
        }
    }
    Ok(names)
}
