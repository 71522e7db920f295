//! What is wrong with a configuration, for people.
//!
//! A [`Report`] is every error and warning of a whole configuration with what it takes to show the lines.
//! How that looks is in `render`.

mod render;

use std::fmt;
use std::sync::Arc;

pub use render::RenderOptions;

use crate::source::{Place, Sources, Span};

/// Whether a diagnostic stops the configuration from being used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// What the configuration itself has to say, with `.notice` or `.diag`.
    Notice,
    /// Probably not what was meant; the configuration is usable.
    Warning,
    /// The configuration cannot be used.
    Error,
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    severity: Severity,
    place: Option<Place>,
    span: Option<Span>,
    /// Boxed, so that a `Result` stays small.
    text: Box<Text>,
}

#[derive(Debug, Clone, Default)]
struct Text {
    message: String,
    /// Under the caret.
    label: Option<String>,
    related: Vec<(Span, String)>,
    notes: Vec<String>,
    help: Vec<String>,
}

impl Diagnostic {
    /// Whether it is an error or a warning.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// The message: one sentence without its place.
    pub fn message(&self) -> &str {
        &self.text.message
    }

    /// Where it is; `None` for what concerns no line, such as a file that cannot be read.
    pub fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    /// What to do about it.
    pub fn help(&self) -> impl Iterator<Item = &str> {
        self.text.help.iter().map(String::as_str)
    }

    pub(crate) fn error(span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, Some(span), message.into())
    }

    pub(crate) fn warning(span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, Some(span), message.into())
    }

    /// What a `.notice`, `.warning`, `.alert` or `.diag` says.
    pub(crate) fn said(severity: Severity, span: Span, message: String) -> Self {
        Self::new(severity, Some(span), message)
    }

    pub(crate) fn error_without_place(message: impl Into<String>) -> Self {
        Self::new(Severity::Error, None, message.into())
    }

    pub(crate) fn with_label(mut self, label: impl Into<String>) -> Self {
        self.text.label = Some(label.into());
        self
    }

    pub(crate) fn with_related(mut self, span: Span, label: impl Into<String>) -> Self {
        self.text.related.push((span, label.into()));
        self
    }

    pub(crate) fn with_note(mut self, note: impl Into<String>) -> Self {
        self.text.notes.push(note.into());
        self
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.text.help.push(help.into());
        self
    }

    fn new(severity: Severity, span: Option<Span>, message: String) -> Self {
        Self {
            severity,
            place: None,
            span,
            text: Box::new(Text {
                message,
                ..Text::default()
            }),
        }
    }
}

/// Diagnostics while they are being found. So that a hostile text cannot fill the memory, it keeps the first
/// [`MOST_KEPT`] errors, as many warnings and as many notices, and counts the rest.
#[derive(Debug, Clone, Default)]
pub(crate) struct Collector {
    kept: Vec<Diagnostic>,
    errors: usize,
    warnings: usize,
    notices: usize,
}

/// How many diagnostics of one severity a report can show.
const MOST_KEPT: usize = 10_000;

impl Collector {
    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        let count = match diagnostic.severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
            Severity::Notice => &mut self.notices,
        };
        *count += 1;
        if *count <= MOST_KEPT {
            self.kept.push(diagnostic);
        }
    }

    pub(crate) fn count(&self, severity: Severity) -> usize {
        match severity {
            Severity::Error => self.errors,
            Severity::Warning => self.warnings,
            Severity::Notice => self.notices,
        }
    }
}

/// All diagnostics of a configuration, in the order of the text. Displays as plain text.
#[derive(Debug, Clone, Default)]
pub struct Report {
    sources: Arc<Sources>,
    found: Collector,
}

impl Report {
    pub(crate) fn new(sources: Arc<Sources>, mut found: Collector) -> Self {
        found.kept.sort_by_key(|diagnostic| diagnostic.span);
        for diagnostic in &mut found.kept {
            diagnostic.place = diagnostic.span.map(|span| sources.place(span));
        }
        Self { sources, found }
    }

    /// The diagnostics, in the order of the text. Of more than ten thousand errors or warnings, those found
    /// first.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.found.kept
    }

    /// True when there is nothing to report.
    pub fn is_empty(&self) -> bool {
        self.found.kept.is_empty()
    }

    /// True when at least one diagnostic is an error.
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// How many diagnostics of one kind were found.
    pub fn count(&self, severity: Severity) -> usize {
        self.found.count(severity)
    }

    /// The report as text: each diagnostic with its line, a caret under the word, and what to do.
    pub fn render(&self, options: RenderOptions) -> String {
        render::render(self, options)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(RenderOptions::default()))
    }
}

impl std::error::Error for Report {}
