//! The `global` section. There may be several; together they are one.

use std::ops::RangeInclusive;

use super::args::Args;
use super::sink::Sink;
use crate::keywords;
use crate::model::Global;
use crate::report::Diagnostic;
use crate::source::Span;
use crate::syntax::{Section, Statement};
use crate::values::number;

/// Statements of `global` that hold one number.
struct Number {
    name: &'static str,
    range: RangeInclusive<u32>,
    slot: fn(&mut Global) -> &mut Option<u32>,
}

/// HAProxy has at most 64 workers without thread groups; four digits of them are surely a slip.
static NUMBERS: &[Number] = &[
    Number {
        name: "maxconn",
        range: 0..=u32::MAX,
        slot: |global| &mut global.maxconn,
    },
    Number {
        name: "nbthread",
        range: 1..=1024,
        slot: |global| &mut global.nbthread,
    },
];

/// True for a statement of `global` that nsproxy supports.
pub(super) fn has(word: &str) -> bool {
    NUMBERS.iter().any(|number| number.name == word)
}

#[derive(Default)]
pub(super) struct Globals {
    global: Global,
    seen: Vec<(&'static str, Span)>,
}

impl Globals {
    pub(super) fn finish(self) -> Global {
        let Global { maxconn, nbthread } = self.global;
        // As in HAProxy, 0 stands for no limit of one's own.
        Global {
            maxconn: maxconn.filter(|&limit| limit > 0),
            nbthread,
        }
    }

    pub(super) fn section(&mut self, section: &Section<'_>, sink: &mut Sink<'_>) {
        super::bare_header(section, sink);
        for statement in &section.statements {
            self.statement(statement, sink);
        }
    }

    fn statement(&mut self, statement: &Statement<'_>, sink: &mut Sink<'_>) {
        let keyword = statement.keyword();
        let Some(row) = NUMBERS.iter().find(|row| row.name == keyword.text) else {
            let supported: Vec<&str> = NUMBERS.iter().map(|row| row.name).collect();
            super::proxy::unknown_statement(statement, "global", &supported, &keywords::GLOBAL, sink);
            return;
        };
        // HAProxy keeps the first one, against its habit elsewhere. Neither choice is what was meant.
        if let Some(&(_, first)) = self.seen.iter().find(|(name, _)| *name == row.name) {
            let error = Diagnostic::error(statement.span(), format!("`{}` is set twice", row.name));
            sink.push(error.with_related(first, "first set here"));
            return;
        }
        self.seen.push((row.name, statement.span()));
        let mut args = Args::new(statement);
        let Some(word) = args.need(row.name, "a number", sink) else {
            return;
        };
        match number::parse(&word.text, &row.range) {
            Ok(value) => *(row.slot)(&mut self.global) = Some(value),
            Err(error) => sink.error(word.span, error.to_string()),
        }
        args.finish(sink);
    }
}
