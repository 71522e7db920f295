//! What `tcp-request` and `tcp-response` rules have in common: a kind, an action and a condition.

use std::time::Duration;

use crate::keywords;
use crate::keywords::Table;
use crate::lower::args::Args;
use crate::lower::draft::{Draft, Side};
use crate::lower::rules::{Kind, Needed, condition, expression};
use crate::lower::sink::{Choice, Sink, list_or, shown};
use crate::lower::table::Heredity;
use crate::model::{Action, Rule, Subject};
use crate::reference::{Doc, Entry, Home};
use crate::report::Diagnostic;
use crate::source::Span;
use crate::syntax::Word;
use crate::values::time;

/// What can follow one of the keywords.
pub(super) struct KindOfRule {
    /// Both words.
    pub(super) name: &'static str,
    pub(super) side: Side,
    pub(super) doc: Doc,
    pub(super) apply: fn(&mut Draft, &Word<'_>, &mut Args<'_, '_>, &mut Sink<'_>),
}

/// The rows of the reference.
pub(super) fn entries(kinds: &'static [KindOfRule]) -> Vec<Entry> {
    let home = |kind: &KindOfRule| Home::Sections(kind.side.sections(Heredity::Rule));
    kinds
        .iter()
        .map(|kind| Entry::new(kind.name, home(kind), &kind.doc))
        .collect()
}

/// Takes a line that begins with this keyword.
pub(super) fn line(
    keyword: &str,
    kinds: &[KindOfRule],
    draft: &mut Draft,
    args: &mut Args<'_, '_>,
    sink: &mut Sink<'_>,
) {
    let supported: Vec<&str> = kinds
        .iter()
        .filter_map(|kind| kind.name.split(' ').nth(1))
        .collect();
    let Some(word) = args.need(keyword, &list_or(&supported), sink) else {
        return;
    };
    let known = kinds
        .iter()
        .find(|kind| kind.name.split(' ').nth(1) == Some(&*word.text));
    if let Some(kind) = known
        && !draft.has_side(kind.side)
    {
        let (wrong, right) = match kind.side {
            Side::Server => ("frontend", "backend"),
            Side::Client | Side::Both => ("backend", "frontend"),
        };
        let error = Diagnostic::error(
            word.span,
            format!("`{}` cannot stand in a `{wrong}` section", kind.name),
        );
        sink.push(error.with_help(format!("it belongs in `{right}` or `listen`")));
        return;
    }
    if let Some(kind) = known {
        return (kind.apply)(draft, word, args, sink);
    }
    let choice = Choice {
        what: "kind of rule",
        section: None,
        supported: &supported,
        known: &Table(&[]),
    };
    sink.not_supported(word, &format!("`{keyword} {}`", shown(word)), &choice);
}

/// When a rule is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Connection,
    Session,
    Content,
    Response,
}

impl Stage {
    const fn name(self) -> &'static str {
        match self {
            Self::Connection => "tcp-request connection",
            Self::Session => "tcp-request session",
            Self::Content => "tcp-request content",
            Self::Response => "tcp-response content",
        }
    }

    const fn actions(self) -> &'static [&'static str] {
        match self {
            Self::Connection => &[
                "accept",
                "reject",
                "expect-proxy",
                "set-src",
                "set-src-port",
                "set-dst",
                "set-dst-port",
            ],
            Self::Session | Self::Content => &["accept", "reject"],
            Self::Response => &["accept", "reject", "close"],
        }
    }
}

/// Takes a rule of this stage.
pub(super) fn rule(draft: &mut Draft, stage: Stage, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let Some(word) = args.need(stage.name(), "an action such as `reject`", sink) else {
        return;
    };
    let Some(action) = action(draft, stage, word, args, sink) else {
        return;
    };
    let own = draft.own_backend();
    let Some(read) = condition(args, &mut draft.rules, own.as_deref(), sink) else {
        return;
    };
    warn_of_no_value(stage, read.needs, args.span(), sink);
    let rules = &mut draft.rules;
    let list = match stage {
        Stage::Connection => &mut rules.connection,
        Stage::Session => &mut rules.session,
        Stage::Content => {
            if read.needs.client_bytes.is_some() {
                rules.content_span.get_or_insert_with(|| args.span());
            }
            &mut rules.content
        }
        Stage::Response => {
            if read.needs.server_bytes.is_some() {
                rules.response_span.get_or_insert_with(|| args.span());
            }
            &mut rules.response
        }
    };
    list.push(Rule {
        action,
        condition: read.condition,
    });
}

