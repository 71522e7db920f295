//! A proxy while its section is being read.

use std::collections::HashMap;
use std::rc::Rc;

use super::namespaces::Listed;
use super::rules::DraftRules;
use super::settings::Settings;
use super::sink::Sink;
use super::statements::server_checks::Health;
use super::table::Heredity;
use crate::model::{Bind, Server};
use crate::report::Diagnostic;
use crate::source::Span;
use crate::syntax::SectionKind;
use crate::values::number::shorten;

/// Which half of a proxy a statement concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Any proxy.
    Both,
    /// What accepts connections: `frontend` and `listen`.
    Client,
    /// What makes connections: `backend` and `listen`.
    Server,
}

impl Side {
    /// The sections for what concerns this half.
    pub(super) fn sections(self, heredity: Heredity) -> &'static [&'static str] {
        match (self, heredity) {
            (Self::Client, Heredity::Item) => &["frontend", "listen"],
            (Self::Server, Heredity::Item) => &["backend", "listen"],
            (Self::Both, Heredity::Item) => &["frontend", "backend", "listen"],
            (Self::Client, _) => &["frontend", "listen", "defaults"],
            (Self::Server, _) => &["backend", "listen", "defaults"],
            (Self::Both, _) => &["frontend", "backend", "listen", "defaults"],
        }
    }
}

/// A proxy or `defaults` as far as its own section and those it inherits from tell.
pub(super) struct Draft {
    pub(super) kind: SectionKind,
    /// Empty only for a `defaults`, or when the header is broken.
    pub(super) name: String,
    /// The name in the header, or the header's keyword.
    pub(super) span: Span,
    /// Counts the sections.
    pub(super) section: usize,
    /// Shared with whoever inherits the same, until one of them sets something: of many proxies, most have a line or two.
    pub(super) settings: Rc<Settings>,
    pub(super) binds: Vec<(Bind, Span)>,
    /// Those whose namespace is the default one, as indices.
    pub(super) unplaced_binds: Vec<usize>,
    pub(super) unplaced_servers: Vec<usize>,
    /// The names and patterns on `netns-tlv allow` options.
    pub(super) narrowed: Vec<(Listed, Span)>,
    /// `netns-tlv` options of lines without `accept-proxy`.
    pub(super) narrowed_by_rule: Vec<Span>,
    pub(super) servers: Vec<Server>,
    /// What each of them says about its health, and where its name stands.
    pub(super) healths: Vec<(Health, Span)>,
    pub(super) server_names: HashMap<String, Span>,
    pub(super) rules: DraftRules,
    /// The `resolvers` sections that `server` lines name.
    pub(super) resolvers: Vec<(String, Span)>,
    /// `server` and `bind` lines, with those that have errors.
    pub(super) server_lines: usize,
    pub(super) bind_lines: usize,
    /// Lines of this section could not be read at all: what seems missing may be on them.
    pub(super) incomplete: bool,
}

impl Draft {
    pub(super) fn has_side(&self, side: Side) -> bool {
        !matches!(
            (self.kind, side),
            (SectionKind::Frontend, Side::Server) | (SectionKind::Backend, Side::Client)
        )
    }

    /// To set something.
    pub(super) fn settings_mut(&mut self) -> &mut Settings {
        Rc::make_mut(&mut self.settings)
    }

    pub(super) fn is_frontend(&self) -> bool {
        matches!(self.kind, SectionKind::Frontend | SectionKind::Listen)
    }

    /// Its connections go where a `default_backend` says.
    pub(super) fn names_backend(&self) -> bool {
        self.is_frontend() && self.settings.default_backend.is_some()
    }

    pub(super) fn is_backend(&self) -> bool {
        matches!(self.kind, SectionKind::Backend | SectionKind::Listen)
    }

    /// Its own name, if it has servers.
    pub(super) fn own_backend(&self) -> Option<String> {
        self.is_backend().then(|| self.name.clone())
    }

    /// For messages: frontend `web`.
    pub(super) fn shown(&self) -> String {
        format!("{} `{}`", keyword_of(self.kind), shorten(&self.name))
    }

    pub(super) fn warn_without_effect(&self, span: Span, what: &str, sink: &mut Sink<'_>) {
        let keyword = keyword_of(self.kind);
        let other = if self.kind == SectionKind::Frontend {
            "a backend"
        } else {
            "a frontend"
        };
        let warning = Diagnostic::warning(span, format!("`{what}` has no effect in a {keyword}"));
        sink.push(warning.with_help(format!("it belongs in {other}, `listen` or `defaults`")));
    }
}

/// The word that opens a section of this kind.
pub(super) fn keyword_of(kind: SectionKind) -> &'static str {
    match kind {
        SectionKind::Frontend => "frontend",
        SectionKind::Backend => "backend",
        SectionKind::Listen => "listen",
        _ => "defaults",
    }
}
