//! `nsproxy netns add NAME...`: makes namespaces and names them.
//!
//! The library makes a namespace on a thread of its own, because its caller must not move. This process has one thread and
//! ends here, so it goes from one new namespace to the next, and saves the threads.

use netns_core::{NetnsName, RegistryError};

use super::context::Context;
use super::failure::{FAILED, Failure, Result, warn};
use super::words::{Word, Words};
use crate::namespaces;

pub(super) fn run(context: &Context, words: Words<'_>) -> Result {
    let names = names(words)?;
    warn_if_unseen(context);
    outcome(context.registry.add_each_and_stay(&names))
}

/// Names that are made inside `ip netns exec`, or in a service with private mounts, may be of no use outside.
fn warn_if_unseen(context: &Context) {
    // Without an answer there is nothing to warn of.
    if let Ok(reach) = context.registry.reach()
        && let Some(text) = reach.warning()
        && namespaces::are_mounts_its_own() != Some(false)
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

/// Complains about each that failed.
pub(super) fn outcome(outcomes: Vec<std::result::Result<(), RegistryError>>) -> Result {
    let mut outcome = Ok(());
    for error in outcomes.into_iter().filter_map(std::result::Result::err) {
        Failure::from(error).complain();
        outcome = Err(Failure::told());
    }
    outcome
}
