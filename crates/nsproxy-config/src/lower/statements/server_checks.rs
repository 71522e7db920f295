//! The options of `server` and `default-server` lines that are about a server's health.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::time::Duration;

use netns_core::NetnsSpec;

use super::server::Options;
use crate::lower::args::{Args, Opt};
use crate::lower::namespaces;
use crate::lower::sink::{Sink, list, report_address, shown};
use crate::model::OnError;
use crate::reference::Doc;
use crate::report::Diagnostic;
use crate::source::Span;
use crate::syntax::Word;
use crate::values::{address, number};

/// What a line says about a server's health, and where.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a word of the line")]
pub(in crate::lower) struct Health {
    /// `check`.
    pub(in crate::lower) check: Option<Span>,
    pub(in crate::lower) netns: Option<NetnsSpec>,
    pub(in crate::lower) address: Option<IpAddr>,
    pub(in crate::lower) port: Option<u16>,
    /// Behind that address. `port` comes before it, wherever it stands.
    pub(in crate::lower) address_port: Option<u16>,
    pub(in crate::lower) send_proxy: bool,
    pub(in crate::lower) inter: Option<Duration>,
    pub(in crate::lower) fastinter: Option<Duration>,
    pub(in crate::lower) downinter: Option<Duration>,
    pub(in crate::lower) rise: Option<NonZeroU32>,
    pub(in crate::lower) fall: Option<NonZeroU32>,
    pub(in crate::lower) observe: bool,
    pub(in crate::lower) error_limit: Option<NonZeroU32>,
    pub(in crate::lower) on_error: OnError,
    pub(in crate::lower) shutdown_sessions: bool,
    pub(in crate::lower) shutdown_backup_sessions: bool,
    pub(in crate::lower) track: Option<Track>,
}

/// `track`: a server by its name, and its backend's unless it is in this one.
#[derive(Debug, Clone)]
pub(in crate::lower) struct Track {
    pub(in crate::lower) backend: Option<String>,
    pub(in crate::lower) server: String,
    pub(in crate::lower) span: Span,
}

