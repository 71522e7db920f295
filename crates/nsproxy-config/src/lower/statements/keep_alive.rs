//! `clitcpka-cnt`, `srvtcpka-idle` and their like: how the kernel finds out that a silent peer has gone.

use std::num::NonZeroU16;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::lower::args::Args;
use crate::lower::draft::{Draft, Side};
use crate::lower::settings::{Set, Settings, set};
use crate::lower::sink::Sink;
use crate::lower::table::{Directive, Heredity};
use crate::reference::Doc;
use crate::report::Diagnostic;
use crate::values::time;

/// What the kernel takes (`MAX_TCP_KEEPCNT`, `MAX_TCP_KEEPIDLE`, `MAX_TCP_KEEPINTVL`).
const COUNTS: RangeInclusive<u32> = 1..=127;
const SECONDS: RangeInclusive<u64> = 1..=32_767;

/// A row: how its value is read, and where it is kept.
macro_rules! row {
    ($side:ident, $read:ident, $keep_alive:ident.$slot:ident, $name:literal $what:literal, $default:literal, $meaning:literal) => {
        Directive {
            name: $name,
            side: Side::$side,
            heredity: Heredity::Setting,
            apply: |draft, args, sink| $read(draft, |settings| &mut settings.$keep_alive.$slot, args, sink),
            doc: Some(Doc {
                syntax: concat!($name, " ", $what),
                default: $default,
                meaning: $meaning,
                example: concat!($name, " 3"),
            }),
            parts: Vec::new,
        }
    };
}

pub(in crate::lower) static CLIENT_COUNT: Directive = row!(
    Client,
    count,
    client_keep_alive.count,
    "clitcpka-cnt" "N",
    "`net.ipv4.tcp_keepalive_probes`",
    "With `option clitcpka` or `tcpka`: how many probes in a row a client may leave unanswered."
);

pub(in crate::lower) static CLIENT_IDLE: Directive = row!(
    Client,
    seconds,
    client_keep_alive.idle,
    "clitcpka-idle" "TIME",
    "`net.ipv4.tcp_keepalive_time`",
    "With `option clitcpka` or `tcpka`: how long a client is silent before it is probed. Whole seconds, which are also the unit of a number without one."
);

pub(in crate::lower) static CLIENT_INTERVAL: Directive = row!(
    Client,
    seconds,
    client_keep_alive.interval,
    "clitcpka-intvl" "TIME",
    "`net.ipv4.tcp_keepalive_intvl`",
    "With `option clitcpka` or `tcpka`: how long after a probe the next one follows. In seconds, too."
);

pub(in crate::lower) static SERVER_COUNT: Directive = row!(
    Server,
    count,
    server_keep_alive.count,
    "srvtcpka-cnt" "N",
    "`net.ipv4.tcp_keepalive_probes`",
    "The same of servers, with `option srvtcpka` or `tcpka`."
);

pub(in crate::lower) static SERVER_IDLE: Directive = row!(
    Server,
    seconds,
    server_keep_alive.idle,
    "srvtcpka-idle" "TIME",
    "`net.ipv4.tcp_keepalive_time`",
    "The same of servers, with `option srvtcpka` or `tcpka`."
);

pub(in crate::lower) static SERVER_INTERVAL: Directive = row!(
    Server,
    seconds,
    server_keep_alive.interval,
    "srvtcpka-intvl" "TIME",
    "`net.ipv4.tcp_keepalive_intvl`",
    "The same of servers, with `option srvtcpka` or `tcpka`."
);

type Slot = fn(&mut Settings) -> &mut Option<Set<NonZeroU16>>;

fn count(draft: &mut Draft, slot: Slot, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let name = args.keyword().text.clone();
    if let Some(value) = args.need_number(&name, &COUNTS, sink) {
        keep(draft, slot, value.into(), &name, args, sink);
    }
}

fn seconds(draft: &mut Draft, slot: Slot, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let name = args.keyword().text.clone();
    let Some(word) = args.need(&name, "a time", sink) else {
        return;
    };
    let error = match time::parse_seconds(&word.text) {
        Ok(time) => {
            let whole = Duration::from_secs(time.as_secs());
            if whole == time && SECONDS.contains(&whole.as_secs()) {
                return keep(draft, slot, whole.as_secs(), &name, args, sink);
            }
            Diagnostic::error(word.span, "the kernel takes whole seconds, from 1 to 32767")
        }
        Err(error) => Diagnostic::error(word.span, error.to_string()),
    };
    sink.push(
        error.with_help("a time here is a whole number of seconds, or one with a unit: `s`, `m` or `h`"),
    );
}

fn keep(draft: &mut Draft, slot: Slot, value: u64, name: &str, args: &Args<'_, '_>, sink: &mut Sink<'_>) {
    // Both ranges fit, and begin above 0.
    if let Some(value) = u16::try_from(value).ok().and_then(NonZeroU16::new) {
        set(draft, slot, value, (name, args.span()), args, sink);
    }
}
