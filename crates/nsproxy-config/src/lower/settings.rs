//! Settings that `defaults` sections hand on: what a proxy has one of.

use std::rc::Rc;
use std::time::Duration;

use super::args::{Args, Opt, options};
use super::draft::{Draft, Side};
use super::sink::{Choice, Sink, shown};
use crate::keywords::{self, Why};
use crate::model::{Balance, SourceAddress, UseSource};
use crate::report::Diagnostic;
use crate::source::Span;
use crate::syntax::Word;
use crate::values::{address, number, time};

/// A value, and where it was set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Set<T> {
    pub(super) value: T,
    pub(super) span: Span,
    /// The number of the section; inherited values keep that of their `defaults`.
    section: usize,
}

/// A name as written: shared, since many proxies may inherit it.
pub(super) type Name = Rc<str>;

/// A proxy's mode. Only TCP can be used, but a `defaults` may hold another one that each proxy overrides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Tcp,
    Refused(&'static str, Why),
}

/// What can be inherited. `None`: never set.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    pub(super) mode: Option<Set<Mode>>,
    pub(super) maxconn: Option<Set<u32>>,
    pub(super) default_backend: Option<Set<Name>>,
    pub(super) balance: Option<Set<Balance>>,
    pub(super) source: Option<Set<SourceAddress>>,
    pub(super) client: Option<Set<Duration>>,
    pub(super) client_hs: Option<Set<Duration>>,
    pub(super) connect: Option<Set<Duration>>,
    pub(super) server: Option<Set<Duration>>,
}

/// A timeout and where it is kept.
struct Timeout {
    name: &'static str,
    side: Side,
    slot: fn(&mut Settings) -> &mut Option<Set<Duration>>,
}

static TIMEOUTS: &[Timeout] = &[
    Timeout {
        name: "connect",
        side: Side::Server,
        slot: |settings| &mut settings.connect,
    },
    Timeout {
        name: "client",
        side: Side::Client,
        slot: |settings| &mut settings.client,
    },
    Timeout {
        name: "server",
        side: Side::Server,
        slot: |settings| &mut settings.server,
    },
    Timeout {
        name: "client-hs",
        side: Side::Client,
        slot: |settings| &mut settings.client_hs,
    },
];

pub(super) fn timeout(draft: &mut Draft, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let names: Vec<&str> = TIMEOUTS.iter().map(|timeout| timeout.name).collect();
    let Some(name) = args.need("timeout", "the name of a timeout", sink) else {
        return;
    };
    let Some(row) = TIMEOUTS.iter().find(|timeout| timeout.name == name.text) else {
        let choice = Choice {
            what: "timeout",
            section: None,
            supported: &names,
            known: &keywords::TIMEOUTS,
        };
        sink.not_supported(name, &format!("`timeout {}`", shown(name)), &choice);
        return;
    };
    let what = format!("timeout {}", row.name);
    let Some(word) = args.need(&what, "a time", sink) else {
        return;
    };
    let value = match time::parse(&word.text) {
        Ok(value) => value,
        Err(error) => {
            let help =
                "a time is a whole number and a unit: `us`, `ms` (when there is none), `s`, `m`, `h` or `d`";
            sink.push(Diagnostic::error(word.span, error.to_string()).with_help(help));
            return;
        }
    };
    if !draft.has_side(row.side) {
        draft.warn_without_effect(args.span(), &what, sink);
    }
    set(draft, row.slot, value, (&what, args.span()), args, sink);
}

pub(super) fn mode(draft: &mut Draft, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let Some(word) = args.need("mode", "a mode", sink) else {
        return;
    };
    let known = keywords::MODES.words().find(|&name| name == word.text);
    let value = match known.and_then(|name| Some((name, keywords::MODES.find(name)?))) {
        Some((name, known)) => Mode::Refused(name, known.why),
        None if word.text == "tcp" => Mode::Tcp,
        None => {
            let known = &keywords::MODES;
            let choice = Choice {
                what: "mode",
                section: None,
                supported: &["tcp"],
                known,
            };
            sink.not_supported(word, &shown(word), &choice);
            return;
        }
    };
    set(
        draft,
        |settings| &mut settings.mode,
        value,
        ("mode", word.span),
        args,
        sink,
    );
}

