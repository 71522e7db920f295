//! `nsproxy netns set NAME auto|N`: gives a namespace the number by which this one calls it.

use netns_core::OpenError;
use netns_core::links::{Links, NsidChoice};

use super::context::Context;
use super::failure::{FAILED, Failure, REFUSED, Result};
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
    let netns = context.registry.open(&name).map_err(|error| {
        // `ip` leaves it to the kernel to refuse what is no namespace.
        let is_refused = matches!(error, OpenError::NotNetns { .. });
        let failure = Failure::from(error);
        if is_refused {
            failure.with_code(REFUSED)
        } else {
            failure
        }
    })?;
    let refused = |error| Failure::from(error).about(&name);
    Links::here()?.set_nsid(&netns, choice).map_err(refused)?;
    Ok(())
}

pub(super) fn choice(word: &Word) -> Result<NsidChoice> {
    if word.is("auto") {
        return Ok(NsidChoice::Auto);
    }
    Ok(NsidChoice::Fixed(nsid_number(word)?))
}
