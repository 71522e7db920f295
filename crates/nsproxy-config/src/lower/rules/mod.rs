//! Rules: conditions over what is known of a connection, as `acl`, `tcp-request` and `use_backend` write them.
//!
//! | file | reads |
//! |---|---|
//! | `condition.rs` | what stands behind `if` and `unless` |
//! | `test.rs` | what an `acl` line or `{ ... }` says: an expression, flags and patterns |
//! | `expression.rs` | a fetch with its arguments and converters |
//! | `fetches.rs`, `fetch_args.rs` | which fetches there are, a row each, and their arguments |
//! | `patterns.rs` | numbers, networks and texts |
//!
//! `inherit.rs` takes those of a `defaults` section, and `resolve.rs` makes the model of them.

mod condition;
mod expression;
mod fetch_args;
mod fetches;
mod inherit;
mod patterns;
mod resolve;
mod test;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

pub(super) use condition::condition;
pub(super) use expression::{Kind, expression};
use fetches::Needs;
pub(crate) use fetches::entries as fetch_entries;
pub(super) use resolve::{WAIT_HELP, check_asked};
pub(super) use test::test;

use crate::model::{Acl, Condition, Rule};
use crate::source::Span;

/// The rules of a section while it is being read.
#[derive(Default)]
pub(super) struct DraftRules {
    pub(super) acls: Vec<DraftAcl>,
    /// Those with a name.
    pub(super) names: HashMap<String, usize>,
    /// Names of `acl` lines that have errors.
    pub(super) broken: HashSet<String>,
    pub(super) connection: Vec<Rule>,
    pub(super) session: Vec<Rule>,
    pub(super) content: Vec<Rule>,
    /// A `tcp-request content` rule that asks for what the client sends.
    pub(super) content_span: Option<Span>,
    pub(super) inspect_delay: Option<(Duration, Span)>,
    pub(super) use_backends: Vec<DraftUse>,
    pub(super) use_servers: Vec<DraftUse>,
    pub(super) response: Vec<Rule>,
    /// A `tcp-response content` rule that asks for what the server sends.
    pub(super) response_span: Option<Span>,
    pub(super) response_delay: Option<(Duration, Span)>,
    /// Backends and servers that fetches ask about.
    pub(super) asked: Vec<Asked>,
}

/// What a fetch asks about.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) backend: String,
    pub(super) server: Option<String>,
    pub(super) span: Span,
}

#[derive(Clone)]
pub(super) struct DraftAcl {
    pub(super) acl: Acl,
    /// The name, or the anonymous one.
    pub(super) span: Span,
    pub(super) is_used: bool,
    pub(super) needs: Needed,
}

/// A `use_backend` or `use-server` line before backends and servers are known.
pub(super) struct DraftUse {
    pub(super) target: String,
    pub(super) span: Span,
    pub(super) condition: Option<Condition>,
    pub(super) needs: Needed,
}

/// The names of fetches that need what is not always there.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Needed {
    /// What the client sends.
    pub(super) client_bytes: Option<&'static str>,
    /// A server.
    pub(super) server: Option<&'static str>,
    /// What the server sends.
    pub(super) server_bytes: Option<&'static str>,
}

impl Needed {
    fn by(name: &'static str, needs: Needs) -> Self {
        let mut needed = Self::default();
        match needs {
            Needs::Nothing => {}
            Needs::ClientBytes => needed.client_bytes = Some(name),
            Needs::Server => needed.server = Some(name),
            Needs::ServerBytes => needed.server_bytes = Some(name),
        }
        needed
    }

    pub(in crate::lower) fn and(self, other: Self) -> Self {
        Self {
            client_bytes: self.client_bytes.or(other.client_bytes),
            server: self.server.or(other.server),
            server_bytes: self.server_bytes.or(other.server_bytes),
        }
    }
}
