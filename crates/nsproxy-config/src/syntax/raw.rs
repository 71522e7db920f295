//! A line as it is written: its words with their quotes, and its comment. For what changes only how a text looks.

use super::tree::opened_section;
use super::words::{self, Line};
use crate::report::Diagnostic;
use crate::source::RawLine;

/// What a line is made of.
pub(crate) struct Raw<'t> {
    /// The first word, without quotes; empty where it is a variable.
    pub(crate) keyword: Option<String>,
    /// The first word begins a section, or was meant to.
    pub(crate) opens_section: bool,
    /// The words with everything that is written.
    pub(crate) words: Vec<&'t str>,
    /// From its `#` to the end of the line.
    pub(crate) comment: Option<&'t str>,
    /// Why the words end before the line does.
    pub(crate) error: Option<Diagnostic>,
}

pub(crate) fn raw_line<'t>(line: &RawLine<'t>) -> Raw<'t> {
    let parts = Line {
        text: line.text,
        span: line.span,
        file: "",
        number: line.number,
        section: "",
    };
    let (words, result) = words::split(&parts, None);
    let ranges = words.iter().map(|word| word.span.within(line.span));
    let end = ranges.clone().next_back().map_or(0, |range| range.end);
    let rest = line.text[end..].trim_start();
    Raw {
        keyword: words.first().map(|word| word.text.clone().into_owned()),
        opens_section: words
            .first()
            .is_some_and(|word| opened_section(line, word).is_some()),
        words: ranges.map(|range| &line.text[range]).collect(),
        comment: rest.starts_with('#').then_some(rest),
        error: result.err(),
    }
}
