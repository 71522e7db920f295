//! `nsproxy netns`: network namespaces from the shell, as `ip netns` has them, and what is needed to wire them.
//!
//! The work is done by `netns-core`; here are words, answers and exit codes. Each subcommand has a file. The process has
//! one thread here, so that it may enter a namespace and stay there.

mod action;
mod add;
mod address;
mod apply;
mod args;
mod attach;
mod context;
mod delete;
mod described;
mod exec;
mod failure;
mod help;
mod identify;
mod json;
mod link;
mod list;
mod list_id;
mod manual;
mod monitor;
mod nsid;
mod options;
mod pids;
mod prepare;
mod route;
mod set;
mod unshare;
mod words;

use std::ffi::OsString;
use std::process::ExitCode;

pub(crate) use args::Netns;
use context::Context;
pub(crate) use described::described;
use failure::Result;
pub(crate) use manual::page as manual;
use options::Options;
use words::{Word, Words};

/// The subcommands. An abbreviation means the first that it begins: those of `ip netns` in its own order, then ours.
const SUBCOMMANDS: [(&str, Subcommand); 19] = [
    ("list", Subcommand::List),
    ("show", Subcommand::List),
    ("lst", Subcommand::List),
    ("list-id", Subcommand::ListId),
    ("help", Subcommand::Help),
    ("add", Subcommand::Add),
    ("set", Subcommand::Set),
    ("delete", Subcommand::Delete),
    ("identify", Subcommand::Identify),
    ("pids", Subcommand::Pids),
    ("exec", Subcommand::Exec),
    ("monitor", Subcommand::Monitor),
    ("attach", Subcommand::Attach),
    ("unshare", Subcommand::Unshare),
    ("link", Subcommand::Link),
    ("address", Subcommand::Address),
    ("route", Subcommand::Route),
    ("apply", Subcommand::Apply),
    ("prepare", Subcommand::Prepare),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subcommand {
    List,
    ListId,
    Help,
    Add,
    Set,
    Delete,
    Identify,
    Pids,
    Exec,
    Monitor,
    Attach,
    Unshare,
    Link,
    Address,
    Route,
    Apply,
    Prepare,
}

/// The word by which `nsproxy` knows this command.
pub(crate) const NAME: &str = "netns";

/// Carries out the words behind [`NAME`].
pub(crate) fn netns(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    match run(&Word::number(words)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.complain();
            ExitCode::from(failure.code())
        }
    }
}

fn run(words: &[Word]) -> Result {
    let mut options = Options::default();
    let rest = options::before(&mut options, words)?;
    let Some((first, rest)) = rest.split_first() else {
        if options.help {
            return help::print_for(None);
        }
        options.check(Subcommand::List, "list")?;
        return list::run(&Context::enter(options)?);
    };
    let subcommand = find(first)?;
    // A command that is to be run keeps its own options.
    let rest = if matches!(subcommand, Subcommand::Exec | Subcommand::Unshare) {
        options::leading(&mut options, rest)?.into()
    } else {
        options::between(&mut options, rest)?
    };
    if options.help || subcommand == Subcommand::Help {
        return help::print_for((subcommand != Subcommand::Help).then_some(subcommand));
    }
    options.check(subcommand, &first.shown())?;
    dispatch(subcommand, &Context::enter(options)?, Words::behind(first, &rest))
}

fn dispatch(subcommand: Subcommand, context: &Context, mut words: Words<'_>) -> Result {
    match subcommand {
        Subcommand::List => words.end().and_then(|()| list::run(context)),
        Subcommand::ListId => list_id::run(context, words),
        Subcommand::Help => help::print_for(None),
        Subcommand::Add => add::run(context, words),
        Subcommand::Set => set::run(context, &mut words),
        Subcommand::Delete => delete::run(context, words),
        Subcommand::Identify => identify::run(context, &mut words),
        Subcommand::Pids => pids::run(context, &mut words),
        Subcommand::Exec => exec::run(context, &mut words),
        Subcommand::Monitor => words.end().and_then(|()| monitor::run(context)),
        Subcommand::Attach => attach::run(context, &mut words),
        Subcommand::Unshare => unshare::run(&mut words),
        Subcommand::Link => link::run(context, words),
        Subcommand::Address => address::run(context, words),
        Subcommand::Route => route::run(context, words),
        Subcommand::Apply => apply::run(context, &mut words),
        Subcommand::Prepare => words.end().and_then(|()| prepare::run(context)),
    }
}

fn find(word: &Word) -> Result<Subcommand> {
    SUBCOMMANDS
        .into_iter()
        .find(|(name, _)| word.abbreviates(name))
        .map(|(_, subcommand)| subcommand)
        .ok_or_else(|| {
            word.wrong(format_args!(
                "Command \"{}\" is unknown, try \"nsproxy netns help\".",
                word.shown()
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abbreviations_are_those_of_ip_netns() {
        let find = |text: &str| {
            find(&Word {
                text: text.into(),
                place: 0,
            })
            .ok()
        };
        for (text, subcommand) in [
            ("l", Subcommand::List),
            ("ls", Subcommand::List),
            ("lst", Subcommand::List),
            ("s", Subcommand::List),
            ("list-", Subcommand::ListId),
            ("h", Subcommand::Help),
            ("a", Subcommand::Add),
            ("se", Subcommand::Set),
            ("d", Subcommand::Delete),
            ("del", Subcommand::Delete),
            ("i", Subcommand::Identify),
            ("p", Subcommand::Pids),
            ("pr", Subcommand::Prepare),
            ("e", Subcommand::Exec),
            ("m", Subcommand::Monitor),
            ("at", Subcommand::Attach),
            ("lin", Subcommand::Link),
            ("addr", Subcommand::Address),
            ("r", Subcommand::Route),
            ("ap", Subcommand::Apply),
            ("u", Subcommand::Unshare),
        ] {
            assert_eq!(find(text), Some(subcommand), "{text}");
        }
        assert_eq!(find(""), None);
        assert_eq!(find("lists"), None);
    }
}
