//! Configuration text in one style.
//!
//! Only blanks, empty lines and line ends change: words and comments stay as they are written, quotes and variables
//! included, and so does their order. What the words mean is not looked at, so a text with mistakes can be
//! formatted too, unless its lines cannot be told into words.
//!
//! The style: a section begins at the margin behind an empty line, its statements are indented by four, lines that begin with a
//! dot stand at the margin, words are separated by one blank, and no two empty lines follow each other. A
//! comment is indented like the statement below it; one at the margin stays there when a section or the end follows. Statements
//! before the first section, which are mistakes, are not moved to the margin: there a slip might be taken for a section's name.

use std::sync::Arc;

use crate::report::{Collector, Diagnostic};
use crate::source::{RawLine, Sources};
use crate::syntax::raw_line;
use crate::{Report, Source};

/// The text in the canonical style. Formatting the result again changes nothing.
///
/// # Errors
///
/// The lines that cannot be told into words, and bytes that are not UTF-8.
pub fn format(source: Source) -> Result<String, Report> {
    let mut diagnostics = Collector::default();
    let mut sources = vec![source];
    if let Some(error) = crate::too_large(&sources[0]) {
        diagnostics.push(error);
        sources.clear();
    }
    let (sources, not_utf8) = Sources::decode(sources);
    let sources = Arc::new(sources);
    for span in not_utf8 {
        diagnostics.push(Diagnostic::error(span, "the line is not UTF-8 text"));
    }
    let mut lines: Vec<Line<'_>> = Vec::new();
    for (_, raw_lines) in sources.texts() {
        lines.extend(raw_lines.map(|line| Line::read(&line, &mut diagnostics)));
    }
    let text = layout(&lines);
    drop(lines);
    let report = Report::new(sources, diagnostics);
    if report.has_errors() {
        Err(report)
    } else {
        Ok(text)
    }
}

/// One line, without what the style decides.
struct Line<'t> {
    kind: Kind,
    /// As they are written.
    words: Vec<&'t str>,
    /// From its `#` on, without blanks at the end.
    comment: Option<&'t str>,
    /// It begins at the margin.
    at_margin: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Empty,
    Comment,
    /// The first line of a section.
    Header,
    /// `.if`, which belongs to what follows.
    If,
    /// `.elif` and `.else`, which separate what is before from what follows.
    Else,
    /// Another line that begins with a dot.
    Directive,
    Statement,
}

impl<'t> Line<'t> {
    fn read(line: &RawLine<'t>, diagnostics: &mut Collector) -> Self {
        let raw = raw_line(line);
        let kind = match (&raw.keyword, raw.comment) {
            (None, None) => Kind::Empty,
            (None, Some(_)) => Kind::Comment,
            (Some(keyword), _) if keyword.starts_with('.') => match &**keyword {
                ".if" => Kind::If,
                ".elif" | ".else" => Kind::Else,
                _ => Kind::Directive,
            },
            (Some(_), _) if raw.opens_section => Kind::Header,
            (Some(_), _) => Kind::Statement,
        };
        if let Some(error) = raw.error {
            diagnostics.push(error);
        }
        Self {
            kind,
            words: raw.words,
            comment: raw.comment.map(str::trim_end),
            at_margin: !line.text.starts_with(|c: char| c.is_ascii_whitespace()),
        }
    }
}

fn layout(lines: &[Line<'_>]) -> String {
    let indents = indents(lines);
    let breaks = breaks(lines, &indents);
    let mut text = String::new();
    let mut gap = false;
    for (index, line) in lines.iter().enumerate() {
        if line.kind == Kind::Empty {
            gap = true;
            continue;
        }
        if (gap || breaks[index]) && !text.is_empty() {
            text.push('\n');
        }
        gap = false;
        if indents[index] {
            text.push_str("    ");
        }
        let mut before = None;
        for part in line.words.iter().chain(&line.comment) {
            text.extend(before.map(separator));
            text.push_str(part);
            before = Some(part);
        }
        text.push('\n');
    }
    text
}

/// What stands behind a word: a blank, unless a backslash at the end of the word would take it in.
fn separator(word: &&str) -> char {
    let backslashes = word.bytes().rev().take_while(|&b| b == b'\\').count();
    if backslashes % 2 == 0 { ' ' } else { '\t' }
}

/// Whether each line is indented.
fn indents(lines: &[Line<'_>]) -> Vec<bool> {
    // From the end: a comment looks at what follows.
    let first_header = lines.iter().position(|line| line.kind == Kind::Header);
    let mut next_is_statement = false;
    let mut indents: Vec<bool> = lines
        .iter()
        .enumerate()
        .rev()
        .map(|(index, line)| {
            let in_section = first_header.is_some_and(|header| header < index);
            match line.kind {
                Kind::Statement => next_is_statement = true,
                Kind::Header => next_is_statement = false,
                Kind::Empty | Kind::Comment | Kind::If | Kind::Else | Kind::Directive => {}
            }
            match line.kind {
                Kind::Statement => in_section || !line.at_margin,
                Kind::Comment => in_section && (next_is_statement || !line.at_margin),
                Kind::Empty | Kind::Header | Kind::If | Kind::Else | Kind::Directive => false,
            }
        })
        .collect();
    indents.reverse();
    indents
}

/// Before which lines an empty one has to stand: sections, with the comments and the `.if` that lead to them. One that
/// follows an `.else` needs none.
fn breaks(lines: &[Line<'_>], indents: &[bool]) -> Vec<bool> {
    let mut breaks = vec![false; lines.len()];
    let mut lead = None;
    let mut follows_else = false;
    for (index, line) in lines.iter().enumerate() {
        if line.kind == Kind::Header && !follows_else {
            breaks[lead.unwrap_or(index)] = true;
        }
        let leads = line.kind == Kind::If || line.kind == Kind::Comment && !indents[index];
        lead = leads.then(|| lead.unwrap_or(index));
        follows_else = line.kind == Kind::Else || leads && follows_else;
    }
    breaks
}