pub(super) fn maxconn(draft: &mut Draft, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let Some(word) = args.need("maxconn", "a number", sink) else {
        return;
    };
    match number::parse(&word.text, &(0..=u32::MAX)) {
        Ok(value) => set(
            draft,
            |settings| &mut settings.maxconn,
            value,
            ("maxconn", args.span()),
            args,
            sink,
        ),
        Err(error) => sink.error(word.span, error.to_string()),
    }
}

pub(super) fn default_backend(draft: &mut Draft, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let Some(word) = args.need("default_backend", "the name of a backend", sink) else {
        return;
    };
    set(
        draft,
        |settings| &mut settings.default_backend,
        Rc::from(&*word.text),
        ("default_backend", word.span),
        args,
        sink,
    );
}

pub(super) fn balance(draft: &mut Draft, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let Some(word) = args.need("balance", "an algorithm", sink) else {
        return;
    };
    if word.text == "roundrobin" {
        set(
            draft,
            |settings| &mut settings.balance,
            Balance::RoundRobin,
            ("balance", args.span()),
            args,
            sink,
        );
        return;
    }
    // `random(2)` and `hdr(name)` are known by what stands before the parenthesis.
    let name = word.text.split('(').next().unwrap_or_default();
    if name.len() < word.text.len()
        && let Some(known) = keywords::BALANCE.find(name)
    {
        sink.refuse(word.span, &format!("`balance {name}`"), known.why);
        return;
    }
    let known = &keywords::BALANCE;
    let choice = Choice {
        what: "algorithm",
        section: None,
        supported: &["roundrobin"],
        known,
    };
    sink.not_supported(word, &format!("`balance {}`", shown(word)), &choice);
}

static SOURCE_OPTIONS: &[Opt<Option<UseSource>>] = &[Opt {
    name: "usesrc",
    apply: usesrc,
}];

pub(super) fn source(draft: &mut Draft, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let Some(word) = args.need("source", "an address", sink) else {
        return;
    };
    let address = address::parse_source(&word.text).map_err(|error| report_address(word, 0, &error, sink));
    let mut usesrc = None;
    options(
        &mut usesrc,
        args,
        SOURCE_OPTIONS,
        &keywords::SOURCE_OPTIONS,
        "source",
        sink,
    );
    if let Ok(address) = address {
        set(
            draft,
            |settings| &mut settings.source,
            SourceAddress { address, usesrc },
            ("source", args.span()),
            args,
            sink,
        );
    }
}

fn usesrc(target: &mut Option<UseSource>, _: &Word<'_>, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let Some(word) = args.need("usesrc", "`clientip` or `client`", sink) else {
        return;
    };
    *target = match &*word.text {
        "clientip" => Some(UseSource::ClientIp),
        "client" => Some(UseSource::Client),
        text => {
            let error = if address::parse_source(text).is_ok() || text.starts_with("hdr_ip") {
                Diagnostic::error(
                    word.span,
                    format!("nsproxy does not support `usesrc {}` yet", shown(word)),
                )
            } else {
                Diagnostic::error(word.span, format!("unknown `usesrc` address `{}`", shown(word)))
            };
            sink.push(error.with_help(
                "write `usesrc clientip` (the client's address) or `usesrc client` (and its port)",
            ));
            return;
        }
    };
}

/// What is wrong with an address, under the part of the word that is. `offset` is where the address begins.
pub(super) fn report_address(
    word: &Word<'_>,
    offset: usize,
    error: &address::AddressError,
    sink: &mut Sink<'_>,
) {
    let span = word.part(offset + error.at.start..offset + error.at.end);
    let diagnostic = Diagnostic::error(span, error.fault.to_string());
    sink.push(match error.fault.help() {
        Some(help) => diagnostic.with_help(help),
        None => diagnostic,
    });
}

/// Sets a value at the end of its statement; with it come its name and place for messages. A second one in the
/// same section wins, with a warning.
fn set<T>(
    draft: &mut Draft,
    slot: fn(&mut Settings) -> &mut Option<Set<T>>,
    value: T,
    (name, span): (&str, Span),
    args: &Args<'_, '_>,
    sink: &mut Sink<'_>,
) {
    args.finish(sink);
    let section = draft.section;
    let slot = slot(&mut draft.settings);
    if let Some(old) = slot.as_ref().filter(|old| old.section == section) {
        let warning = Diagnostic::warning(
            span,
            format!("this overrides an earlier `{name}` of the same section"),
        );
        sink.push(warning.with_related(old.span, "without effect"));
    }
    *slot = Some(Set { value, span, section });
}
