//! `option` and its names, also behind `no`, and `no log`.

use std::ops::RangeInclusive;
use std::rc::Rc;

use nsproxy_log::Template;

use crate::lower::args::Args;
use crate::lower::draft::{Draft, Side};
use crate::lower::format::format;
use crate::lower::settings::{Set, Settings, set};
use crate::lower::sink::Sink;
use crate::lower::table::{Directive, Heredity};
use crate::reference::{Doc, Entry, Home};
use crate::report::Diagnostic;
use crate::syntax::{Statement, Word};
use crate::values::number;

pub(in crate::lower) static ROW: Directive = Directive {
    name: "option",
    side: Side::Both,
    heredity: Heredity::Setting,
    // Those that are known are applied before their first word is looked at.
    apply: |_, args, sink| _ = args.need("option", "the name of an option", sink),
    doc: None,
    parts: || OPTIONS.iter().map(Named::entry).collect(),
};

/// One option.
pub(in crate::lower) struct Named {
    /// With the word `option`, as messages and the reference have it.
    name: &'static str,
    side: Side,
    effect: Effect,
    doc: Doc,
}

/// What an option does.
enum Effect {
    /// It is on, or off behind `no`.
    Flag(Slot),
    /// Something of its own; the flag is false behind `no`.
    Own(fn(&mut Draft, bool, &mut Args<'_, '_>, &mut Sink<'_>)),
}

type Slot = fn(&mut Settings) -> &mut Option<Set<bool>>;

static OPTIONS: &[Named] = &[
    Named {
        name: "option allbackups",
        side: Side::Server,
        effect: Effect::Flag(|settings| &mut settings.all_backups),
        doc: Doc {
            syntax: "[no] option allbackups",
            default: "off",
            meaning: "When no other server can be used, use all `backup` servers, not only the first.",
            example: "option allbackups",
        },
    },
    Named {
        name: "option log-health-checks",
        side: Side::Server,
        effect: Effect::Flag(|settings| &mut settings.log_health_checks),
        doc: Doc {
            syntax: "[no] option log-health-checks",
            default: "off",
            meaning: "Log each result of a check that differs from the one before, and each step towards up or down. That a server goes up or down is always logged.",
            example: "option log-health-checks",
        },
    },
    Named {
        name: "option tcp-check",
        side: Side::Server,
        effect: Effect::Flag(|settings| &mut settings.is_tcp_check),
        doc: Doc {
            syntax: "[no] option tcp-check",
            default: "off",
            meaning: "Do in each check what the `tcp-check` lines say.",
            example: "option tcp-check",
        },
    },
    Named {
        name: "option redispatch",
        side: Side::Server,
        effect: Effect::Own(redispatch),
        doc: Doc {
            syntax: "[no] option redispatch [N]",
            default: "off",
            meaning: "Try another server on every Nth of the `retries`; a negative N counts back from the last, which is -1, the default. With `roundrobin`, `static-rr`, `first` and `random`, which have no reason for a certain one, on each one and without a pause; and at once when there can be no socket, as in a namespace that is missing.",
            example: "option redispatch",
        },
    },
    Named {
        name: "option clitcpka",
        side: Side::Client,
        effect: Effect::Flag(|settings| &mut settings.client_keep_alive.is_on),
        doc: Doc {
            syntax: "[no] option clitcpka",
            default: "off",
            meaning: "Have the kernel probe clients that are silent for long (`SO_KEEPALIVE`), and give those up that do not answer. `clitcpka-idle` and others say how often.",
            example: "option clitcpka",
        },
    },
    Named {
        name: "option srvtcpka",
        side: Side::Server,
        effect: Effect::Flag(|settings| &mut settings.server_keep_alive.is_on),
        doc: Doc {
            syntax: "[no] option srvtcpka",
            default: "off",
            meaning: "The same of servers.",
            example: "option srvtcpka",
        },
    },
    Named {
        name: "option tcpka",
        side: Side::Both,
        effect: Effect::Own(tcpka),
        doc: Doc {
            syntax: "option tcpka",
            default: "off",
            meaning: "Both.",
            example: "option tcpka",
        },
    },
    Named {
        name: "option tcplog",
        side: Side::Client,
        effect: Effect::Own(|draft, on, args, sink| tcplog(draft, on, "option tcplog", args, sink)),
        doc: Doc {
            syntax: "option tcplog",
            default: "a line when a session begins: `Connect from ...`",
            meaning: "A line when a session has ended, in HAProxy's format of that name: `log-format \"%ci:%cp [%t] %ft \
                      %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq\"`.",
            example: "option tcplog",
        },
    },
    Named {
        name: "option httplog",
        side: Side::Client,
        effect: Effect::Own(|draft, on, args, sink| {
            if args.peek().is_some_and(|word| word.text == "clf") {
                args.next();
            }
            tcplog(draft, on, "option httplog", args, sink);
        }),
        doc: Doc {
            syntax: "option httplog [clf]",
            default: "as with `option tcplog`",
            meaning: "The same as `option tcplog`, as in HAProxy where a proxy has `mode tcp`: stock `defaults` have this one.",
            example: "option httplog",
        },
    },
    Named {
        name: "option dontlognull",
        side: Side::Client,
        effect: Effect::Flag(|settings| &mut settings.not_null),
        doc: Doc {
            syntax: "[no] option dontlognull",
            default: "off",
            meaning: "No line for a session in which the client sent nothing, as of a monitor that only connects.",
            example: "option dontlognull",
        },
    },
    Named {
        name: "option dontlog-normal",
        side: Side::Client,
        effect: Effect::Flag(|settings| &mut settings.not_normal),
        doc: Doc {
            syntax: "[no] option dontlog-normal",
            default: "off",
            meaning: "No line for a session that ended well and took one attempt.",
            example: "option dontlog-normal",
        },
    },
    Named {
        name: "option logasap",
        side: Side::Client,
        effect: Effect::Flag(|settings| &mut settings.as_soon_as_possible),
        doc: Doc {
            syntax: "[no] option logasap",
            default: "off",
            meaning: "The line of a session is written when the connection to the server is there, or with `option dontlog-normal` \
                      in the end if it is worth one only then; `+` stands before what may not be final.",
            example: "option logasap",
        },
    },
];

/// Every option that is supported, as it is written behind `option`.
pub(in crate::lower) fn names() -> Vec<&'static str> {
    OPTIONS.iter().map(Named::word).collect()
}

/// The greatest interval of retries.
const INTERVALS: RangeInclusive<u32> = 1..=i16::MAX as u32;

impl Named {
    fn entry(&'static self) -> Entry {
        Entry::new(
            self.name,
            Home::Sections(self.side.sections(Heredity::Setting)),
            &self.doc,
        )
    }

