//! `tcp-check`: what a check does, a line a step.

use std::ops::RangeInclusive;

use super::server_checks::{check_address, port_number};
use crate::lower::args::Args;
use crate::lower::draft::{Draft, Side};
use crate::lower::settings::Lines;
use crate::lower::sink::{Sink, list, shown};
use crate::lower::table::{Directive, Heredity};
use crate::model::{TcpCheckAction, TcpCheckConnect, TcpCheckExpect, TcpCheckPattern, TcpCheckStep};
use crate::reference::{Doc, Entry, Home};
use crate::report::Diagnostic;
use crate::syntax::Word;
use crate::values::{number, regex};

pub(in crate::lower) static ROW: Directive = Directive {
    name: "tcp-check",
    side: Side::Server,
    heredity: Heredity::Setting,
    apply: tcp_check,
    doc: None,
    parts: || ROWS.iter().map(Row::entry).collect(),
};

/// One kind of step.
struct Row {
    /// With the word `tcp-check`, as messages and the reference have it.
    name: &'static str,
    apply: for<'a, 's> fn(&mut Args<'a, 's>, &mut Sink<'_>) -> Option<TcpCheckStep>,
    doc: Doc,
}

impl Row {
    fn entry(&'static self) -> Entry {
        Entry::new(
            self.name,
            Home::Sections(Side::Server.sections(Heredity::Setting)),
            &self.doc,
        )
    }

    fn word(&self) -> &'static str {
        self.name.strip_prefix("tcp-check ").unwrap_or(self.name)
    }
}

static ROWS: &[Row] = &[
    Row {
        name: "tcp-check connect",
        apply: connect,
        doc: Doc {
            syntax: "tcp-check connect [default] [port PORT] [addr IP[:PORT]] [send-proxy] [linger] [comment TEXT]",
            default: "to the server's address and port for checks",
            meaning: "Connect; a connection before it is closed. `default`: with a PROXY header if the server's checks have one. `linger`: close in an orderly way in the end, instead of with a reset. The first step, if any is.",
            example: "tcp-check connect port 6379",
        },
    },
    Row {
        name: "tcp-check send",
        apply: send,
        doc: Doc {
            syntax: "tcp-check send TEXT [comment TEXT]",
            default: "none",
            meaning: "Send it, and forget what was received. `\\r` and `\\n` end lines.",
            example: "tcp-check send PING\\r\\n",
        },
    },
    Row {
        name: "tcp-check send-binary",
        apply: send_binary,
        doc: Doc {
            syntax: "tcp-check send-binary HEX [comment TEXT]",
            default: "none",
            meaning: "The same with bytes in hexadecimal.",
            example: "tcp-check send-binary 50494e470d0a",
        },
    },
    Row {
        name: "tcp-check expect",
        apply: expect,
        doc: Doc {
            syntax: "tcp-check expect [min-recv N] [comment TEXT] [!] string|rstring|binary|rbinary PATTERN",
            default: "none",
            meaning: "Receive until the pattern is found: text, an expression, bytes in hexadecimal, an expression for the bytes in hexadecimal. `!`: it must not be found before the server ends the connection. `min-recv`: look once, when so many bytes have come. At most 16 KiB are received.",
            example: "tcp-check expect string +PONG",
        },
    },
    Row {
        name: "tcp-check comment",
        apply: comment,
        doc: Doc {
            syntax: "tcp-check comment TEXT",
            default: "none",
            meaning: "What to say when one of the steps below fails that has no `comment` of its own.",
            example: "tcp-check comment \"the login\"",
        },
    },
];

/// What only HAProxy has.
const KNOWN: [&str; 4] = ["send-lf", "send-binary-lf", "set-var", "unset-var"];
const KNOWN_IN_CONNECT: [&str; 6] = ["alpn", "proto", "sni", "ssl", "via-socks4", "unix"];
const KNOWN_IN_EXPECT: [&str; 8] = [
    "binary-lf",
    "error-status",
    "ok-status",
    "on-error",
    "on-success",
    "status-code",
    "string-lf",
    "tout-status",
];
/// The buffer for what is received.
const MIN_RECV: RangeInclusive<u32> = 0..=16_384;

