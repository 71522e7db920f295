//! `tcp-request`: what to do with a connection, before it goes to a server.

use super::tcp_rule::{KindOfRule, Stage, entries, inspect_delay, line, rule};
use crate::lower::draft::Side;
use crate::lower::table::{Directive, Heredity};
use crate::reference::Doc;

pub(in crate::lower) static ROW: Directive = Directive {
    name: "tcp-request",
    side: Side::Both,
    heredity: Heredity::Rule,
    apply: |draft, args, sink| line("tcp-request", KINDS, draft, args, sink),
    doc: None,
    parts: || entries(KINDS),
};

static KINDS: &[KindOfRule] = &[
    KindOfRule {
        name: "tcp-request connection",
        side: Side::Client,
        apply: |draft, _, args, sink| rule(draft, Stage::Connection, args, sink),
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
        apply: |draft, _, args, sink| rule(draft, Stage::Session, args, sink),
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
        apply: |draft, _, args, sink| rule(draft, Stage::Content, args, sink),
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
        apply: |draft, _, args, sink| {
            inspect_delay(
                "tcp-request inspect-delay",
                &mut draft.rules.inspect_delay,
                args,
                sink,
            );
        },
        doc: Doc {
            syntax: "tcp-request inspect-delay TIME",
            default: "0: what is there decides",
            meaning: "How long to wait for what `tcp-request content` rules ask about. The end of what the client sends, or 16 KiB of it, ends the wait.",
            example: "tcp-request inspect-delay 5s",
        },
    },
];
