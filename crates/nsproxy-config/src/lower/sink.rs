//! Where the lowering's diagnostics go, and the messages that several statements share.

use crate::keywords::{Known, Table, Why};
use crate::report::{Collector, Diagnostic};
use crate::source::{Place, Sources, Span};
use crate::suggest::Suggester;
use crate::syntax::Word;
use crate::values::number::shorten;

pub(crate) struct Sink<'s> {
    sources: &'s Sources,
    diagnostics: Collector,
    suggester: Suggester,
}

impl<'s> Sink<'s> {
    pub(crate) fn new(sources: &'s Sources, diagnostics: Collector) -> Self {
        Self {
            sources,
            diagnostics,
            suggester: Suggester::default(),
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
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.as_slice() {
        [] => "none".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
