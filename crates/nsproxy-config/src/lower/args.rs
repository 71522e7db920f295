//! The words of a statement, taken one by one, and the loop over options that ends some statements.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::sink::{Choice, Sink, shown};
use crate::keywords::{Table, Why};
use crate::reference::{Doc, Entry, Home};
use crate::report::Diagnostic;
use crate::source::Span;
use crate::syntax::{Statement, Word};
use crate::values::{number, time};

/// Errors on one line after which the rest of it is left unread.
const MOST_ERRORS: usize = 16;

/// What is left of a statement.
pub(crate) struct Args<'a, 's> {
    words: &'a [Word<'s>],
    next: usize,
}

impl<'a, 's> Args<'a, 's> {
    /// Everything behind the keyword.
    pub(crate) fn new(statement: &'a Statement<'s>) -> Self {
        Self {
            words: &statement.words,
            next: 1,
        }
    }

    pub(crate) fn next(&mut self) -> Option<&'a Word<'s>> {
        let word = self.words.get(self.next)?;
        self.next += 1;
        Some(word)
    }

    pub(crate) fn peek(&self) -> Option<&'a Word<'s>> {
        self.words.get(self.next)
    }

    /// The keyword.
    pub(crate) fn keyword(&self) -> &'a Word<'s> {
        &self.words[0]
    }

    /// From the keyword to the last word taken.
    pub(crate) fn span(&self) -> Span {
        let last = self.next.clamp(1, self.words.len()) - 1;
        self.words[0].span.to(self.words[last].span)
    }

    /// The next word, or an error that says what `subject` needs, such as "a name".
    pub(crate) fn need(&mut self, subject: &str, what: &str, sink: &mut Sink<'_>) -> Option<&'a Word<'s>> {
        let word = self.next();
        if word.is_none() {
            let end = self.words[self.words.len() - 1].span;
            let error = Diagnostic::error(end.after(), format!("`{subject}` needs {what}"));
            sink.push(error.with_label(format!("expected {what}")));
        }
        word
    }

    /// The next word as a number within a range.
    pub(crate) fn need_number(
        &mut self,
        subject: &str,
        range: &RangeInclusive<u32>,
        sink: &mut Sink<'_>,
    ) -> Option<u32> {
        let word = self.need(subject, "a number", sink)?;
        match number::parse(&word.text, range) {
            Ok(value) => Some(value),
            Err(error) => {
                sink.error(word.span, error.to_string());
                None
            }
        }
    }

    /// The next word as a time, and where it stands.
    pub(crate) fn need_time(&mut self, subject: &str, sink: &mut Sink<'_>) -> Option<(Duration, Span)> {
        let word = self.need(subject, "a time", sink)?;
        match time::parse(&word.text) {
            Ok(value) => Some((value, word.span)),
            Err(error) => {
                sink.push(Diagnostic::error(word.span, error.to_string()).with_help(time::HELP));
                None
            }
        }
    }

    /// What is left, which is taken.
    pub(crate) fn rest(&mut self) -> &'a [Word<'s>] {
        let rest = self.words.get(self.next..).unwrap_or_default();
        self.next = self.words.len();
        rest
    }

    /// The word that was taken last, and what is left, which is taken.
    pub(crate) fn rest_with_last(&mut self) -> &'a [Word<'s>] {
        let rest = self.words.get(self.next.saturating_sub(1)..).unwrap_or_default();
        self.next = self.words.len();
        rest
    }

    /// Reports what is left.
    pub(crate) fn finish(&self, sink: &mut Sink<'_>) {
        let (Some(first), Some(last)) = (self.peek(), self.words.last()) else {
            return;
        };
        let message = if self.next == 1 {
            format!("`{}` stands alone on its line", self.keyword().text)
        } else {
            format!("unexpected `{}` at the end of the line", shown(first))
        };
        let label = if self.next == 1 {
            "unexpected"
        } else {
            "the line should end before this"
        };
        sink.push(Diagnostic::error(first.span.to(last.span), message).with_label(label));
    }

    fn skip(&mut self, count: u8) {
        self.next = self.words.len().min(self.next + usize::from(count));
    }
}

/// One option of a `bind`, `server` or `source` line.
pub(crate) struct Opt<T: 'static> {
    pub(crate) name: &'static str,
    /// Takes the option's own arguments. The word is the option.
    pub(crate) apply: for<'a, 's> fn(&mut T, &'a Word<'s>, &mut Args<'a, 's>, &mut Sink<'_>),
    pub(crate) doc: Doc,
}

/// The rows of a table, for the reference. `line` is the keyword of the lines that have them.
pub(crate) fn entries<T>(line: &'static str, table: &'static [Opt<T>]) -> Vec<Entry> {
    let home = Home::Line(line);
    let entry = |option: &'static Opt<T>| Entry::new(option.name, home, &option.doc);
    table.iter().map(entry).collect()
}

/// Options with something in brackets that belongs to their name: they may be given once for each of it.
const BRACKETED: [&str; 1] = ["set-proxy-v2-tlv-fmt"];

/// The name of an option as a table has it.
fn bare_name<'w>(word: &'w Word<'_>) -> &'w str {
    match word.text.split_once('(') {
        Some((name, _)) if BRACKETED.contains(&name) => name,
        _ => &word.text,
    }
}

/// Takes the options up to the end of the line. `line` is the statement's keyword.
pub(crate) fn options<T>(
    target: &mut T,
    args: &mut Args<'_, '_>,
    tables: &[&[Opt<T>]],
    known: &Table,
    line: &str,
    sink: &mut Sink<'_>,
) {
    let mut seen: Vec<(&str, Span)> = Vec::new();
    let mut errors = 0;
    let mut has_tls = false;
    while let Some(word) = args.next() {
        let mut rows = tables.iter().copied().flatten();
        let Some(option) = rows.find(|option| option.name == bare_name(word)) else {
            let rows = tables.iter().copied().flatten();
            let supported: Vec<&str> = rows.map(|option| option.name).collect();
            let what = format!("`{line}` option");
            let choice = Choice {
                what: &what,
                section: None,
                supported: &supported,
                known,
            };
            let known = known.find(&word.text);
            // `ssl crt FILE alpn h2` is one mistake.
            if let Some(found) = known.filter(|found| found.why == Why::Tls && has_tls) {
                args.skip(found.arguments);
                continue;
            }
            has_tls |= known.is_some_and(|found| found.why == Why::Tls);
            // How many words belong to an unknown one nobody can say.
            let shown = format!("`{line} ... {}`", shown(word));
            let Some(found) = sink.not_supported(word, &shown, &choice) else {
                return;
            };
            args.skip(found.arguments);
            errors += 1;
            if errors == MOST_ERRORS {
                return;
            }
            continue;
        };
        if let Some(&(_, first)) = seen.iter().find(|(name, _)| *name == word.text) {
            let error = Diagnostic::error(
                word.span,
                format!("`{}` is given twice on this line", shown(word)),
            );
            sink.push(error.with_related(first, "first given here"));
            return;
        }
        seen.push((&word.text, word.span));
        (option.apply)(target, word, args, sink);
    }
}