pub(super) static OPTIONS: &[Opt<Options>] = &[
    Opt {
        name: "check",
        apply: |options, word, _, _| options.health.check = Some(word.span),
        doc: Doc {
            syntax: "check",
            default: "off",
            meaning: "Check whether the server can be reached, in its namespace. It gets sessions only while it is up. The check connects; with `option tcp-check` it does what the `tcp-check` lines say.",
            example: "server a 10.0.0.5:80 check",
        },
    },
    Opt {
        name: "no-check",
        apply: |options, _, _, _| options.health.check = None,
        doc: Doc {
            syntax: "no-check",
            default: "as `default-server` says",
            meaning: "Do not check it, whatever `default-server` says.",
            example: "server a 10.0.0.5:80 no-check",
        },
    },
    Opt {
        name: "check-namespace",
        apply: |options, _, args, sink| {
            if let Some(word) = args.need("check-namespace", "the name of a namespace", sink) {
                options.health.netns = namespaces::spec(word, sink);
            }
        },
        doc: Doc {
            syntax: "check-namespace NETNS",
            default: "that of `namespace`",
            meaning: "Make the checks in that namespace. A server with `namespace *` can be checked only so: a check has no client whose namespace it could follow. Only in nsproxy.",
            example: "server a * namespace * check check-namespace services addr 10.0.0.5 port 80",
        },
    },
    Opt {
        name: "inter",
        apply: |options, _, args, sink| time(&mut options.health.inter, "inter", args, sink),
        doc: Doc {
            syntax: "inter TIME",
            default: "2s",
            meaning: "From the end of a check to the next one. A check, too, may take so long.",
            example: "server a 10.0.0.5:80 check inter 5s",
        },
    },
    Opt {
        name: "fastinter",
        apply: |options, _, args, sink| time(&mut options.health.fastinter, "fastinter", args, sink),
        doc: Doc {
            syntax: "fastinter TIME",
            default: "`inter`",
            meaning: "The same while the server is on its way up or down, and after `on-error`.",
            example: "server a 10.0.0.5:80 check fastinter 500ms",
        },
    },
    Opt {
        name: "downinter",
        apply: |options, _, args, sink| time(&mut options.health.downinter, "downinter", args, sink),
        doc: Doc {
            syntax: "downinter TIME",
            default: "`inter`",
            meaning: "The same while the server is down.",
            example: "server a 10.0.0.5:80 check downinter 30s",
        },
    },
    Opt {
        name: "rise",
        apply: |options, _, args, sink| count(&mut options.health.rise, "rise", args, sink),
        doc: Doc {
            syntax: "rise N",
            default: "2",
            meaning: "Checks in a row that have to pass before a server that is down is up.",
            example: "server a 10.0.0.5:80 check rise 3",
        },
    },
    Opt {
        name: "fall",
        apply: |options, _, args, sink| count(&mut options.health.fall, "fall", args, sink),
        doc: Doc {
            syntax: "fall N",
            default: "3",
            meaning: "Checks in a row that have to fail before a server that is up is down. The very first check decides alone.",
            example: "server a 10.0.0.5:80 check fall 2",
        },
    },
    Opt {
        name: "addr",
        apply: address,
        doc: Doc {
            syntax: "addr IP[:PORT]",
            default: "the server's address",
            meaning: "Connect there for checks.",
            example: "server a 10.0.0.5:80 check addr 10.0.0.6",
        },
    },
    Opt {
        name: "port",
        apply: port,
        doc: Doc {
            syntax: "port PORT",
            default: "the server's port",
            meaning: "Connect to that port for checks.",
            example: "server a 10.0.0.5:80 check port 8081",
        },
    },
    Opt {
        name: "check-send-proxy",
        apply: |options, _, _, _| options.health.send_proxy = true,
        doc: Doc {
            syntax: "check-send-proxy",
            default: "on with `send-proxy` or `send-proxy-v2`, unless there is `addr` or `port`",
            meaning: "Begin the connection of a check with a PROXY header: version 1 with its own addresses, or LOCAL of version 2 where the server gets that.",
            example: "server a 10.0.0.5:80 check port 8081 check-send-proxy",
        },
    },
    Opt {
        name: "no-check-send-proxy",
        apply: |options, _, _, _| options.health.send_proxy = false,
        doc: Doc {
            syntax: "no-check-send-proxy",
            default: "as `default-server` says",
            meaning: "Take a `check-send-proxy` of `default-server` back.",
            example: "server a 10.0.0.5:80 check no-check-send-proxy",
        },
    },
    Opt {
        name: "observe",
        apply: observe,
        doc: Doc {
            syntax: "observe layer4|none",
            default: "none",
            meaning: "Take connections of sessions that fail as a sign, too: `error-limit` of them in a row are what `on-error` says.",
            example: "server a 10.0.0.5:80 check observe layer4",
        },
    },
    Opt {
        name: "error-limit",
        apply: |options, _, args, sink| count(&mut options.health.error_limit, "error-limit", args, sink),
        doc: Doc {
            syntax: "error-limit N",
            default: "10",
            meaning: "With `observe`: connections in a row that have to fail.",
            example: "server a 10.0.0.5:80 check observe layer4 error-limit 5",
        },
    },
    Opt {
        name: "on-error",
        apply: on_error,
        doc: Doc {
            syntax: "on-error fastinter|fail-check|sudden-death|mark-down",
            default: "fail-check",
            meaning: "With `observe`: make the next check after `fastinter` (each of them does); count as a check that failed; as all that it takes but one; mark the server down.",
            example: "server a 10.0.0.5:80 check observe layer4 on-error mark-down",
        },
    },
    Opt {
        name: "on-marked-down",
        apply: |options, _, args, sink| {
            options.health.shutdown_sessions |= sole("on-marked-down", "shutdown-sessions", args, sink);
        },
        doc: Doc {
            syntax: "on-marked-down shutdown-sessions",
            default: "sessions go on",
            meaning: "Reset the server's sessions when it goes down.",
            example: "server a 10.0.0.5:80 check on-marked-down shutdown-sessions",
        },
    },
    Opt {
        name: "on-marked-up",
        apply: |options, _, args, sink| {
            options.health.shutdown_backup_sessions |=
                sole("on-marked-up", "shutdown-backup-sessions", args, sink);
        },
        doc: Doc {
            syntax: "on-marked-up shutdown-backup-sessions",
            default: "sessions go on",
            meaning: "Reset the sessions of the backend's `backup` servers when this one, which is none, comes up.",
            example: "server a 10.0.0.5:80 check on-marked-up shutdown-backup-sessions",
        },
    },
    Opt {
        name: "track",
        apply: track,
        doc: Doc {
            syntax: "track [BACKEND/]SERVER",
            default: "none",
            meaning: "Be up and down with that server, which is checked or tracks one that is.",
            example: "server a 10.0.0.5:80 track checked/server",
        },
    },
];

/// What `port` can be.
const PORTS: RangeInclusive<u32> = 1..=65_535;

