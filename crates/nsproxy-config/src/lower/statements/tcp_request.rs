//! `tcp-request`: what to do with a connection, before it goes to a server.

use crate::keywords;
use crate::keywords::Table;
use crate::lower::args::Args;
use crate::lower::draft::{Draft, Side};
use crate::lower::rules::{Kind, condition, expression};
use crate::lower::sink::{Choice, Sink, shown};
use crate::lower::table::Directive;
use crate::model::{Action, Rule, Subject};
use crate::reference::{Doc, Entry, Home};
use crate::report::Diagnostic;
use crate::syntax::Word;
use crate::values::time;

pub(in crate::lower) static ROW: Directive = Directive {
    name: "tcp-request",
    side: Side::Both,
    is_item: true,
    apply: tcp_request,
    doc: None,
    parts: || {
        let home = |kind: &KindOfRule| Home::Sections(kind.side.sections(true));
        KINDS
            .iter()
            .map(|kind| Entry::new(kind.name, home(kind), &kind.doc))
            .collect()
    },
};

/// What can follow `tcp-request`.
struct KindOfRule {
    name: &'static str,
    side: Side,
    doc: Doc,
    apply: fn(&mut Draft, &Word<'_>, &mut Args<'_, '_>, &mut Sink<'_>),
}

static KINDS: &[KindOfRule] = &[
    KindOfRule {
        name: "tcp-request connection",
        side: Side::Client,
        apply: |draft, kind, args, sink| rule(draft, Stage::Connection, kind, args, sink),
        doc: Doc {
            syntax: "tcp-request connection ACTION [if|unless CONDITION]",
            default: "accept",
            meaning: "Once a connection was accepted: `accept`, `reject`, `expect-proxy layer4` (it begins with a PROXY header, as with `accept-proxy`), `set-src`, `set-src-port`, `set-dst` or `set-dst-port` and an expression. The first `accept` or `reject` that applies ends the list. `reject` resets the connection.",
            example: "tcp-request connection expect-proxy layer4 if { src 192.0.2.0/24 }",
        },
    },
    KindOfRule {
        name: "tcp-request session",
        side: Side::Client,
        apply: |draft, kind, args, sink| rule(draft, Stage::Session, kind, args, sink),
        doc: Doc {
            syntax: "tcp-request session accept|reject [if|unless CONDITION]",
            default: "accept",
            meaning: "The same once its PROXY header was read, or at once where there is none.",
            example: "tcp-request session reject unless { src 10.0.0.0/8 }",
        },
    },
    KindOfRule {
        name: "tcp-request content",
        side: Side::Both,
        apply: |draft, kind, args, sink| rule(draft, Stage::Content, kind, args, sink),
        doc: Doc {
            syntax: "tcp-request content accept|reject [if|unless CONDITION]",
            default: "accept",
            meaning: "The same once the client has sent something; in a `backend`, for each connection that has come there. While what has come does not suffice to decide, more is waited for, as long as `tcp-request inspect-delay` says.",
            example: "tcp-request content reject unless { req.ssl_hello_type 1 }",
        },
    },
    KindOfRule {
        name: "tcp-request inspect-delay",
        side: Side::Both,
        apply: inspect_delay,
        doc: Doc {
            syntax: "tcp-request inspect-delay TIME",
            default: "0: what is there decides",
            meaning: "How long to wait for what `tcp-request content` rules ask about. The end of what the client sends, or 16 KiB of it, ends the wait.",
            example: "tcp-request inspect-delay 5s",
        },
    },
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connection,
    Session,
    Content,
}

fn tcp_request(draft: &mut Draft, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let Some(word) = args.need(
        "tcp-request",
        "`connection`, `session`, `content` or `inspect-delay`",
        sink,
    ) else {
        return;
    };
    let known = KINDS
        .iter()
        .find(|kind| kind.name.ends_with(&format!(" {}", word.text)));
    if let Some(kind) = known
        && !draft.has_side(kind.side)
    {
        let error = Diagnostic::error(
            word.span,
            format!("`{}` cannot stand in a `backend` section", kind.name),
        );
        sink.push(error.with_help("it belongs in `frontend` or `listen`"));
        return;
    }
    if let Some(kind) = known {
        return (kind.apply)(draft, word, args, sink);
    }
    let choice = Choice {
        what: "kind of rule",
        section: None,
        supported: &["connection", "session", "content", "inspect-delay"],
        known: &Table(&[]),
    };
    sink.not_supported(word, &format!("`tcp-request {}`", shown(word)), &choice);
}

fn rule(draft: &mut Draft, stage: Stage, kind: &Word<'_>, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let name = format!("tcp-request {}", kind.text);
    let Some(word) = args.need(&name, "an action such as `reject`", sink) else {
        return;
    };
    let Some(action) = action(draft, stage, word, args, sink) else {
        return;
    };
    let own = draft.own_backend();
    let Some(read) = condition(args, &mut draft.rules, own.as_deref(), sink) else {
        return;
    };
    if let Some(fetch) = read.contents
        && stage != Stage::Content
    {
        let warning = Diagnostic::warning(
            args.span(),
            format!("`{fetch}` has no value here: the client has not sent anything yet"),
        );
        sink.push(warning.with_help("write `tcp-request content` instead"));
    }
    let rules = &mut draft.rules;
    let list = match stage {
        Stage::Connection => &mut rules.connection,
        Stage::Session => &mut rules.session,
        Stage::Content => {
            if read.contents.is_some() {
                rules.content_span.get_or_insert_with(|| args.span());
            }
            &mut rules.content
        }
    };
    list.push(Rule {
        action,
        condition: read.condition,
    });
}

/// The actions of `connection` rules, and of the others.
const ACTIONS: [&str; 7] = [
    "accept",
    "reject",
    "expect-proxy",
    "set-src",
    "set-src-port",
    "set-dst",
    "set-dst-port",
];

fn action(
    draft: &mut Draft,
    stage: Stage,
    word: &Word<'_>,
    args: &mut Args<'_, '_>,
    sink: &mut Sink<'_>,
) -> Option<Action> {
    let is_set_up = matches!(
        &*word.text,
        "expect-proxy" | "set-src" | "set-src-port" | "set-dst" | "set-dst-port"
    );
    if is_set_up && stage != Stage::Connection {
        let error = Diagnostic::error(word.span, format!("`{}` cannot stand here", word.text));
        sink.push(error.with_help("nsproxy has it in `tcp-request connection` rules"));
        return None;
    }
    match &*word.text {
        "accept" => Some(Action::Accept),
        "reject" => Some(Action::Reject),
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
            let supported = if stage == Stage::Connection {
                &ACTIONS[..]
            } else {
                &ACTIONS[..2]
            };
            let choice = Choice {
                what: "action",
                section: None,
                supported,
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
    Some(Action::Set(subject, read.expression))
}

fn inspect_delay(draft: &mut Draft, _: &Word<'_>, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let Some(word) = args.need("tcp-request inspect-delay", "a time", sink) else {
        return;
    };
    let span = args.span();
    args.finish(sink);
    match time::parse(&word.text) {
        Ok(delay) => {
            if let Some((_, first)) = draft.rules.inspect_delay.replace((delay, span)) {
                let warning = Diagnostic::warning(
                    span,
                    "this overrides an earlier `tcp-request inspect-delay` of the same section",
                );
                sink.push(warning.with_related(first, "without effect"));
            }
        }
        Err(error) => sink.error(word.span, error.to_string()),
    }
}
