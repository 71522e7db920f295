//! `nsproxy netns list`: the names, each with its number if it has one here.

use std::io::Write as _;

use netns_core::NetnsName;

use super::context::Context;
use super::failure::Result;
use super::json::{self, Object};
use super::nsid::Nsids;

pub(super) fn run(context: &Context) -> Result {
    let mut nsids = Nsids::here(context)?;
    let mut listed = Vec::new();
    context
        .registry
        .for_each(|entry, netns| listed.push((nsids.of(&entry, netns), entry.name)))?;
    let mut text = Vec::new();
    for (nsid, name) in &listed {
        // A name is bytes, and is printed as it is.
        text.extend_from_slice(name.as_bytes());
        if let Some(nsid) = nsid {
            write!(text, " (id: {nsid})")?;
        }
        text.push(b'\n');
    }
    context.answer(text, || {
        listed.iter().map(|(nsid, name)| object(*nsid, name)).collect()
    })
}

fn object(nsid: Option<u32>, name: &NetnsName) -> Object {
    let id = nsid.map(|nsid| ("id", nsid.into()));
    [("name", json::name(name))].into_iter().chain(id).collect()
}
