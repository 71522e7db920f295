//! The statements of `global` about the admin socket: `stats socket`, `stats timeout`, `stats maxconn`.

use std::ops::RangeInclusive;

use super::args::{Args, Opt, entries, options};
use super::global::GlobalDirective;
use super::identity::{ReadAccount, named, numbered, set_account};
use super::sink::{Sink, shown};
use super::statements::bind::addresses;
use super::statements::server_checks;
use crate::keywords::{Group, Table, Why};
use crate::model::{Account, AdminLevel, AdminSocket, BindAddress, Global};
use crate::reference::{Doc, Entry};
use crate::report::Diagnostic;
use crate::source::Span;
use crate::syntax::{Statement, Word};

/// The most clients that may be asked for: each has a thread while it is served.
const CLIENTS: RangeInclusive<u32> = 1..=1024;

pub(super) static STATEMENTS: &[GlobalDirective] = &[
    GlobalDirective {
        name: "stats timeout",
        repeats: false,
        apply: timeout,
        doc: Doc {
            syntax: "stats timeout TIME",
            default: "10s",
            meaning: "How long a client of the admin socket may be inactive.",
            example: "stats timeout 30s",
        },
    },
    GlobalDirective {
        name: "stats maxconn",
        repeats: false,
        apply: maxconn,
        doc: Doc {
            syntax: "stats maxconn N",
            default: "10",
            meaning: "Most clients of all admin sockets at a time, 1 to 1024. More wait in the kernel's backlog.",
            example: "stats maxconn 20",
        },
    },
    GlobalDirective {
        name: "stats socket",
        repeats: true,
        apply: socket,
        doc: Doc {
            syntax: "stats socket ADDR[,ADDR...] [OPTION...]",
            default: "none",
            meaning: "Listen there for administrators; see the operation guide for what they can ask and do. An address is that of a `bind` line, a path mostly.",
            example: "stats socket /run/nsproxy/admin.sock mode 660 group adm level admin",
        },
    },
];

/// What the options of one line say.
#[derive(Default)]
struct Options {
    mode: Option<u32>,
    user: Option<Account>,
    group: Option<Account>,
    level: AdminLevel,
    /// The first option that is about a file.
    about_file: Option<Span>,
}

static OPTIONS: &[Opt<Options>] = &[
    Opt {
        name: "mode",
        apply: mode,
        doc: Doc {
            syntax: "mode MODE",
            default: "what the process's mask leaves",
            meaning: "The permissions of the file, in octal digits.",
            example: "stats socket /run/nsproxy/admin.sock mode 600",
        },
    },
    Opt {
        name: "user",
        apply: |line, word, args, sink| account(|line| &mut line.user, named, (line, word), args, sink),
        doc: Doc {
            syntax: "user NAME",
            default: "who starts the process",
            meaning: "The owner of the file.",
            example: "stats socket /run/nsproxy/admin.sock mode 600 user nobody",
        },
    },
    Opt {
        name: "uid",
        apply: |line, word, args, sink| account(|line| &mut line.user, numbered, (line, word), args, sink),
        doc: Doc {
            syntax: "uid N",
            default: "who starts the process",
            meaning: "As `user`, by number.",
            example: "stats socket /run/nsproxy/admin.sock mode 600 uid 65534",
        },
    },
    Opt {
        name: "group",
        apply: |line, word, args, sink| account(|line| &mut line.group, named, (line, word), args, sink),
        doc: Doc {
            syntax: "group NAME",
            default: "that of who starts the process",
            meaning: "The group of the file.",
            example: "stats socket /run/nsproxy/admin.sock mode 660 group adm",
        },
    },
    Opt {
        name: "gid",
        apply: |line, word, args, sink| account(|line| &mut line.group, numbered, (line, word), args, sink),
        doc: Doc {
            syntax: "gid N",
            default: "that of who starts the process",
            meaning: "As `group`, by number.",
            example: "stats socket /run/nsproxy/admin.sock mode 660 gid 4",
        },
    },
    Opt {
        name: "level",
        apply: level,
        doc: Doc {
            syntax: "level user|operator|admin",
            default: "operator",
            meaning: "What clients may do: `user` reads what is not sensitive, `operator` reads everything, `admin` changes servers and ends sessions.",
            example: "stats socket /run/nsproxy/admin.sock level user",
        },
    },
];

/// Options of the line that HAProxy knows and nsproxy does not.
static KNOWN: Table = Table(&[
    Group {
        why: Why::Never(
            "it would hand listeners to a new process over this socket; a reload keeps them without it; remove it",
        ),
        words: &[("expose-fd", 1)],
    },
    Group {
        why: Why::Never("all workers of nsproxy are served by one thread for each client; remove it"),
        words: &[("process", 1), ("thread", 1)],
    },
    Group {
        why: Why::NotYet,
        words: &[
            ("accept-proxy", 0),
            ("backlog", 1),
            ("interface", 1),
            ("maxconn", 1),
            ("name", 1),
            ("namespace", 1),
            ("severity-output", 1),
            ("tcp-ut", 1),
            ("transparent", 0),
            ("v4v6", 0),
            ("v6only", 0),
        ],
    },
    Group {
        why: Why::Tls,
        words: &[("ca-file", 1), ("crt", 1), ("ssl", 0), ("verify", 1)],
    },
]);

