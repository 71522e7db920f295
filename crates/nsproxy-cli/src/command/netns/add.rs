//! `nsproxy netns add NAME...`: makes namespaces and names them.
//!
//! The library makes a namespace on a thread of its own, because its caller must not move. This process has one thread and
//! ends here, so it goes from one new namespace to the next, and saves the threads.

use std::fs;
use std::io;

use netns_core::error::{OpenError, OpenOperation, Target};
use netns_core::{Netns, NetnsName};
use nix::sched::{CloneFlags, unshare};

use super::context::Context;
use super::failure::{FAILED, Failure, Result, warn};
use super::words::{Word, Words};

pub(super) fn run(context: &Context, words: Words<'_>) -> Result {
    let names = names(words)?;
    warn_if_unseen(context);
    each(&names, |name| {
        unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| OpenError::System {
            operation: OpenOperation::Create,
            target: Target::New,
            source: io::Error::from(errno),
        })?;
        Ok(context.registry.attach(name, &Netns::current()?)?)
    })
}

/// Names that are made inside `ip netns exec`, or in a service with private mounts, may be of no use outside.
fn warn_if_unseen(context: &Context) {
    let mounts_of = |process: &str| fs::read_link(format!("/proc/{process}/ns/mnt")).ok();
    // The mounts are many, and are read only where there may be something to tell.
    let own = mounts_of("self");
    if own.is_some() && own == mounts_of("1") {
        return;
    }
    // Without an answer there is nothing to warn of.
    if let Ok(reach) = context.registry.reach()
        && let Some(text) = reach.warning()
    {
        warn(text);
    }
}

/// One name at least. All are checked before the first is used.
pub(super) fn names(words: Words<'_>) -> Result<Vec<NetnsName>> {
    let names: Vec<_> = words.map(Word::netns_name).collect::<Result<_>>()?;
    if names.is_empty() {
        return Err(Failure::new(FAILED, "No netns name specified"));
    }
    Ok(names)
}

/// Does it for each name, also when it failed for one.
pub(super) fn each<'a>(
    names: impl IntoIterator<Item = &'a NetnsName>,
    mut action: impl FnMut(&NetnsName) -> Result,
) -> Result {
    let mut outcome = Ok(());
    for name in names {
        if let Err(failure) = action(name) {
            failure.complain();
            outcome = Err(Failure::told());
        }
    }
    outcome
}