fn tcp_check(draft: &mut Draft, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let Some(word) = args.need("tcp-check", "what to do", sink) else {
        return;
    };
    let Some(row) = ROWS.iter().find(|row| row.word() == word.text) else {
        let supported: Vec<_> = ROWS.iter().map(Row::word).collect();
        return unknown("tcp-check", word, &supported, &KNOWN, sink);
    };
    // A section's own steps take the place of inherited ones.
    let section = draft.section;
    if draft.settings.tcp_check.section != section {
        draft.settings_mut().tcp_check = Lines::new(section);
    }
    let span = args.span();
    if let Some(step) = (row.apply)(args, sink) {
        let steps = &draft.settings.tcp_check;
        let is_connect = |step: &TcpCheckStep| matches!(step.action, TcpCheckAction::Connect(_));
        let is_comment = |step: &&TcpCheckStep| step.action == TcpCheckAction::Comment;
        let first = steps.steps.iter().find(|step| !is_comment(step));
        if is_connect(&step) && first.is_some_and(|first| !is_connect(first)) {
            let error = Diagnostic::error(
                span,
                "where a step is `tcp-check connect`, the first one has to be",
            );
            return sink.push(error.with_help("add `tcp-check connect` before the other steps"));
        }
        draft.settings_mut().tcp_check.push(step, span);
    }
}

fn connect(args: &mut Args<'_, '_>, sink: &mut Sink<'_>) -> Option<TcpCheckStep> {
    let mut connect = TcpCheckConnect::default();
    let mut comment = None;
    // Behind the address. `port` comes before it, wherever it stands.
    let mut address_port = None;
    while let Some(word) = args.next() {
        match &*word.text {
            "default" => connect.default = true,
            "send-proxy" => connect.send_proxy = true,
            "linger" => connect.linger = true,
            "port" => connect.port = Some(port_number(args.need("port", "a port", sink)?, sink)?),
            "addr" => {
                let (ip, port) = check_address(args.need("addr", "an IP address", sink)?, sink)?;
                connect.address = Some(ip);
                address_port = port;
            }
            "comment" => comment = Some(text("comment", args, sink)?),
            _ => {
                let supported = ["addr", "comment", "default", "linger", "port", "send-proxy"];
                unknown("tcp-check connect", word, &supported, &KNOWN_IN_CONNECT, sink);
                return None;
            }
        }
    }
    connect.port = connect.port.or(address_port);
    Some(TcpCheckStep {
        action: TcpCheckAction::Connect(connect),
        comment,
    })
}

fn send(args: &mut Args<'_, '_>, sink: &mut Sink<'_>) -> Option<TcpCheckStep> {
    let word = args.need("tcp-check send", "what to send", sink)?;
    sent(word.text.as_bytes().to_vec(), args, sink)
}

fn send_binary(args: &mut Args<'_, '_>, sink: &mut Sink<'_>) -> Option<TcpCheckStep> {
    let word = args.need("tcp-check send-binary", "bytes in hexadecimal", sink)?;
    sent(bytes(word, sink)?, args, sink)
}

fn sent(bytes: Vec<u8>, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) -> Option<TcpCheckStep> {
    let comment = trailing_comment(args, sink)?;
    Some(TcpCheckStep {
        action: TcpCheckAction::Send(bytes),
        comment,
    })
}

fn expect(args: &mut Args<'_, '_>, sink: &mut Sink<'_>) -> Option<TcpCheckStep> {
    let (mut min_recv, mut own_comment, mut negated) = (None, None, false);
    let pattern = loop {
        let word = args.need("tcp-check expect", "what to expect", sink)?;
        let mut name = &*word.text;
        match name {
            "min-recv" => {
                min_recv = least(args.need("min-recv", "a number of bytes", sink)?, sink)?;
                continue;
            }
            "comment" => {
                own_comment = Some(text("comment", args, sink)?);
                continue;
            }
            "!" => {
                negated = true;
                continue;
            }
            _ => {}
        }
        if let Some(rest) = name.strip_prefix('!') {
            negated = true;
            name = rest;
        }
        match name {
            "string" => {
                let text = args.need("string", "a text", sink)?;
                break TcpCheckPattern::String(text.text.clone().into_owned());
            }
            "binary" => {
                let word = args.need("binary", "bytes in hexadecimal", sink)?;
                break TcpCheckPattern::Binary(bytes(word, sink)?);
            }
            "rstring" => break TcpCheckPattern::Rstring(expression(args, sink)?),
            "rbinary" => break TcpCheckPattern::Rbinary(expression(args, sink)?),
            _ => {
                let supported = ["binary", "comment", "min-recv", "rbinary", "rstring", "string"];
                unknown("tcp-check expect", word, &supported, &KNOWN_IN_EXPECT, sink);
                return None;
            }
        }
    };
    let behind = trailing_comment(args, sink)?;
    Some(TcpCheckStep {
        action: TcpCheckAction::Expect(TcpCheckExpect {
            min_recv,
            negated,
            pattern,
        }),
        comment: own_comment.or(behind),
    })
}