/// The options of a `stats socket` line, for the reference.
pub(super) fn parts() -> Vec<Entry> {
    entries("stats", OPTIONS)
}

/// A statement that begins with `stats` and is none of these. `bind-process` went with HAProxy's processes.
pub(super) fn refuse(line: &Statement<'_>, sink: &mut Sink<'_>) {
    let known = STATEMENTS
        .iter()
        .filter_map(|row| row.name.strip_prefix("stats "));
    let help = "write `stats socket`, `stats timeout` or `stats maxconn`";
    let error = match line.words.get(1) {
        None => Diagnostic::error(
            line.span().after(),
            "`stats` needs to know what of the admin socket is set",
        ),
        Some(word) => Diagnostic::error(word.span, format!("`stats {}` is not known", shown(word))),
    };
    let near = line.words.get(1).and_then(|word| sink.nearest(&word.text, known));
    sink.push(match near {
        Some(near) => error.with_help(format!("did you mean `stats {near}`?")),
        None => error.with_help(help),
    });
}

fn socket(global: &mut Global, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    args.next();
    let Some(word) = args.need("stats socket", "an address, a path mostly", sink) else {
        return;
    };
    let addresses = addresses(word, sink);
    let mut line = Options::default();
    options(&mut line, args, &[OPTIONS], &KNOWN, "stats socket", sink);
    for (address, span) in addresses {
        if let BindAddress::Inherited(_) = address {
            let error = Diagnostic::error(
                span,
                "administrators cannot be listened to at an inherited socket",
            );
            sink.push(error.with_help("write a path"));
            return;
        }
        if let (Some(option), BindAddress::Ip { .. } | BindAddress::Abstract(_)) = (line.about_file, &address)
        {
            let error = Diagnostic::error(option, "only the path of a unix socket has an owner and a mode");
            sink.push(
                error
                    .with_related(span, "this address has no file")
                    .with_help("remove the option, or write a path"),
            );
            return;
        }
        if global.admin.sockets.iter().any(|known| known.address == address) {
            sink.error(span, "the admin socket listens there already");
            return;
        }
        global.admin.sockets.push(AdminSocket {
            address,
            mode: line.mode,
            user: line.user.clone(),
            group: line.group.clone(),
            level: line.level,
        });
    }
}

fn timeout(global: &mut Global, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    args.next();
    server_checks::time(&mut global.admin.timeout, "stats timeout", args, sink);
    args.finish(sink);
}

fn maxconn(global: &mut Global, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    args.next();
    if let Some(most) = args.need_number("stats maxconn", &CLIENTS, sink) {
        global.admin.maxconn = Some(most);
    }
    args.finish(sink);
}

fn mode<'a, 's>(line: &mut Options, option: &'a Word<'s>, args: &mut Args<'a, 's>, sink: &mut Sink<'_>) {
    line.about_file.get_or_insert(option.span);
    let Some(word) = args.need("mode", "octal digits", sink) else {
        return;
    };
    let is_octal = word.text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    match u32::from_str_radix(&word.text, 8) {
        Ok(mode) if is_octal && mode <= 0o777 => line.mode = Some(mode),
        _ => {
            let error = Diagnostic::error(word.span, format!("`{}` is not a mode", shown(word)));
            sink.push(error.with_help("write up to three octal digits, such as 660"));
        }
    }
}

/// Who is to own the file.
fn account<'a, 's>(
    slot: fn(&mut Options) -> &mut Option<Account>,
    read: ReadAccount,
    (line, option): (&mut Options, &'a Word<'s>),
    args: &mut Args<'a, 's>,
    sink: &mut Sink<'_>,
) {
    line.about_file.get_or_insert(option.span);
    set_account(slot(line), read, option, args, sink);
}

fn level<'a, 's>(line: &mut Options, _: &'a Word<'s>, args: &mut Args<'a, 's>, sink: &mut Sink<'_>) {
    let Some(word) = args.need("level", "`user`, `operator` or `admin`", sink) else {
        return;
    };
    let mut levels = AdminLevel::ALL.into_iter();
    if let Some(level) = levels.find(|level| level.name() == word.text) {
        line.level = level;
    } else {
        let error = Diagnostic::error(word.span, format!("`{}` is not a level", shown(word)));
        sink.push(error.with_help("the levels are `user`, `operator` and `admin`"));
    }
}
