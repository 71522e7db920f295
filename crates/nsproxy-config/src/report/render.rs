//! Diagnostics as text, drawn by `annotate-snippets`.
//!
//! Only the lines concerned are handed to it, and of a very long line only a window, so that the cost of a
//! message does not depend on the size of the text.

use std::fmt::Write as _;
use std::ops::Range;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};

use super::{Diagnostic, Report, Severity};
use crate::source::{Sources, Span};

/// How a [`Report`] is rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RenderOptions {
    /// Use terminal colours. Off by default.
    pub colour: bool,
    /// Show at most this many diagnostics, errors first, and count the rest. 200 by default.
    pub limit: usize,
}

impl Default for RenderOptions {
    fn default() -> Self {
        Self {
            colour: false,
            limit: 200,
        }
    }
}

/// A line longer than this many bytes is shown in part.
const WHOLE_LINE: usize = 1000;
/// How many bytes of a long line are shown on each side of the span's start.
const WINDOW: usize = 200;

pub(super) fn render(report: &Report, options: RenderOptions) -> String {
    let renderer = if options.colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let shown = select(report.diagnostics(), options.limit);
    let mut text = String::new();
    for diagnostic in &shown {
        text.push_str(&renderer.render(&[group(diagnostic, &report.sources)]));
        text.push_str("\n\n");
    }
    let found: usize = [Severity::Error, Severity::Warning, Severity::Notice]
        .map(|severity| report.count(severity))
        .iter()
        .sum();
    if found > shown.len() {
        let hidden = found - shown.len();
        _ = writeln!(text, "... and {hidden} more errors and warnings");
    }
    text
}

/// The diagnostics to show, in the order of the text; when there are too many, errors before the rest.
fn select(diagnostics: &[Diagnostic], limit: usize) -> Vec<&Diagnostic> {
    let errors = diagnostics
        .iter()
        .filter(|d| d.severity == Severity::Error)
        .count();
    let mut others_left = limit.saturating_sub(errors);
    diagnostics
        .iter()
        .filter(|d| {
            let keep = d.severity == Severity::Error || others_left > 0;
            if d.severity != Severity::Error {
                others_left = others_left.saturating_sub(1);
            }
            keep
        })
        .take(limit)
        .collect()
}

fn group<'a>(diagnostic: &'a Diagnostic, sources: &'a Sources) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Notice => Level::NOTE,
    };
    let title = level.primary_title(diagnostic.text.message.as_str());
    let mut group = Group::with_title(title);
    if let Some(span) = diagnostic.span {
        group = group.element(snippet(
            sources,
            span,
            AnnotationKind::Primary,
            diagnostic.text.label.as_deref(),
        ));
    }
    for (span, label) in &diagnostic.text.related {
        group = group.element(snippet(sources, *span, AnnotationKind::Context, Some(label)));
    }
    for note in &diagnostic.text.notes {
        group = group.element(Level::NOTE.message(note.as_str()));
    }
    for help in &diagnostic.text.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    group
}

fn snippet<'a>(
    sources: &'a Sources,
    span: Span,
    kind: AnnotationKind,
    label: Option<&'a str>,
) -> Snippet<'a, Annotation<'a>> {
    let excerpt = sources.excerpt(span);
    let (text, range) = window(excerpt.text, excerpt.range);
    let annotation = kind.span(range).label(label);
    Snippet::source(text)
        .path(&**excerpt.file)
        .line_start(excerpt.line as usize)
        .annotation(annotation)
}

/// The whole line, or what surrounds the range when the line is long.
fn window(line: &str, range: Range<usize>) -> (&str, Range<usize>) {
    if line.len() <= WHOLE_LINE {
        return (line, range);
    }
    let begin = floor_char_boundary(line, range.start.saturating_sub(WINDOW));
    let end = floor_char_boundary(line, range.start.saturating_add(WINDOW).min(line.len()));
    (&line[begin..end], range.start - begin..range.end.min(end) - begin)
}

/// The nearest character boundary at or before `index`. `str::floor_char_boundary` is newer than our MSRV.
fn floor_char_boundary(text: &str, index: usize) -> usize {
    (0..=index)
        .rev()
        .find(|&at| text.is_char_boundary(at))
        .unwrap_or(0)
}
