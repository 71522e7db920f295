//! Lines to sections with statements.
//!
//! Every line is kept, also those whose meaning nobody knows: `lower` judges them. Only a line whose words
//! cannot be told apart is dropped, with its error.

use std::borrow::Cow;

use super::directive::Conditions;
use super::environment::{Environment, EnvironmentStatement};
use super::words::{self, Line, Word};
use crate::keywords;
use crate::report::{Collector, Diagnostic};
use crate::source::{RawLine, Sources, Span};
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
    Resolvers,
    /// HAProxy knows it, nsproxy does not.
    Unsupported,
    /// Nearly the name of the section given.
    Misspelt(&'static str),
}

impl SectionKind {
    pub(super) fn named(word: &str) -> Option<Self> {
        Some(match word {
            "global" => Self::Global,
            "defaults" => Self::Defaults,
            "frontend" => Self::Frontend,
            "backend" => Self::Backend,
            "listen" => Self::Listen,
            "namespace_list" => Self::NamespaceList,
            "resolvers" => Self::Resolvers,
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

impl Section<'_> {
    /// What `${.SECTION}` is here.
    fn shown_name(&self) -> &str {
        let name = self.header.words.get(1).filter(|word| word.text != "from");
        &name.unwrap_or_else(|| self.header.keyword()).text
    }
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
    pub(crate) fn read(sources: &'s Sources, env: &mut Environment<'_>, diagnostics: &mut Collector) -> Self {
        let mut tree = Self::default();
        let mut conditions = Conditions::default();
        for (file, lines) in sources.texts() {
            for line in lines {
                if !line.is_ended {
                    diagnostics.push(cut_off(&line));
                }
                tree.line(file, &line, &mut conditions, env, diagnostics);
            }
            conditions.end_of_file(diagnostics);
        }
        tree
    }

    fn line(
        &mut self,
        file: &'s str,
        line: &RawLine<'s>,
        conditions: &mut Conditions,
        env: &mut Environment<'_>,
        diagnostics: &mut Collector,
    ) {
        let counts = conditions.lines_count();
        let section = self.sections.last().map_or("", Section::shown_name);
        let parts = Line {
            text: line.text,
            span: line.span,
            file,
            number: line.number,
            section,
        };
        // Also a line that does not count has to be readable, but its variables mean nothing.
        let (mut words, mut result) = words::split(&parts, Some(&*env).filter(|_| counts));
        if !counts && words.first().is_some_and(|word| word.text == ".elif") {
            (words, result) = words::split(&parts, Some(&*env));
        }
        let broken = result.is_err();
        if let Err(error) = result {
            diagnostics.push(error);
        }
        if conditions.directive(&words, broken, env, diagnostics) || !counts {
            return;
        }
        let Some(keyword) = words.first() else { return };
        let kind = opened_section(line, keyword);
        let statement = Statement { words };
        match (kind, self.sections.last_mut()) {
            (Some(kind), _) => self.sections.push(Section {
                kind,
                header: statement,
                broken_header: broken,
                has_broken_lines: false,
                statements: Vec::new(),
            }),
            // The error is reported, and half a statement would only cause more.
            (None, Some(section)) if broken => section.has_broken_lines = true,
            (None, None) if broken => {}
            (None, Some(section)) => {
                if section.kind == SectionKind::Global
                    && let Some(change) = EnvironmentStatement::named(&statement.keyword().text)
                {
                    env.apply(change, &statement.words);
                }
                section.statements.push(statement);
            }
            (None, None) => self.preamble.push(statement),
        }
    }
}

fn cut_off(line: &RawLine<'_>) -> Diagnostic {
    let end = line.span.part(line.text.len()..line.text.len());
    let message = "the last line does not end with a line feed";
    Diagnostic::warning(end, message).with_note("the file may have been cut off")
}

/// The section that a line opens, if it does, by its first word.
pub(super) fn opened_section(line: &RawLine<'_>, word: &Word<'_>) -> Option<SectionKind> {
    let indented = line.text.starts_with(|c: char| c.is_ascii_whitespace());
    SectionKind::named(&word.text).or_else(|| misspelt(word, indented))
}

/// An unknown word at the start of an unindented line that is almost the name of a section. Without this, one
/// slip would make every line below it an error. Whoever writes it with quotes or a variable has not slipped.
fn misspelt(word: &Word<'_>, indented: bool) -> Option<SectionKind> {
    let Cow::Borrowed(word) = word.text else {
        return None;
    };
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
        "resolvers",
    ];
    let meant = names
        .into_iter()
        .find(|name| distance_within(word, name, 2).is_some())?;
    (!keywords::is_statement(word)).then_some(SectionKind::Misspelt(meant))
}
