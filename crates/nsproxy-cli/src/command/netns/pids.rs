//! `nsproxy netns pids NAME`: the processes in a namespace, one a line.

use super::context::{Context, lines, print};
use super::failure::{FAILED, Failure, Result};
use super::words::Words;

pub(super) fn run(context: &Context, words: &mut Words<'_>) -> Result {
    let name = words
        .next()
        .ok_or_else(|| Failure::new(FAILED, "No netns name specified"))?
        .netns_name()?;
    if words.peek().is_some() {
        return Err(Failure::new(FAILED, "extra arguments specified"));
    }
    let pids = context.registry.pids(&name)?;
    print(lines(&pids))
}
