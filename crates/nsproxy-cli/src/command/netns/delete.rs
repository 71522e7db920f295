//! `nsproxy netns delete NAME...`: takes names away. The namespace lives on while something is in it.

use netns_core::NetnsName;

use super::add::{names, outcome};
use super::context::Context;
use super::failure::Result;
use super::words::Words;

pub(super) fn run(context: &Context, words: Words<'_>) -> Result {
    let names: Vec<NetnsName> = if context.options.all {
        words.end()?;
        let entries = context.registry.list()?;
        entries.into_iter().map(|entry| entry.name).collect()
    } else {
        names(words)?
    };
    outcome(context.registry.remove_each(&names))
}
