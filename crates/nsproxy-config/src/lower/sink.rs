//! Where the lowering's diagnostics go, and the messages that several statements share.

use std::io;
use std::path::Path;

use crate::keywords::{Known, Table, Why};
use crate::report::{Collector, Diagnostic};
use crate::source::{Place, Sources, Span};
use crate::suggest::Suggester;
use crate::syntax::Word;
use crate::values::address;
use crate::values::number::shorten;

/// Reads a file that a configuration names.
pub(crate) type ReadFile<'f> = dyn Fn(&Path) -> io::Result<Vec<u8>> + 'f;

pub(crate) struct Sink<'s> {
    sources: &'s Sources,
    files: &'s ReadFile<'s>,
    diagnostics: Collector,
    suggester: Suggester,
    left_out: LeftOut,
}

/// Statements that concern only HTTP or TLS, which nothing here uses.
#[derive(Default)]
struct LeftOut {
    count: usize,
    /// The first one.
    first: Option<Span>,
    /// The first few, each once, as messages name them.
    names: Vec<String>,
    /// There are more names than that.
    has_more: bool,
}

/// How many of the statements that are left out a message names.
const MOST_NAMED: usize = 12;

impl<'s> Sink<'s> {
    pub(crate) fn new(sources: &'s Sources, files: &'s ReadFile<'s>, diagnostics: Collector) -> Self {
        Self {
            sources,
            files,
            diagnostics,
            suggester: Suggester::default(),
            left_out: LeftOut::default(),
        }
    }

    pub(crate) fn into_diagnostics(self) -> Collector {
        self.diagnostics
    }

    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// An error with nothing but a place and a sentence.
    pub(crate) fn error(&mut self, span: Span, message: impl Into<String>) {
        self.push(Diagnostic::error(span, message));
    }

    /// The text of a file that the configuration names.
    pub(crate) fn read(&self, path: &Path) -> io::Result<String> {
        let bytes = (self.files)(path)?;
        String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8 text"))
    }

    pub(crate) fn place(&self, span: Span) -> Place {
        self.sources.place(span)
    }

    pub(crate) fn nearest<'c>(
        &self,
        word: &str,
        candidates: impl IntoIterator<Item = &'c str>,
    ) -> Option<&'c str> {
        self.suggester.nearest(word, candidates)
    }

    /// `what` is known to HAProxy and not supported.
    pub(crate) fn refuse(&mut self, span: Span, what: &str, why: Why) {
        self.push(Diagnostic::error(span, why.message(what)).with_help(why.help()));
    }

    /// `what` is known to HAProxy and not supported. Where it can only be a setting of HTTP or TLS it stays without
    /// effect, since no proxy uses either: Debian's configuration has such lines before the first proxy.
    pub(crate) fn refuse_or_leave_out(&mut self, span: Span, what: &str, why: Why, section: &str) {
        if !why.leaves_out(section) {
            self.refuse(span, what, why);
            return;
        }
        let left_out = &mut self.left_out;
        left_out.count += 1;
        left_out.first.get_or_insert(span);
        if left_out.names.iter().all(|name| name != what) {
            if left_out.names.len() < MOST_NAMED {
                left_out.names.push(what.to_owned());
            } else {
                left_out.has_more = true;
            }
        }
    }

    /// One warning for all statements that were left out.
    pub(crate) fn report_what_was_left_out(&mut self) {
        let left_out = std::mem::take(&mut self.left_out);
        let Some(first) = left_out.first else { return };
        let message = match left_out.count {
            1 => "this line concerns only HTTP or TLS, which nsproxy relays as it is".to_owned(),
            count => format!("{count} lines concern only HTTP or TLS, which nsproxy relays as it is"),
        };
        let more = if left_out.has_more { " and more" } else { "" };
        let warning = Diagnostic::warning(first, message).with_label(if left_out.count == 1 {
            "without effect"
        } else {
            "the first of them; without effect"
        });
        self.push(if left_out.count == 1 {
            warning
        } else {
            warning.with_note(format!("they are {}{more}", left_out.names.join(", ")))
        });
    }

    /// A word that is none of the supported ones: refused by name when HAProxy knows it, otherwise unknown.
    /// `shown` is what a message calls it when it is known.
    pub(crate) fn not_supported(
        &mut self,
        word: &Word<'_>,
        shown: &str,
        choice: &Choice<'_>,
    ) -> Option<Known> {
        let found = choice.known.find(&word.text);
        if let Some(known) = found {
            self.refuse(word.span, shown, known.why);
            return found;
        }
        let near = self.nearest(
            &word.text,
            choice.supported.iter().copied().chain(choice.known.words()),
        );
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None if choice.supported.is_empty() => "neither nsproxy nor HAProxy has it".to_owned(),
            None => format!("nsproxy supports {}", list(choice.supported)),
        };
        let section = choice
            .section
            .map_or_else(String::new, |section| format!(" in a `{section}` section"));
        let message = format!("unknown {} `{}`{section}", choice.what, shorten(&word.text));
        self.push(Diagnostic::error(word.span, message).with_help(help));
        None
    }
}

/// What a word could have been.
pub(crate) struct Choice<'c> {
    /// Which kind of word: "timeout".
    pub(crate) what: &'c str,
    /// In which section, where that matters.
    pub(crate) section: Option<&'c str>,
    pub(crate) supported: &'c [&'static str],
    /// What only HAProxy has.
    pub(crate) known: &'c Table,
}

/// A word as messages repeat it.
pub(crate) fn shown(word: &Word<'_>) -> String {
    shorten(&word.text)
}

/// `a`, `b` and `c`.
pub(crate) fn list(words: &[&str]) -> String {
    joined(words, "and")
}

/// The same, of which one is meant.
pub(crate) fn list_or(words: &[&str]) -> String {
    joined(words, "or")
}

fn joined(words: &[&str], by: &str) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.as_slice() {
        [] => "none".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} {by} {last}", first.join(", ")),
    }
}

/// What is wrong with an address, under the part of the word that is. `offset` is where the address begins.
pub(super) fn report_address(
    word: &Word<'_>,
    offset: usize,
    error: &address::AddressError,
    sink: &mut Sink<'_>,
) {
    let span = word.part(offset + error.at.start..offset + error.at.end);
    let diagnostic = Diagnostic::error(span, error.fault.to_string());
    sink.push(match error.fault.help() {
        Some(help) => diagnostic.with_help(help),
        None => diagnostic,
    });
}
