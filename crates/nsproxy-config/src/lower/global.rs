//! The `global` section. There may be several; together they are one.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::admin;
use super::args::Args;
use super::identity;
use super::log_target;
use super::sink::{Sink, shown};
use super::statement;
use super::statements::server_checks;
use super::tuning;
use crate::keywords;
use crate::model::{Global, HostName};
use crate::reference::Doc;
use crate::report::Diagnostic;
use crate::source::Span;
use crate::syntax::{Section, Statement, Word};

/// One statement that `global` understands.
pub(super) struct GlobalDirective {
    pub(super) name: &'static str,
    /// It may be given more than once.
    pub(super) repeats: bool,
    pub(super) apply: fn(&mut Global, &mut Args<'_, '_>, &mut Sink<'_>),
    pub(super) doc: Doc,
}

/// HAProxy's limit.
const SPREAD: RangeInclusive<u32> = 0..=50;
/// HAProxy has at most 64 workers without thread groups; four digits of them are surely a slip.
const THREADS: RangeInclusive<u32> = 1..=1024;

static STATEMENTS: &[GlobalDirective] = &[
    GlobalDirective {
        name: "maxconn",
        repeats: false,
        // As in HAProxy, 0 stands for no limit of one's own.
        apply: |global, args, sink| {
            global.maxconn = need_number(args, &(0..=u32::MAX), sink).filter(|&limit| limit > 0);
        },
        doc: Doc {
            syntax: "maxconn N",
            default: "what the limit of open files allows",
            meaning: "Most sessions of the process at a time. More wait in the kernel's backlog.",
            example: "maxconn 20000",
        },
    },
    GlobalDirective {
        name: "nbthread",
        repeats: false,
        apply: |global, args, sink| global.nbthread = need_number(args, &THREADS, sink),
        doc: Doc {
            syntax: "nbthread N",
            default: "one for each CPU",
            meaning: "Worker threads, 1 to 1024.",
            example: "nbthread 4",
        },
    },
    GlobalDirective {
        name: "daemon",
        repeats: true,
        apply: |global, args, sink| turn_on(&mut global.daemon, args, sink),
        doc: Doc {
            syntax: "daemon",
            default: "off",
            meaning: "Go into the background once everything listens. The command ends with 0 then, and with 1 if that failed. `-db` on the command line overrides it; `-D` has the same effect.",
            example: "daemon",
        },
    },
    GlobalDirective {
        name: "strict-namespaces",
        repeats: true,
        apply: |global, args, sink| turn_on(&mut global.strict_namespaces, args, sink),
        doc: Doc {
            syntax: "strict-namespaces",
            default: "off: what is missing is waited for",
            meaning: "Every namespace that the configuration names has to be there at the start and at each reload, as HAProxy wants it. One that goes later is waited for all the same. Only in nsproxy.",
            example: "strict-namespaces",
        },
    },
    GlobalDirective {
        name: "pidfile",
        repeats: false,
        apply: |global, args, sink| global.pidfile = need_path("a path", args, sink),
        doc: Doc {
            syntax: "pidfile PATH",
            default: "none",
            meaning: "Write the number of the process there, and remove the file at the end. Also without `daemon`.",
            example: "pidfile /run/nsproxy.pid",
        },
    },
    GlobalDirective {
        name: "hard-stop-after",
        repeats: false,
        apply: |global, args, sink| need_time(&mut global.hard_stop_after, args, sink),
        doc: Doc {
            syntax: "hard-stop-after TIME",
            default: "30s behind SIGTERM and SIGINT; none behind SIGUSR1 and an upgrade",
            meaning: "How long sessions may take to finish when the process is to end. What is left then is reset.",
            example: "hard-stop-after 5m",
        },
    },
    GlobalDirective {
        name: "log",
        repeats: true,
        apply: |global, args, sink| global.logs.extend(log_target::parse(args, sink)),
        doc: Doc {
            syntax: "log TARGET [len N] [format FORMAT] FACILITY [LEVEL [MINLEVEL]]",
            default: "none",
            meaning: "A target for proxies that say `log global`. See there.",
            example: "log /dev/log local0",
        },
    },
    GlobalDirective {
        name: "log-tag",
        repeats: false,
        apply: |global, args, sink| global.log_tag = need_text(args, sink),
        doc: Doc {
            syntax: "log-tag NAME",
            default: "nsproxy",
            meaning: "The name of the program in log messages.",
            example: "log-tag haproxy",
        },
    },
    GlobalDirective {
        name: "log-send-hostname",
        repeats: false,
        apply: |global, args, sink| {
            let name = args.next().map(|word| word.text.to_string());
            global.log_host = Some(name.map_or(HostName::System, HostName::Named));
            args.finish(sink);
        },
        doc: Doc {
            syntax: "log-send-hostname [NAME]",
            default: "no name",
            meaning: "The name of the host in messages, and `rfc3164` as their format where a `log` line has none.",
            example: "log-send-hostname",
        },
    },
    GlobalDirective {
        name: "spread-checks",
        repeats: false,
        apply: |global, args, sink| {
            let percent = need_number(args, &SPREAD, sink);
            global.spread_checks = percent
                .and_then(|percent| u8::try_from(percent).ok())
                .unwrap_or(0);
        },
        doc: Doc {
            syntax: "spread-checks PERCENT",
            default: "0",
            meaning: "Make the intervals of health checks longer or shorter by chance, by so much at most: 0 to 50.",
            example: "spread-checks 5",
        },
    },
    GlobalDirective {
        name: "max-spread-checks",
        repeats: false,
        apply: |global, args, sink| need_time(&mut global.max_spread_checks, args, sink),
        doc: Doc {
            syntax: "max-spread-checks TIME",
            default: "the interval of the checks",
            meaning: "Make the first checks of all servers within that time.",
            example: "max-spread-checks 1s",
        },
    },
    GlobalDirective {
        name: "setenv",
        repeats: true,
        apply: |_, args, sink| need_variable_and_value(args, sink),
        doc: Doc {
            syntax: "setenv NAME VALUE",
            default: "none",
            meaning: "Sets a variable for the lines below. Programs do not see it.",
            example: "setenv LISTEN 192.0.2.1",
        },
    },
    GlobalDirective {
        name: "presetenv",
        repeats: true,
        apply: |_, args, sink| need_variable_and_value(args, sink),
        doc: Doc {
            syntax: "presetenv NAME VALUE",
            default: "none",
            meaning: "`setenv`, unless the variable is set already.",
            example: "presetenv LISTEN 192.0.2.1",
        },
    },
    GlobalDirective {
        name: "unsetenv",
        repeats: true,
        apply: |_, args, sink| {
            let first = args.need("unsetenv", "the name of a variable", sink);
            check_variables(first, args, sink);
        },
        doc: Doc {
            syntax: "unsetenv NAME...",
            default: "none",
            meaning: "Unsets variables for the lines below.",
            example: "unsetenv LISTEN",
        },
    },
    GlobalDirective {
        name: "resetenv",
        repeats: true,
        apply: |_, args, sink| check_variables(None, args, sink),
        doc: Doc {
            syntax: "resetenv [NAME...]",
            default: "none",
            meaning: "Unsets all variables but these for the lines below.",
            example: "resetenv HOME PATH",
        },
    },
];

/// True for a statement of `global` that nsproxy supports.
pub(super) fn has(word: &str) -> bool {
    statements().any(|row| row.name.split(' ').next() == Some(word))
}

/// The row of a statement, by its first words.
fn find(line: &Statement<'_>) -> Option<&'static GlobalDirective> {
    let begins_with = |name: &str| {
        let mut words = line.words.iter().map(|word| &*word.text);
        name.split(' ').all(|part| words.next() == Some(part))
    };
    statements().find(|row| begins_with(row.name))
}

/// Every statement of `global`.
pub(super) fn statements() -> impl Iterator<Item = &'static GlobalDirective> {
    STATEMENTS
        .iter()
        .chain(identity::STATEMENTS)
        .chain(tuning::STATEMENTS)
        // The last of them has options.
        .chain(admin::STATEMENTS)
}

#[derive(Default)]
pub(super) struct Globals {
    global: Global,
    seen: Vec<(&'static str, Span)>,
}

impl Globals {
    pub(super) fn finish(self) -> Global {
        self.global
    }