fn comment(args: &mut Args<'_, '_>, sink: &mut Sink<'_>) -> Option<TcpCheckStep> {
    let text = text("tcp-check comment", args, sink)?;
    args.finish(sink);
    Some(TcpCheckStep {
        action: TcpCheckAction::Comment,
        comment: Some(text),
    })
}

/// The comment at the end of a line, if there is one.
#[expect(
    clippy::option_option,
    reason = "none of a line that is wrong, and none of one that has none"
)]
fn trailing_comment(args: &mut Args<'_, '_>, sink: &mut Sink<'_>) -> Option<Option<String>> {
    let comment = match args.peek() {
        Some(word) if word.text == "comment" => {
            args.next();
            Some(text("comment", args, sink)?)
        }
        _ => None,
    };
    args.finish(sink);
    Some(comment)
}

fn text(subject: &str, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) -> Option<String> {
    let word = args.need(subject, "a text", sink)?;
    Some(word.text.clone().into_owned())
}

/// What `min-recv` says; -1 is the default.
#[expect(
    clippy::option_option,
    reason = "none of a word that is wrong, and none of -1"
)]
fn least(word: &Word<'_>, sink: &mut Sink<'_>) -> Option<Option<u32>> {
    if word.text == "-1" {
        return Some(None);
    }
    match number::parse(&word.text, &MIN_RECV) {
        Ok(value) => Some(Some(value)),
        Err(error) => {
            sink.error(word.span, error.to_string());
            None
        }
    }
}

fn bytes(word: &Word<'_>, sink: &mut Sink<'_>) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = word.text.chars().map(|c| c.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2) && !digits.is_empty());
    let Some(digits) = digits else {
        let message = format!("`{}` is not bytes in hexadecimal", shown(word));
        sink.push(Diagnostic::error(word.span, message).with_help("two digits are a byte, as in `0d0a`"));
        return None;
    };
    let byte = |pair: &[u32]| u8::try_from(pair[0] * 16 + pair[1]).unwrap_or(u8::MAX);
    Some(digits.chunks_exact(2).map(byte).collect())
}

fn expression(args: &mut Args<'_, '_>, sink: &mut Sink<'_>) -> Option<String> {
    let word = args.need("tcp-check expect", "an expression", sink)?;
    if let Some(reason) = regex::fault(&word.text, false) {
        let message = format!("`{}` is no expression that nsproxy has", shown(word));
        let error = Diagnostic::error(word.span, message).with_note(reason);
        sink.push(error.with_help(
            "expressions are those of the Rust crate `regex-lite`: without look-around and back-references",
        ));
        return None;
    }
    Some(word.text.clone().into_owned())
}

fn unknown(subject: &str, word: &Word<'_>, supported: &[&str], known: &[&str], sink: &mut Sink<'_>) {
    let name = word.text.trim_start_matches('!');
    if known.contains(&name) {
        let message = format!("nsproxy does not support `{subject} {name}`");
        let error = Diagnostic::error(word.span, message);
        return sink.push(error.with_help(format!("nsproxy supports {}", list(supported))));
    }
    let error = Diagnostic::error(word.span, format!("there is no `{}` in `{subject}`", shown(word)));
    sink.push(match sink.nearest(name, supported.iter().copied()) {
        Some(near) => error.with_help(format!("did you mean `{near}`?")),
        None => error.with_help(format!("nsproxy supports {}", list(supported))),
    });
}
