//! Rules: conditions over what is known of a connection, as `acl`, `tcp-request` and `use_backend` write them.
//!
//! | file | reads |
//! |---|---|
//! | `condition.rs` | what stands behind `if` and `unless` |
//! | `test.rs` | what an `acl` line or `{ ... }` says: an expression, flags and patterns |
//! | `expression.rs` | a fetch with its arguments and converters |
//! | `fetches.rs` | which fetches there are: a row each |
//! | `patterns.rs` | numbers, networks and texts |
//!
//! `resolve.rs` makes the model of them.

mod condition;
mod expression;
mod fetches;
mod patterns;
mod resolve;
mod test;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

pub(super) use condition::condition;
pub(super) use expression::{Kind, expression};
pub(crate) use fetches::entries as fetch_entries;
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
    /// Backends and servers that fetches ask about.
    pub(super) asked: Vec<Asked>,
}

/// What a fetch asks about.
pub(super) struct Asked {
    pub(super) backend: String,
    pub(super) server: Option<String>,
    pub(super) span: Span,
}

pub(super) struct DraftAcl {
    pub(super) acl: Acl,
    /// The name, or the anonymous one.
    pub(super) span: Span,
    pub(super) is_used: bool,
    /// A fetch of it that asks for what the client sends.
    pub(super) contents: Option<&'static str>,
}

/// A `use_backend` line before backends are known.
pub(super) struct DraftUse {
    pub(super) backend: String,
    pub(super) span: Span,
    pub(super) condition: Option<Condition>,
    /// A fetch of the condition that asks for what the client sends.
    pub(super) contents: Option<&'static str>,
}