/// The time behind an option, which must not be 0.
pub(in crate::lower) fn time(
    target: &mut Option<Duration>,
    name: &str,
    args: &mut Args<'_, '_>,
    sink: &mut Sink<'_>,
) {
    match args.need_time(name, sink) {
        Some((value, span)) if value.is_zero() => sink.error(span, format!("`{name}` cannot be 0")),
        Some((value, _)) => *target = Some(value),
        None => {}
    }
}

fn count(target: &mut Option<NonZeroU32>, name: &str, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    if let Some(value) = args.need_number(name, &(1..=i32::MAX.unsigned_abs()), sink) {
        *target = NonZeroU32::new(value);
    }
}

fn address<'a, 's>(options: &mut Options, _: &'a Word<'s>, args: &mut Args<'a, 's>, sink: &mut Sink<'_>) {
    if let Some(word) = args.need("addr", "an IP address", sink) {
        let address = check_address(word, sink);
        options.health.address = address.map(|(ip, _)| ip);
        options.health.address_port = address.and_then(|(_, port)| port);
    }
}

/// An IP address that something can be connected to, and the port behind it.
pub(super) fn check_address(word: &Word<'_>, sink: &mut Sink<'_>) -> Option<(IpAddr, Option<u16>)> {
    match address::parse_source(&word.text) {
        Ok(address) if address.ip().is_unspecified() => {
            let message = format!("`{}` is no address that a check can connect to", shown(word));
            sink.push(Diagnostic::error(word.span, message).with_help("write an IP address"));
            None
        }
        Ok(address) => Some((address.ip(), Some(address.port()).filter(|port| *port != 0))),
        Err(error) => {
            report_address(word, 0, &error, sink);
            None
        }
    }
}

fn port<'a, 's>(options: &mut Options, _: &'a Word<'s>, args: &mut Args<'a, 's>, sink: &mut Sink<'_>) {
    if let Some(word) = args.need("port", "a port", sink) {
        options.health.port = port_number(word, sink);
    }
}

pub(super) fn port_number(word: &Word<'_>, sink: &mut Sink<'_>) -> Option<u16> {
    match number::parse(&word.text, &PORTS) {
        Ok(value) => u16::try_from(value).ok(),
        Err(error) => {
            sink.error(word.span, error.to_string());
            None
        }
    }
}

fn observe<'a, 's>(options: &mut Options, _: &'a Word<'s>, args: &mut Args<'a, 's>, sink: &mut Sink<'_>) {
    let Some(word) = args.need("observe", "`layer4` or `none`", sink) else {
        return;
    };
    match &*word.text {
        "layer4" => options.health.observe = true,
        "none" => options.health.observe = false,
        "layer7" => {
            let error = Diagnostic::error(word.span, "nsproxy does not support `observe layer7`");
            sink.push(error.with_help("it looks into HTTP answers; `observe layer4` looks at connections"));
        }
        _ => unknown("observe", word, &["layer4", "none"], sink),
    }
}

fn on_error<'a, 's>(options: &mut Options, _: &'a Word<'s>, args: &mut Args<'a, 's>, sink: &mut Sink<'_>) {
    let Some(word) = args.need("on-error", "what errors mean", sink) else {
        return;
    };
    match OnError::ALL.into_iter().find(|(name, _)| *name == word.text) {
        Some((_, on_error)) => options.health.on_error = on_error,
        None => unknown("on-error", word, &OnError::ALL.map(|(name, _)| name), sink),
    }
}

/// The one word that an option can have.
fn sole(name: &str, only: &str, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) -> bool {
    let Some(word) = args.need(name, &format!("`{only}`"), sink) else {
        return false;
    };
    if word.text != only {
        unknown(name, word, &[only], sink);
    }
    word.text == only
}

fn unknown(name: &str, word: &Word<'_>, choice: &[&str], sink: &mut Sink<'_>) {
    let error = Diagnostic::error(word.span, format!("`{name}` cannot be `{}`", shown(word)));
    sink.push(match sink.nearest(&word.text, choice.iter().copied()) {
        Some(near) => error.with_help(format!("did you mean `{near}`?")),
        None if choice.len() == 1 => error.with_help(format!("it can only be {}", list(choice))),
        None => error.with_help(format!("it can be {}", list(choice))),
    });
}

fn track<'a, 's>(options: &mut Options, _: &'a Word<'s>, args: &mut Args<'a, 's>, sink: &mut Sink<'_>) {
    let Some(word) = args.need("track", "a server, as `[BACKEND/]SERVER`", sink) else {
        return;
    };
    let (backend, server) = match word.text.split_once('/') {
        Some((backend, server)) => (Some(backend.to_owned()), server),
        None => (None, &*word.text),
    };
    options.health.track = Some(Track {
        backend,
        server: server.to_owned(),
        span: word.span,
    });
}