    pub(super) fn section(&mut self, section: &Section<'_>, sink: &mut Sink<'_>) {
        super::bare_header(section, sink);
        for statement in &section.statements {
            self.statement(statement, sink);
        }
    }

    fn statement(&mut self, line: &Statement<'_>, sink: &mut Sink<'_>) {
        let Some(row) = find(line) else {
            if line.keyword().text == "stats" {
                return admin::refuse(line, sink);
            }
            let supported: Vec<&str> = statements().map(|row| row.name).collect();
            statement::unknown(line, "global", &supported, &keywords::GLOBAL, sink);
            return;
        };
        // HAProxy keeps the first one, against its habit elsewhere. Neither choice is what was meant.
        if let Some(&(_, first)) = self.seen.iter().find(|(name, _)| *name == row.name) {
            let error = Diagnostic::error(line.span(), format!("`{}` is set twice", row.name));
            sink.push(error.with_related(first, "first set here"));
            return;
        }
        if !row.repeats {
            self.seen.push((row.name, line.span()));
        }
        let mut args = Args::new(line);
        (row.apply)(&mut self.global, &mut args, sink);
    }
}

/// A statement without words behind it.
fn turn_on(flag: &mut bool, args: &Args<'_, '_>, sink: &mut Sink<'_>) {
    *flag = true;
    args.finish(sink);
}

/// The one number that a statement has.
pub(super) fn need_number(
    args: &mut Args<'_, '_>,
    range: &RangeInclusive<u32>,
    sink: &mut Sink<'_>,
) -> Option<u32> {
    let name = args.keyword().text.clone();
    let value = args.need_number(&name, range, sink);
    args.finish(sink);
    value
}

/// The one time that a statement has, which must not be 0.
fn need_time(target: &mut Option<Duration>, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let name = args.keyword().text.clone();
    server_checks::time(target, &name, args, sink);
    args.finish(sink);
}

/// The one path that a statement has.
pub(super) fn need_path(what: &str, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) -> Option<PathBuf> {
    let name = args.keyword().text.clone();
    let word = args.need(&name, what, sink)?;
    args.finish(sink);
    Some(PathBuf::from(&*word.text))
}

/// The one name that a statement has.
fn need_text(args: &mut Args<'_, '_>, sink: &mut Sink<'_>) -> Option<String> {
    let keyword = args.keyword().text.clone();
    let word = args.need(&keyword, "a name", sink)?;
    args.finish(sink);
    Some(word.text.to_string())
}

/// The words of `setenv`, which has taken effect while the lines were read.
fn need_variable_and_value(args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let statement = args.keyword().text.clone();
    let Some(name) = args.need(&statement, "the name of a variable and a value", sink) else {
        return;
    };
    check_variable(name, sink);
    if args.need(&statement, "a value behind the name", sink).is_some() {
        args.finish(sink);
    }
}

fn check_variables<'a>(first: Option<&'a Word<'_>>, args: &mut Args<'a, '_>, sink: &mut Sink<'_>) {
    if let Some(word) = first {
        check_variable(word, sink);
    }
    while let Some(word) = args.next() {
        check_variable(word, sink);
    }
}

fn check_variable(word: &Word<'_>, sink: &mut Sink<'_>) {
    if word.text.contains('=') {
        sink.error(
            word.span,
            format!("`{}` cannot be the name of a variable", shown(word)),
        );
    }
}