/// A fetch that never has a value where it stands.
fn warn_of_no_value(stage: Stage, needs: Needed, span: Span, sink: &mut Sink<'_>) {
    let (fetch, why, help) = match (stage, needs) {
        (
            Stage::Connection | Stage::Session,
            Needed {
                client_bytes: Some(fetch),
                ..
            },
        ) => (
            fetch,
            "the client has not sent anything yet",
            "write `tcp-request content` instead",
        ),
        (
            Stage::Response,
            Needed {
                client_bytes: Some(fetch),
                ..
            },
        ) => (
            fetch,
            "what the client has sent is with the server by now",
            "write `tcp-request content`, or ask for what the server sends: `res.payload`",
        ),
        (Stage::Connection | Stage::Session | Stage::Content, needs) => {
            let Some(fetch) = needs.server.or(needs.server_bytes) else {
                return;
            };
            (
                fetch,
                "there is no server yet",
                "write `tcp-response content` instead",
            )
        }
        (Stage::Response, _) => return,
    };
    let warning = Diagnostic::warning(span, format!("`{fetch}` has no value here: {why}"));
    sink.push(warning.with_help(help));
}

fn action(
    draft: &mut Draft,
    stage: Stage,
    word: &Word<'_>,
    args: &mut Args<'_, '_>,
    sink: &mut Sink<'_>,
) -> Option<Action> {
    let elsewhere = match &*word.text {
        "expect-proxy" | "set-src" | "set-src-port" | "set-dst" | "set-dst-port" => Stage::Connection,
        "close" => Stage::Response,
        _ => stage,
    };
    if stage != elsewhere {
        let error = Diagnostic::error(word.span, format!("`{}` cannot stand here", word.text));
        sink.push(error.with_help(format!("nsproxy has it in `{}` rules", elsewhere.name())));
        return None;
    }
    match &*word.text {
        "accept" => Some(Action::Accept),
        "reject" => Some(Action::Reject),
        "close" => Some(Action::Close),
        "expect-proxy" => {
            let layer = args.need("expect-proxy", "`layer4`", sink)?;
            if layer.text != "layer4" {
                let error = Diagnostic::error(
                    layer.span,
                    format!("`expect-proxy` needs `layer4`, not `{}`", shown(layer)),
                );
                sink.push(error);
                return None;
            }
            Some(Action::ExpectProxy)
        }
        "set-src" => set(draft, Subject::Source, word, args, sink),
        "set-src-port" => set(draft, Subject::SourcePort, word, args, sink),
        "set-dst" => set(draft, Subject::Destination, word, args, sink),
        "set-dst-port" => set(draft, Subject::DestinationPort, word, args, sink),
        text => {
            // `set-var(txn.x)` is known by what stands before the parenthesis.
            let name = text.split('(').next().unwrap_or_default();
            if let Some(known) = keywords::ACTIONS.find(name) {
                sink.refuse(word.span, &format!("`{name}`"), known.why);
                return None;
            }
            let choice = Choice {
                what: "action",
                section: None,
                supported: stage.actions(),
                known: &keywords::ACTIONS,
            };
            sink.not_supported(word, &format!("`{}`", shown(word)), &choice);
            None
        }
    }
}

fn set(
    draft: &mut Draft,
    subject: Subject,
    keyword: &Word<'_>,
    args: &mut Args<'_, '_>,
    sink: &mut Sink<'_>,
) -> Option<Action> {
    let (wanted, example) = match subject {
        Subject::Source | Subject::Destination => (Kind::Address, "ipv4(192.0.2.1)"),
        Subject::SourcePort | Subject::DestinationPort => (Kind::Number, "int(8080)"),
    };
    let word = args.need(&keyword.text, "an expression", sink)?;
    let own = draft.own_backend();
    let read = expression(word, &mut draft.rules, own.as_deref(), sink)?;
    if read.kind != wanted {
        let message = format!(
            "`{}` needs a value of the kind {}, this is one of the kind {}",
            keyword.text,
            wanted.word(),
            read.kind.word()
        );
        sink.push(Diagnostic::error(word.span, message).with_help(format!("such as `{example}`")));
        return None;
    }
    warn_of_no_value(Stage::Connection, read.needs, word.span, sink);
    Some(Action::Set(subject, read.expression))
}

/// Takes an inspection delay into its place.
pub(super) fn inspect_delay(
    keyword: &str,
    slot: &mut Option<(Duration, Span)>,
    args: &mut Args<'_, '_>,
    sink: &mut Sink<'_>,
) {
    let Some(word) = args.need(keyword, "a time", sink) else {
        return;
    };
    let span = args.span();
    args.finish(sink);
    match time::parse(&word.text) {
        Ok(delay) => {
            if let Some((_, first)) = slot.replace((delay, span)) {
                let warning = Diagnostic::warning(
                    span,
                    format!("this overrides an earlier `{keyword}` of the same section"),
                );
                sink.push(warning.with_related(first, "without effect"));
            }
        }
        Err(error) => sink.error(word.span, error.to_string()),
    }
}
