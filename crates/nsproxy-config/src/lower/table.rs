//! The keywords that nsproxy understands: one row each, with the function that reads it and what the reference
//! says of it.
//!
//! A new statement of proxies is a file in `statements` with its row, and a line in [`STATEMENTS`]; one of
//! `global` is a row in `global`; an option of a line or a timeout is a row beside its kin. What HAProxy knows and nsproxy
//! does not stands in `keywords`, and loses its line there.

use super::args::Args;
use super::draft::{Draft, Side};
use super::sink::Sink;
use super::statements;
use crate::reference::Doc;

/// One statement that proxies understand.
pub(super) struct Directive {
    pub(super) name: &'static str,
    pub(super) side: Side,
    /// There may be several in a proxy and none in `defaults`. Out of place it is an error; an inheritable
    /// setting that is out of place is a warning, as in HAProxy.
    pub(super) is_item: bool,
    pub(super) apply: fn(&mut Draft, &mut Args<'_, '_>, &mut Sink<'_>),
    /// `None` when its parts have rows of their own.
    pub(super) doc: Option<Doc>,
}

impl Directive {
    /// The sections that it may stand in, as a message lists them.
    pub(super) fn home(&self) -> String {
        let sections = self.side.sections(self.is_item);
        let quoted: Vec<String> = sections.iter().map(|section| format!("`{section}`")).collect();
        match quoted.as_slice() {
            [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
            all => all.concat(),
        }
    }
}

/// Every statement of proxies.
pub(super) static STATEMENTS: &[&Directive] = &[
    &statements::mode::ROW,
    &statements::bind::ROW,
    &statements::default_backend::ROW,
    &statements::maxconn::ROW,
    &statements::server::ROW,
    &statements::balance::ROW,
    &statements::source::ROW,
    &statements::timeout::ROW,
];

pub(super) fn statement(word: &str) -> Option<&'static Directive> {
    STATEMENTS.iter().copied().find(|row| row.name == word)
}
