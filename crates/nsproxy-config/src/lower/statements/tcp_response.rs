//! `tcp-response`: what to do with what a server sends, before the client gets it.

use super::tcp_rule::{KindOfRule, Stage, entries, inspect_delay, line, rule};
use crate::lower::draft::Side;
use crate::lower::table::{Directive, Heredity};
use crate::reference::Doc;

pub(in crate::lower) static ROW: Directive = Directive {
    name: "tcp-response",
    side: Side::Server,
    heredity: Heredity::Rule,
    apply: |draft, args, sink| line("tcp-response", KINDS, draft, args, sink),
    doc: None,
    parts: || entries(KINDS),
};

static KINDS: &[KindOfRule] = &[
    KindOfRule {
        name: "tcp-response content",
        side: Side::Server,
        apply: |draft, _, args, sink| rule(draft, Stage::Response, args, sink),
        doc: Doc {
            syntax: "tcp-response content accept|reject|close [if|unless CONDITION]",
            default: "accept",
            meaning: "Once the connection to a server stands, and whenever the server sends more, until it is decided. Nothing of it goes to the client before; what the client sends goes on to the server. `accept` lets it pass, `reject` ends the session, and `close` resets the connection to the server and gives the client what there is of it. While what has come does not suffice to decide, more is waited for, as long as `tcp-response inspect-delay` says.",
            example: "tcp-response content reject unless { res.payload(0,4) -m str SSH- }",
        },
    },
    KindOfRule {
        name: "tcp-response inspect-delay",
        side: Side::Server,
        apply: |draft, _, args, sink| {
            inspect_delay(
                "tcp-response inspect-delay",
                &mut draft.rules.response_delay,
                args,
                sink,
            );
        },
        doc: Doc {
            syntax: "tcp-response inspect-delay TIME",
            default: "0: what is there decides",
            meaning: "How long to wait for what `tcp-response content` rules ask about. The end of what the server sends, or 16 KiB of it, ends the wait.",
            example: "tcp-response inspect-delay 2s",
        },
    },
];
