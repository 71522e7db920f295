//! The keywords that nsproxy understands: one row each, with the function that reads it and what the reference
//! says of it.
//!
//! To add a statement of proxies: a file in `statements` with its row, a line in [`STATEMENTS`], a field of the model, and a
//! line in `show`. One of `global` is a row in `global`; an option of a line or a timeout is a row beside its kin. The
//! word's line in `keywords`, where HAProxy's other words stand, goes. Tests then ask for a mistake in `tests/reject`, and write the
//! row into docs/configuration.md.

use super::args::Args;
use super::draft::{Draft, Side};
use super::sink::{Sink, list_or};
use super::statements;
use crate::reference::{Doc, Entry};

/// One statement that proxies understand.
pub(super) struct Directive {
    pub(super) name: &'static str,
    pub(super) side: Side,
    pub(super) heredity: Heredity,
    pub(super) apply: fn(&mut Draft, &mut Args<'_, '_>, &mut Sink<'_>),
    /// `None` when its parts have rows of their own.
    pub(super) doc: Option<Doc>,
    /// The rows of its options, or of what else can follow it.
    pub(super) parts: fn() -> Vec<Entry>,
}

impl Directive {
    /// The sections that it may stand in, as a message lists them.
    pub(super) fn home(&self) -> String {
        list_or(self.side.sections(self.heredity))
    }
}

/// Whether a proxy takes a statement from its `defaults`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heredity {
    /// It does, unless it says otherwise itself. Out of place it is a warning, as in HAProxy.
    Setting,
    /// It has its own: there may be several, and none in `defaults`. Out of place it is an error.
    Item,
    /// An item that a `defaults` with a name may have.
    Rule,
}

/// Every statement of proxies.
pub(super) static STATEMENTS: &[&Directive] = &[
    &statements::mode::ROW,
    &statements::bind::ROW,
    &statements::acl::ROW,
    &statements::tcp_request::ROW,
    &statements::tcp_response::ROW,
    &statements::use_backend::ROW,
    &statements::use_server::ROW,
    &statements::default_backend::ROW,
    &statements::default_namespace::ROW,
    &statements::maxconn::ROW,
    &statements::backlog::ROW,
    &statements::rate_limit::ROW,
    &statements::default_server::ROW,
    &statements::server::ROW,
    &statements::balance::ROW,
    &statements::hash_type::ROW,
    &statements::fullconn::ROW,
    &statements::retries::ROW,
    &statements::option::ROW,
    &statements::tcp_check::ROW,
    &statements::source::ROW,
    &statements::keep_alive::CLIENT_COUNT,
    &statements::keep_alive::CLIENT_IDLE,
    &statements::keep_alive::CLIENT_INTERVAL,
    &statements::keep_alive::SERVER_COUNT,
    &statements::keep_alive::SERVER_IDLE,
    &statements::keep_alive::SERVER_INTERVAL,
    &statements::timeout::ROW,
    &statements::log::LOG,
    &statements::log::TAG,
    &statements::log::FORMAT,
    &statements::log::DATA,
    &statements::log::UNIQUE_ID,
];

pub(super) fn statement(word: &str) -> Option<&'static Directive> {
    STATEMENTS.iter().copied().find(|row| row.name == word)
}

#[cfg(test)]
mod tests {
    use crate::keywords::{BIND_OPTIONS, GLOBAL, OPTIONS, PROXY, SERVER_OPTIONS, SOURCE_OPTIONS, TIMEOUTS};
    use crate::reference::{Home, keywords};

    #[test]
    fn no_keyword_is_among_those_that_are_refused() {
        for entry in keywords() {
            let (table, word) = match (entry.home, entry.name.split_once(' ')) {
                (Home::Sections(_), Some(("option", option))) => (&OPTIONS, option),
                (Home::Sections(_), Some(("timeout", timeout))) => (&TIMEOUTS, timeout),
                (Home::Sections(_), Some(_)) => (&PROXY, entry.name),
                (Home::Sections(["global"]), _) => (&GLOBAL, entry.name),
                (Home::Sections(_), None) => (&PROXY, entry.name),
                (Home::Line("bind"), _) => (&BIND_OPTIONS, entry.name),
                (Home::Line("server"), _) => (&SERVER_OPTIONS, entry.name),
                (Home::Line(_), _) => (&SOURCE_OPTIONS, entry.name),
            };
            assert_eq!(table.find(word), None, "{word}");
        }
    }
}
