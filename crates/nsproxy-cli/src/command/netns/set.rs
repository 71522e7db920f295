//! `nsproxy netns set NAME auto|N`: gives a namespace the number by which this one calls it.

use netns_core::links::{Links, NsidChoice};

use super::context::Context;
use super::failure::{FAILED, Failure, Result};
use super::list_id::nsid_number;
use super::words::{Word, Words};

pub(super) fn run(context: &Context, words: &mut Words<'_>) -> Result {
    let name = words
        .next()
        .ok_or_else(|| Failure::new(FAILED, "No netns name specified"))?
        .netns_name()?;
    let choice = words
        .next()
        .ok_or_else(|| Failure::new(FAILED, "No nsid specified"))
        .and_then(choice)?;
    words.end()?;
    let netns = context.registry.open(&name)?;
    Links::here()?.set_nsid(&netns, choice)?;
    Ok(())
}

pub(super) fn choice(word: &Word) -> Result<NsidChoice> {
    if word.is("auto") {
        return Ok(NsidChoice::Auto);
    }
    Ok(NsidChoice::Fixed(nsid_number(word)?))
}
