//! `nsproxy netns identify [PID]`: the names of the namespace that a process is in, one a line; an empty line if it has
//! none.

use super::context::{Context, print};
use super::failure::{FAILED, Failure, Result};
use super::words::Words;

pub(super) fn run(context: &Context, words: &mut Words<'_>) -> Result {
    let process = words.next();
    if words.peek().is_some() {
        return Err(Failure::new(FAILED, "extra arguments specified"));
    }
    let names = match process {
        None => context.registry.identify_current_thread()?,
        Some(word) => {
            let pid = word
                .number_of("a pid")
                .map_err(|failure| failure.with_code(FAILED))?;
            context.registry.identify(pid)?
        }
    };
    let mut text = Vec::new();
    for name in &names {
        text.extend_from_slice(name.as_bytes());
        text.push(b'\n');
    }
    if names.is_empty() {
        text.push(b'\n');
    }
    print(text)
}
