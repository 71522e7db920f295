//! `nsproxy netns attach NAME PID`: gives a name to the namespace of a process. Instead of a number, a path or `pid:N` says
//! which namespace is meant.

use netns_core::{Netns, NetnsSpec};

use super::context::Context;
use super::failure::{FAILED, Failure, Result};
use super::words::{Word, Words};

const MISSING: &str = "No netns name and PID specified";

pub(super) fn run(context: &Context, words: &mut Words<'_>) -> Result {
    let (Some(name), Some(process)) = (words.next(), words.next()) else {
        return Err(Failure::new(FAILED, MISSING));
    };
    words.end()?;
    let name = name.netns_name()?;
    let netns = match named(process) {
        Some(spec) => context.open(&spec)?,
        None => Netns::open_pid(pid(process)?)?,
    };
    Ok(context.registry.attach(&name, &netns)?)
}

/// A path or `pid:N`. A name would be a link to a link.
fn named(word: &Word) -> Option<NetnsSpec> {
    NetnsSpec::new(&word.text)
        .ok()
        .filter(|spec| spec.name().is_none())
}

fn pid(word: &Word) -> Result<u32> {
    word.c_number()
        .filter(|&pid| pid > 0)
        .ok_or_else(|| Failure::new(FAILED, format_args!("Invalid PID: {}", word.shown())).at(word.place))
}
