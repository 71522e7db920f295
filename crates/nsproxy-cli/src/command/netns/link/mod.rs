//! `nsproxy netns link add|set|show|delete`: the interfaces of a namespace.

mod compare;
mod new;
mod set;
mod show;

pub(super) use new::{KINDS, NEW_WORDS, NewLink};
pub(super) use set::{Change, SET_WORDS};

use netns_core::links::Links;

use super::action;
use super::context::Context;
use super::failure::{Failure, Result};
use super::words::Words;

/// In the order in which `ip link` looks at an abbreviation.
pub(super) const ACTIONS: [(&str, Action); 5] = [
    ("add", Action::Add),
    ("set", Action::Set),
    ("delete", Action::Delete),
    ("show", Action::Show),
    ("list", Action::Show),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Show,
    Add,
    Set,
    Delete,
}

pub(super) fn run(context: &Context, mut words: Words<'_>) -> Result {
    match action::choose(context, &mut words, &ACTIONS, Action::Show)? {
        Action::Show => show::run(context, &mut words),
        Action::Add => {
            let link = NewLink::parse(words)?;
            link.make(context, None, &mut context.links(link.netns())?)
        }
        Action::Set => Change::parse(words)?.make(context, &mut Links::here()?),
        Action::Delete => {
            let name = name(&mut words)?;
            words.end()?;
            Ok(Links::here()?.delete(&name)?)
        }
    }
}

/// `[dev] NAME`.
fn name(words: &mut Words<'_>) -> Result<String> {
    words.take_if("dev");
    words
        .require("Command line is not complete: which interface?")?
        .utf8()
}

/// Whether it is about something that is not there, and nothing else.
pub(super) fn is_absent(error: &netns_core::LinkError) -> bool {
    use nix::libc::{EADDRNOTAVAIL, ENODEV, ENOENT, ESRCH};
    matches!(error, netns_core::LinkError::Refused { source, .. }
        if matches!(source.raw_os_error(), Some(ENODEV | ENOENT | ESRCH | EADDRNOTAVAIL)))
}

/// The interface, or nothing if there is none of this name.
pub(super) fn look(links: &mut Links, name: &str) -> Result<Option<netns_core::links::Link>> {
    match links.find(name) {
        Ok(link) => Ok(Some(link)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(Failure::from(error)),
    }
}
