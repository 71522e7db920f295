//! The command line of `nsproxy netns` as a declarative parser would have it: for the completions of shells, which are made
//! of one. Nothing is read by it: `options.rs` and `words.rs` do that.

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, Command, ValueHint};

use super::help::{ENTRIES, Entry, OPTIONS, OptionEntry};
use super::{NAME, Subcommand, action, link, route};

/// `nsproxy netns` with its subcommands, and the words that may stand behind them.
pub(crate) fn described() -> Command {
    Command::new(NAME)
        .disable_help_subcommand(true)
        .disable_help_flag(true)
        .args(OPTIONS.iter().map(option))
        .subcommands(ENTRIES.iter().map(subcommand))
}

fn option(entry: &OptionEntry) -> Arg {
    let arg = Arg::new(entry.name)
        .short(entry.letter)
        .long(entry.name)
        .help(entry.about)
        .global(true);
    match entry.value {
        Some(value) => arg.value_name(value).action(ArgAction::Set),
        None => arg.action(ArgAction::SetTrue),
    }
}

fn subcommand(entry: &Entry) -> Command {
    let command = named(entry.name()).about(entry.about);
    let any = || words("words");
    match entry.subcommand {
        Subcommand::List | Subcommand::Monitor | Subcommand::Help | Subcommand::Prepare => command,
        Subcommand::Add
        | Subcommand::Attach
        | Subcommand::Delete
        | Subcommand::Identify
        | Subcommand::Pids => command.arg(any()),
        Subcommand::Set => command.arg(Arg::new("name")).arg(one_of("number", ["auto"])),
        Subcommand::ListId => command.arg(one_of("words", ["target-nsid", "nsid"]).num_args(0..)),
        Subcommand::Exec | Subcommand::Unshare => command.arg(
            any()
                .num_args(1..)
                .trailing_var_arg(true)
                .allow_hyphen_values(true)
                .value_hint(ValueHint::CommandWithArguments),
        ),
        Subcommand::Link => command.subcommands(action::names(&link::ACTIONS).into_iter().map(link_action)),
        Subcommand::Address => command.subcommands(actions_with(["dev"])),
        Subcommand::Route => command.subcommands(actions_with(route::WORDS)),
        Subcommand::Apply => command.arg(Arg::new("file").value_hint(ValueHint::FilePath)).arg(
            Arg::new("delete")
                .long("delete")
                .help("take it away again")
                .action(ArgAction::SetTrue),
        ),
    }
}

/// What is done to addresses and routes, with these words behind it.
fn actions_with<const N: usize>(words: [&'static str; N]) -> impl Iterator<Item = Command> {
    let actions = action::names(&action::ACTIONS).into_iter();
    actions.map(move |name| named(name).arg(one_of("words", words).num_args(0..)))
}

fn link_action(name: &'static str) -> Command {
    let command = named(name);
    match name {
        "add" => command.subcommands(
            link::KINDS.map(|kind| named(kind).arg(one_of("words", link::NEW_WORDS).num_args(0..))),
        ),
        "set" => command.arg(one_of("words", link::SET_WORDS).num_args(0..)),
        _ => command.arg(words("words")),
    }
}

/// A subcommand, which here has no help of its own: `--help` is one of the options of all.
fn named(name: &'static str) -> Command {
    Command::new(name)
        .disable_help_flag(true)
        .disable_help_subcommand(true)
}

fn words(name: &'static str) -> Arg {
    Arg::new(name).num_args(0..).value_hint(ValueHint::Other)
}

/// A word that is often, but not always, one of these.
fn one_of<const N: usize>(name: &'static str, words: [&'static str; N]) -> Arg {
    Arg::new(name).value_parser(PossibleValuesParser::new(words))
}

#[cfg(test)]
mod tests {
    use super::super::SUBCOMMANDS;
    use super::*;

    #[test]
    fn every_subcommand_is_described_once() {
        described().debug_assert();
        for (name, subcommand) in SUBCOMMANDS {
            // `show` and `lst` are other words for `list`; help is an option here.
            if matches!(name, "show" | "lst" | "help") {
                continue;
            }
            let entries: Vec<_> = ENTRIES.iter().filter(|entry| entry.name() == name).collect();
            assert_eq!(entries.len(), 1, "{name}");
            assert_eq!(entries[0].subcommand, subcommand);
            assert!(described().find_subcommand(name).is_some(), "{name}");
        }
        assert_eq!(described().get_subcommands().count(), ENTRIES.len());
    }
}
