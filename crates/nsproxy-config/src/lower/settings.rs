//! What `defaults` sections hand on: the settings that a proxy has one of.

use std::num::{NonZeroU16, NonZeroU32};
use std::rc::Rc;
use std::time::Duration;

use netns_core::NetnsSpec;

use super::args::Args;
use super::draft::Draft;
use super::format::DraftFormat;
use super::sink::Sink;
use super::statements::server;
use crate::keywords::Why;
use crate::model::{self, Balance, HashType, LogTarget, SourceAddress, TcpCheckStep};
use crate::report::Diagnostic;
use crate::source::Span;

/// A value, and where it was set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Set<T> {
    pub(super) value: T,
    pub(super) span: Span,
    /// The number of the section; inherited values keep that of their `defaults`.
    pub(super) section: usize,
}

impl<T> Set<T> {
    pub(super) fn new(value: T, span: Span, section: usize) -> Self {
        Self { value, span, section }
    }
}

/// A name as written: shared, since many proxies may inherit it.
pub(super) type Name = Rc<str>;

/// A proxy's mode. Only TCP can be used, but a `defaults` may hold another one that each proxy overrides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Tcp,
    Refused(&'static str, Why),
}

/// `log` lines: shared, since many proxies may inherit them. `None` is `log global`.
pub(super) type Logs = Rc<Vec<Option<LogTarget>>>;

/// What can be inherited. `None`: never set.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    pub(super) mode: Option<Set<Mode>>,
    pub(super) maxconn: Option<Set<u32>>,
    pub(super) session_rate: Option<Set<u32>>,
    /// `None` inside: the default.
    pub(super) backlog: Option<Set<Option<NonZeroU32>>>,
    pub(super) client_keep_alive: KeepAlive,
    pub(super) server_keep_alive: KeepAlive,
    pub(super) default_backend: Option<Set<Name>>,
    pub(super) default_namespace: Option<Set<NetnsSpec>>,
    pub(super) balance: Option<Set<Balance>>,
    pub(super) hash_type: Option<Set<HashType>>,
    pub(super) fullconn: Option<Set<u32>>,
    pub(super) retries: Option<Set<u32>>,
    pub(super) all_backups: Option<Set<bool>>,
    /// `None` inside: switched off.
    pub(super) redispatch: Option<Set<Option<i16>>>,
    pub(super) source: Option<Set<SourceAddress>>,
    pub(super) client: Option<Set<Duration>>,
    pub(super) client_hs: Option<Set<Duration>>,
    pub(super) connect: Option<Set<Duration>>,
    pub(super) queue: Option<Set<Duration>>,
    pub(super) server: Option<Set<Duration>>,
    pub(super) client_fin: Option<Set<Duration>>,
    pub(super) server_fin: Option<Set<Duration>>,
    pub(super) tunnel: Option<Set<Duration>>,
    pub(super) netns_removed: Option<Set<Duration>>,
    pub(super) logs: Logs,
    pub(super) log_tag: Option<Set<Name>>,
    pub(super) log_line: Option<Set<Rc<DraftFormat>>>,
    pub(super) log_data: Option<Set<Rc<DraftFormat>>>,
    pub(super) unique_id: Option<Set<Rc<DraftFormat>>>,
    pub(super) not_null: Option<Set<bool>>,
    pub(super) not_normal: Option<Set<bool>>,
    pub(super) as_soon_as_possible: Option<Set<bool>>,
    pub(super) check: Option<Set<Duration>>,
    /// `option tcp-check`.
    pub(super) is_tcp_check: Option<Set<bool>>,
    pub(super) tcp_check: Lines,
    pub(super) log_health_checks: Option<Set<bool>>,
    /// Shared, since every proxy has one.
    pub(super) default_server: Rc<server::Options>,
}

/// `option clitcpka` or `srvtcpka`, and its numbers.
#[derive(Debug, Clone, Default)]
pub(super) struct KeepAlive {
    pub(super) is_on: Option<Set<bool>>,
    pub(super) idle: Option<Set<NonZeroU16>>,
    pub(super) interval: Option<Set<NonZeroU16>>,
    pub(super) count: Option<Set<NonZeroU16>>,
}

impl KeepAlive {
    /// `None`: it is off.
    pub(super) fn model(&self) -> Option<model::KeepAlive> {
        let value = |slot: &Option<Set<NonZeroU16>>| slot.as_ref().map(|set| set.value);
        let is_on = self.is_on.as_ref().is_some_and(|set| set.value);
        is_on.then(|| model::KeepAlive {
            idle: value(&self.idle),
            interval: value(&self.interval),
            count: value(&self.count),
        })
    }
}

/// The `tcp-check` lines of one section.
#[derive(Debug, Clone, Default)]
pub(super) struct Lines {
    pub(super) section: usize,
    pub(super) steps: Rc<Vec<TcpCheckStep>>,
    /// Where the first one is.
    pub(super) span: Option<Span>,
}

impl Lines {
    /// None of this section yet.
    pub(super) fn new(section: usize) -> Self {
        Self {
            section,
            ..Self::default()
        }
    }

    pub(super) fn push(&mut self, step: TcpCheckStep, span: Span) {
        Rc::make_mut(&mut self.steps).push(step);
        self.span.get_or_insert(span);
    }
}

/// Sets a value at the end of its statement; with it come its name and place for messages. A second one in the
/// same section wins, with a warning.
pub(super) fn set<T>(
    draft: &mut Draft,
    slot: fn(&mut Settings) -> &mut Option<Set<T>>,
    value: T,
    (name, span): (&str, Span),
    args: &Args<'_, '_>,
    sink: &mut Sink<'_>,
) {
    args.finish(sink);
    let section = draft.section;
    let slot = slot(draft.settings_mut());
    if let Some(old) = slot.as_ref().filter(|old| old.section == section) {
        let warning = Diagnostic::warning(
            span,
            format!("this overrides an earlier `{name}` of the same section"),
        );
        sink.push(warning.with_related(old.span, "without effect"));
    }
    *slot = Some(Set { value, span, section });
}

/// `timeout netns-removed` when it is not set.
pub(crate) const NETNS_REMOVED: Duration = Duration::from_secs(5);

impl Settings {
    /// Those of its formats that are set.
    pub(super) fn formats(&self) -> impl Iterator<Item = &Set<Rc<DraftFormat>>> {
        let formats = [&self.log_line, &self.log_data, &self.unique_id];
        formats.into_iter().flatten()
    }

    /// `timeout netns-removed`, of which 0 is no limit.
    pub(super) fn netns_removed(&self) -> Option<Duration> {
        let written = self.netns_removed.as_ref().map(|set| set.value);
        Some(written.unwrap_or(NETNS_REMOVED)).filter(|value| !value.is_zero())
    }
}
