//! The options of `nsproxy netns`: `-n NETNS`, `-all`, `-j`, `-p`, `--delete`, `--help`, with one dash or two.
//!
//! They are those of `ip`, before the subcommand and abbreviated as there, and also behind it if they are written out. A
//! command that is to be run (`exec`, `unshare`) keeps its own: reading stops at its first word.

use std::borrow::Cow;

use netns_core::NetnsSpec;

use super::Subcommand;
use super::failure::{Failure, Result};
use super::words::{Word, once};

/// What the options ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(super) struct Options {
    /// Every name of the registry.
    pub(super) all: bool,
    pub(super) json: bool,
    pub(super) pretty: bool,
    /// Undo a topology.
    pub(super) delete: bool,
    pub(super) help: bool,
    /// The namespace to act in.
    pub(super) netns: Option<NetnsSpec>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flag {
    All,
    Json,
    Pretty,
    Netns,
    Delete,
    Help,
}

/// Each option, and what it may be shortened to when nothing else is known.
const FLAGS: [(&str, Flag); 6] = [
    ("netns", Flag::Netns),
    ("all", Flag::All),
    ("json", Flag::Json),
    ("pretty", Flag::Pretty),
    ("delete", Flag::Delete),
    ("help", Flag::Help),
];

/// The single letters that are options behind a subcommand, too.
const LETTERS: [(&str, Flag); 6] = [
    ("n", Flag::Netns),
    ("netns", Flag::Netns),
    ("a", Flag::All),
    ("j", Flag::Json),
    ("p", Flag::Pretty),
    ("h", Flag::Help),
];

/// Reads the options before the subcommand; the rest begins with the subcommand.
pub(super) fn before<'a>(options: &mut Options, words: &'a [Word]) -> Result<&'a [Word]> {
    let mut rest = words;
    while let [word, behind @ ..] = rest {
        if word.is("--") {
            return Ok(behind);
        }
        let Some(name) = option_name(word) else { break };
        let Some((_, flag)) = FLAGS
            .into_iter()
            .find(|(full, _)| !name.is_empty() && full.starts_with(name))
        else {
            return Err(word.wrong(format_args!(
                "Option \"{}\" is unknown, try \"nsproxy netns --help\".",
                word.shown()
            )));
        };
        rest = options.set(flag, word, behind)?;
    }
    Ok(rest)
}

/// Takes the options out of the words behind the subcommand. A word that only looks like one stays: names may begin
/// with a dash. Behind `--` every word stays.
pub(super) fn between<'a>(options: &mut Options, words: &'a [Word]) -> Result<Cow<'a, [Word]>> {
    // Most often there is none, and the words may be a thousand names.
    if !words
        .iter()
        .any(|word| word.is("--") || written_out(word).is_some())
    {
        return Ok(words.into());
    }
    let mut plain = Vec::new();
    let mut rest = words;
    while let [word, behind @ ..] = rest {
        if word.is("--") {
            plain.extend_from_slice(behind);
            break;
        }
        if let Some(flag) = written_out(word) {
            rest = options.set(flag, word, behind)?;
        } else {
            plain.push(word.clone());
            rest = behind;
        }
    }
    Ok(plain.into())
}

/// Reads the options between a subcommand and the command that it runs.
pub(super) fn leading<'a>(options: &mut Options, words: &'a [Word]) -> Result<&'a [Word]> {
    let mut rest = words;
    while let [word, behind @ ..] = rest {
        if word.is("--") {
            return Ok(behind);
        }
        let Some(flag) = written_out(word) else { break };
        rest = options.set(flag, word, behind)?;
    }
    Ok(rest)
}

impl Options {
    /// Refuses what would have no effect.
    pub(super) fn check(&self, subcommand: Subcommand, word: &str) -> Result {
        use Subcommand::{Address, Apply, Delete, Exec, Link, List, ListId, Route};
        let has_answer = matches!(subcommand, List | ListId | Link | Address | Route);
        let refused = [
            ("-all", self.all, matches!(subcommand, Exec | Delete)),
            ("-j", self.json, has_answer),
            // Without `-j` it has no effect there either, but scripts give it to `ip` so.
            ("-p", self.pretty, has_answer),
            ("--delete", self.delete, subcommand == Apply),
        ];
        match refused
            .iter()
            .find(|(_, is_given, is_known)| *is_given && !is_known)
        {
            None => Ok(()),
            Some((option, ..)) => Err(Failure::usage(format_args!(
                "Option \"{option}\" has no meaning for \"{word}\""
            ))),
        }
    }

    /// For a command that has no answer.
    pub(super) fn refuse_json(&self) -> Result {
        if self.json {
            return Err(Failure::usage(
                "Option \"-j\" has no meaning here: there is no answer",
            ));
        }
        Ok(())
    }

    fn set<'a>(&mut self, flag: Flag, word: &Word, behind: &'a [Word]) -> Result<&'a [Word]> {
        match flag {
            Flag::All => self.all = true,
            Flag::Json => self.json = true,
            Flag::Pretty => self.pretty = true,
            Flag::Delete => self.delete = true,
            Flag::Help => self.help = true,
            Flag::Netns => {
                let [value, behind @ ..] = behind else {
                    return Err(
                        Failure::usage("Command line is not complete: -n needs a namespace").at(word.place),
                    );
                };
                once(&mut self.netns, word, value.netns_spec()?)?;
                return Ok(behind);
            }
        }
        Ok(behind)
    }
}

/// What follows the dash or dashes.
fn option_name(word: &Word) -> Option<&str> {
    let text = word.text.to_str()?;
    text.strip_prefix("--").or_else(|| text.strip_prefix('-'))
}

fn written_out(word: &Word) -> Option<Flag> {
    let name = option_name(word)?;
    let is_long = word.text.to_str()?.starts_with("--") || name == "all";
    let table: &[_] = if is_long { &FLAGS } else { &LETTERS };
    table
        .iter()
        .find(|(full, _)| *full == name)
        .map(|&(_, flag)| flag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<Word> {
        Word::number(line.split_whitespace().map(Into::into))
    }

    fn texts(words: &[Word]) -> Vec<String> {
        words.iter().map(Word::shown).collect()
    }

    #[test]
    fn options_before_the_subcommand_are_those_of_ip() {
        for line in ["-j -p -all -n blue list", "--json --pretty --al -net blue list"] {
            let (words, mut options) = (words(line), Options::default());
            assert_eq!(texts(before(&mut options, &words).unwrap()), ["list"], "{line}");
            assert!(
                options.json && options.pretty && options.all && !options.help,
                "{line}"
            );
            assert_eq!(options.netns.unwrap().to_string(), "blue");
        }
        for wrong in [
            "-x list",
            "- list",
            "-jp list",
            "-n",
            "-n a -n b list",
            "-n a/b list",
        ] {
            assert!(before(&mut Options::default(), &words(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn behind_the_subcommand_a_name_may_look_like_an_option() {
        let mut options = Options::default();
        let line = words("-foo --json x -3 -- -j");
        assert_eq!(
            texts(&between(&mut options, &line).unwrap()),
            ["-foo", "x", "-3", "-j"]
        );
        assert!(options.json);
    }

    #[test]
    fn a_command_keeps_its_own_options() {
        let mut options = Options::default();
        let line = words("-all ls --all -- -j");
        assert_eq!(
            texts(leading(&mut options, &line).unwrap()),
            ["ls", "--all", "--", "-j"]
        );
        assert!(options.all && !options.json);
    }
}