    fn word(&self) -> &'static str {
        self.name.strip_prefix("option ").unwrap_or(self.name)
    }
}

/// Takes `option NAME` or `no option NAME`, if it is one of these, and `no log`.
pub(in crate::lower) fn try_apply(draft: &mut Draft, statement: &Statement<'_>, sink: &mut Sink<'_>) -> bool {
    let mut args = Args::new(statement);
    let negated = statement.keyword().text == "no";
    let keyword = if negated {
        args.next()
    } else {
        Some(statement.keyword())
    };
    if negated && keyword.is_some_and(|word| word.text == "log") {
        args.finish(sink);
        draft.settings_mut().logs = Rc::default();
        return true;
    }
    if keyword.is_none_or(|word| word.text != "option") {
        return false;
    }
    let is_named = |name: &Word<'_>| OPTIONS.iter().find(|option| option.word() == name.text);
    let Some(option) = args.peek().and_then(is_named) else {
        return false;
    };
    args.next();
    if !draft.has_side(option.side) {
        draft.warn_without_effect(args.span(), option.name, sink);
    }
    match option.effect {
        Effect::Flag(slot) => flag(draft, slot, !negated, option.name, &args, sink),
        Effect::Own(apply) => apply(draft, !negated, &mut args, sink),
    }
    true
}

fn flag(
    draft: &mut Draft,
    slot: Slot,
    on: bool,
    name: &'static str,
    args: &Args<'_, '_>,
    sink: &mut Sink<'_>,
) {
    set(draft, slot, on, (name, args.span()), args, sink);
}

fn tcplog(draft: &mut Draft, on: bool, name: &str, args: &Args<'_, '_>, sink: &mut Sink<'_>) {
    if !on {
        let error = Diagnostic::error(args.span(), format!("`{name}` cannot be taken away"));
        return sink.push(error.with_help("leave it out where it is set"));
    }
    let word = Word {
        text: Template::TCPLOG.into(),
        span: args.span(),
    };
    if let Some(line) = format(&word, None, sink) {
        set(
            draft,
            |settings| &mut settings.log_line,
            Rc::new(line),
            (name, args.span()),
            args,
            sink,
        );
    }
}

fn tcpka(draft: &mut Draft, on: bool, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    if !on {
        let error = Diagnostic::error(args.span(), "`option tcpka` cannot be taken away");
        return sink.push(error.with_help("write `no option clitcpka` and `no option srvtcpka`"));
    }
    let both: [(Side, Slot); 2] = [
        (Side::Client, |settings| &mut settings.client_keep_alive.is_on),
        (Side::Server, |settings| &mut settings.server_keep_alive.is_on),
    ];
    // What is wrong with the line is told once.
    let last = both.iter().rposition(|(side, _)| draft.has_side(*side));
    for (index, (side, slot)) in both.into_iter().enumerate() {
        if Some(index) == last {
            flag(draft, slot, on, "option tcpka", args, sink);
        } else if draft.has_side(side) {
            let section = draft.section;
            *slot(draft.settings_mut()) = Some(Set::new(on, args.span(), section));
        }
    }
}

fn redispatch(draft: &mut Draft, on: bool, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let mut interval = -1;
    if on && let Some(word) = args.next() {
        let digits = word.text.strip_prefix('-');
        match number::parse(digits.unwrap_or(&word.text), &INTERVALS) {
            Ok(value) => {
                let value = i16::try_from(value).unwrap_or(i16::MAX);
                interval = if digits.is_some() { -value } else { value };
            }
            Err(error) => return sink.error(word.span, error.to_string()),
        }
    }
    set(
        draft,
        |settings| &mut settings.redispatch,
        on.then_some(interval),
        ("option redispatch", args.span()),
        args,
        sink,
    );
}
