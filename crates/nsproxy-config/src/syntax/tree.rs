//! Lines to sections with statements.
//!
//! Every line is kept, also those whose meaning nobody knows: `lower` judges them. Only a line whose words
//! cannot be told apart is dropped, with its error.

use super::words::{self, Environment, Line, Word};
use crate::keywords;
use crate::report::{Collector, Diagnostic};
use crate::source::{Sources, Span};
use crate::suggest::distance_within;

/// A line with at least one word.
#[derive(Debug)]
pub(crate) struct Statement<'s> {
    /// Never empty.
    pub(crate) words: Vec<Word<'s>>,
}

impl<'s> Statement<'s> {
    /// The first word: what the statement is.
    pub(crate) fn keyword(&self) -> &Word<'s> {
        &self.words[0]
    }

    /// From the first word to the last.
    pub(crate) fn span(&self) -> Span {
        let first = self.keyword().span;
        self.words.last().map_or(first, |last| first.to(last.span))
    }
}

/// The sections that mean something to nsproxy, and the two ways of meaning nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum SectionKind {
    Global,
    Defaults,
    Frontend,
    Backend,
    Listen,
    NamespaceList,
    /// HAProxy knows it, nsproxy does not.
    Unsupported,
    /// Nearly the name of the section given.
    Misspelt(&'static str),
}

impl SectionKind {
    fn named(word: &str) -> Option<Self> {
        Some(match word {
            "global" => Self::Global,
            "defaults" => Self::Defaults,
            "frontend" => Self::Frontend,
            "backend" => Self::Backend,
            "listen" => Self::Listen,
            "namespace_list" => Self::NamespaceList,
            _ if keywords::UNSUPPORTED_SECTIONS.find(word).is_some() => Self::Unsupported,
            _ => return None,
        })
    }
}

/// A section: its first line and the lines up to the next section.
#[derive(Debug)]
pub(crate) struct Section<'s> {
    pub(crate) kind: SectionKind,
    pub(crate) header: Statement<'s>,
    /// The header's words could not all be read; the error is reported.
    pub(crate) broken_header: bool,
    /// Lines below could not be read and are left out; the errors are reported.
    pub(crate) has_broken_lines: bool,
    pub(crate) statements: Vec<Statement<'s>>,
}

/// A whole configuration: all files, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Tree<'s> {
    /// What stands before the first section.
    pub(crate) preamble: Vec<Statement<'s>>,
    pub(crate) sections: Vec<Section<'s>>,
}

impl<'s> Tree<'s> {
    /// Reads all lines. A section begun in one file goes on in the next, as in HAProxy.
    pub(crate) fn read(sources: &'s Sources, env: &Environment<'_>, diagnostics: &mut Collector) -> Self {
        let mut tree = Self::default();
        for (file, number, text, span, ended) in sources.lines() {
            if !ended {
                let message = "the last line does not end with a line feed";
                let end = span.part(text.len()..text.len());
                diagnostics
                    .push(Diagnostic::warning(end, message).with_note("the file may have been cut off"));
            }
            let (words, result) = words::split(
                &Line {
                    text,
                    span,
                    file,
                    number,
                },
                env,
            );
            let broken = result.is_err();
            if let Err(error) = result {
                diagnostics.push(error);
            }
            let Some(keyword) = words.first() else { continue };
            let indented = text.starts_with(|c: char| c.is_ascii_whitespace());
            let kind = SectionKind::named(&keyword.text).or_else(|| misspelt(&keyword.text, indented));
            let statement = Statement { words };
            match (kind, tree.sections.last_mut()) {
                (Some(kind), _) => tree.sections.push(Section {
                    kind,
                    header: statement,
                    broken_header: broken,
                    has_broken_lines: false,
                    statements: Vec::new(),
                }),
                // The error is reported, and half a statement would only cause more.
                (None, Some(section)) if broken => section.has_broken_lines = true,
                (None, None) if broken => {}
                (None, Some(section)) => section.statements.push(statement),
                (None, None) => tree.preamble.push(statement),
            }
        }
        tree
    }
}

/// An unknown word at the start of an unindented line that is almost the name of a section. Without this, one
/// slip would make every line below it an error.
fn misspelt(word: &str, indented: bool) -> Option<SectionKind> {
    if indented {
        return None;
    }
    let names = [
        "global",
        "defaults",
        "frontend",
        "backend",
        "listen",
        "namespace_list",
    ];
    let meant = names
        .into_iter()
        .find(|name| distance_within(word, name, 2).is_some())?;
    (!keywords::is_statement(word)).then_some(SectionKind::Misspelt(meant))
}
