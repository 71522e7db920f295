//! What `log` lines ask for: the sessions of a frontend, in HAProxy's words, to targets.

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use netns_core::NetnsSpec;
use nsproxy_config::model::{Bind, BindNetns, Config, Expression, Format, Frontend, HostName, Logging};
use nsproxy_engine::{CloseReason, Endpoint, Plan, RuleStage, SessionFacts, SessionSummary, Side};
use nsproxy_log::{Clock, Level, Target};

use super::codes;
use super::targets::Targets;
use super::text::{Around, Text, fill_in};
use crate::plan::endpoints;

/// The program's name in messages.
const TAG: &str = "nsproxy";

/// The logs of all frontends that have one.
#[derive(Debug, Default)]
pub(crate) struct SessionLogs {
    relays: HashMap<String, Arc<RelayLog>>,
    /// The targets of each pool.
    pools: HashMap<String, Vec<Arc<Target>>>,
    /// Each once.
    targets: Vec<Arc<Target>>,
}

/// The log of one frontend.
#[derive(Debug)]
pub(super) struct RelayLog {
    targets: Vec<Arc<Target>>,
    /// Lines so far, under all configurations.
    lines: Arc<AtomicU64>,
    logging: Logging,
    texts: Texts,
    binds: Vec<(Endpoint, Option<BindNetns>, String)>,
    host: Arc<str>,
}

/// The formats of a frontend.
#[derive(Debug)]
pub(crate) struct Texts {
    line: Option<Text>,
    data: Option<Text>,
    /// What its sessions are called.
    pub(crate) unique_id: Option<Text>,
    /// What they ask for of each session.
    pub(crate) logged: Vec<Expression>,
}

impl Texts {
    pub(crate) fn of(logging: &Logging) -> Self {
        let mut logged = Vec::new();
        let mut text = |format: &Option<Format>| {
            let format = format.as_ref()?;
            let text = Text::logged(format, logged.len());
            logged.extend_from_slice(format.expressions());
            Some(text)
        };
        Self {
            line: text(&logging.line),
            data: text(&logging.data),
            unique_id: text(&logging.unique_id),
            logged,
        }
    }
}

thread_local! {
    /// Kept from line to line, so that none allocates.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

#[derive(Default)]
struct Scratch {
    clock: Clock,
    text: Vec<u8>,
    data: Vec<u8>,
}

impl SessionLogs {
    /// What a configuration asks for. Targets that there are already go on, and frontends that had a log go on to count.
    ///
    /// # Errors
    ///
    /// A target cannot be opened.
    pub(crate) fn of(config: &Config, before: &Self, targets: &mut Targets) -> anyhow::Result<Self> {
        let host = configured_host(config);
        let shown_host: Arc<str> = host.clone().unwrap_or_else(system_host).into();
        let mut logs = Self::default();
        for frontend in &config.frontends {
            let logging = &frontend.logging;
            let tag = tag(logging.tag.as_ref(), config);
            let its = targets.all(&logging.targets, tag, host.as_deref())?;
            add(&mut logs.targets, &its);
            if !its.is_empty() {
                let known = before.relays.get(&frontend.name);
                let lines = known.map(|known| Arc::clone(&known.lines)).unwrap_or_default();
                let log = RelayLog::new(frontend, its, lines, Arc::clone(&shown_host));
                logs.relays.insert(frontend.name.clone(), Arc::new(log));
            }
        }
        for backend in &config.backends {
            let tag = tag(backend.log_tag.as_ref(), config);
            let its = targets.all(&backend.logs, tag, host.as_deref())?;
            add(&mut logs.targets, &its);
            logs.pools.insert(backend.name.clone(), its);
        }
        Ok(logs)
    }

    /// Has each session find its log again, also when another configuration is in force by then.
    pub(crate) fn attach(&self, plan: &mut Plan) {
        for relay in &mut plan.relays {
            let log = self.relays.get(&relay.name).cloned();
            relay.attachment = log.map(|log| log as Arc<dyn Any + Send + Sync>);
        }
    }

    /// Something about a relay that is no session.
    pub(super) fn notice(&self, relay: &str, level: Level, line: std::fmt::Arguments<'_>) {
        if let Some(log) = self.relays.get(relay) {
            tell(&log.targets, level, line);
        }
    }

    /// Something about the process.
    pub(super) fn process_notice(&self, level: Level, line: std::fmt::Arguments<'_>) {
        tell(&self.targets, level, line);
    }

    /// Something about a pool.
    pub(super) fn pool_notice(&self, pool: &str, level: Level, line: std::fmt::Arguments<'_>) {
        if let Some(targets) = self.pools.get(pool) {
            tell(targets, level, line);
        }
    }
}

/// The name of the program in the messages of a proxy: its own, or that of all.
fn tag<'c>(own: Option<&'c String>, config: &'c Config) -> &'c str {
    own.or(config.global.log_tag.as_ref()).map_or(TAG, String::as_str)
}

/// Adds those of `others` that are not among them.
fn add(targets: &mut Vec<Arc<Target>>, others: &[Arc<Target>]) {
    for other in others {
        if !targets.iter().any(|one| Arc::ptr_eq(one, other)) {
            targets.push(Arc::clone(other));
        }
    }
}

fn tell(targets: &[Arc<Target>], level: Level, line: std::fmt::Arguments<'_>) {
    if targets.is_empty() {
        return;
    }
    SCRATCH.with_borrow_mut(|Scratch { text, .. }| {
        text.clear();
        put(text, line);
        for target in targets {
            target.log(level, b"", text);
        }
    });
}

/// The name of the host, in formats.
pub(crate) fn host_name(config: &Config) -> String {
    configured_host(config).unwrap_or_else(system_host)
}

/// The name of the host that `log-send-hostname` asks for.
fn configured_host(config: &Config) -> Option<String> {
    config.global.log_host.as_ref().map(|host| match host {
        HostName::System => system_host(),
        HostName::Named(name) => name.clone(),
    })
}

/// The name that the host has for itself.
pub(crate) fn system_host() -> String {
    let name = nix::unistd::gethostname().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

impl RelayLog {
    fn new(frontend: &Frontend, targets: Vec<Arc<Target>>, lines: Arc<AtomicU64>, host: Arc<str>) -> Self {
        let binds = frontend.binds.iter().enumerate();
        Self {
            targets,
            lines,
            texts: Texts::of(&frontend.logging),
            logging: frontend.logging.clone(),
            binds: binds.flat_map(|(at, bind)| labels(at, bind)).collect(),
            host,
        }
    }

    /// Without `option tcplog` or `log-format`, HAProxy writes a line of each session that begins.
    pub(super) fn began(&self, facts: &SessionFacts<'_>) {
        if self.texts.line.is_none() {
            SCRATCH.with_borrow_mut(|Scratch { text, .. }| {
                text.clear();
                put(text, format_args!("Connect from "));
                spaced(text, facts.client());
                put(text, format_args!(" to "));
                spaced(text, facts.destination());
                put(text, format_args!(" ({}/TCP)", facts.relay()));
                self.send(b"", text);
            });
        }
    }

    pub(super) fn connected(&self, facts: &SessionFacts<'_>) {
        if self.logging.as_soon_as_possible && !self.is_untroubled(facts) {
            self.line(facts, None);
        }
    }

    /// Whether nothing has been worth a line so far, with `option dontlog-normal`. Another attempt is, as in HAProxy.
    fn is_untroubled(&self, facts: &SessionFacts<'_>) -> bool {
        self.logging.not_normal && facts.retries() == 0
    }

    pub(super) fn ended(&self, summary: &SessionSummary<'_>) {
        let facts = &summary.facts;
        if let CloseReason::Rejected(RuleStage::Connection | RuleStage::Session) = summary.reason {
            // Such a connection is no session, and has no line.
            return;
        }
        if let Some(sentence) = codes::header_error(summary.reason, facts.handshake().is_some()) {
            return self.header_line(summary, sentence);
        }
        let logging = &self.logging;
        let is_untroubled = self.is_untroubled(facts);
        let is_written = logging.as_soon_as_possible && facts.connect().is_some() && !is_untroubled;
        let is_null = logging.not_null && facts.received() == 0;
        let is_normal = is_untroubled && summary.reason == CloseReason::Finished;
        if !is_written && !is_null && !is_normal {
            self.line(facts, Some(summary.reason));
        }
    }

    /// The line of a session; without a reason it goes on.
    fn line(&self, facts: &SessionFacts<'_>, reason: Option<CloseReason>) {
        let Some(line) = &self.texts.line else {
            return;
        };
        SCRATCH.with_borrow_mut(|Scratch { text, data, .. }| {
            text.clear();
            data.clear();
            let around = Around {
                reason,
                is_early: self.logging.as_soon_as_possible,
                host: &self.host,
                lines: self.lines.fetch_add(1, Ordering::Relaxed),
                unique_id: self.texts.unique_id.as_ref(),
            };
            match &self.texts.data {
                None => fill_in(&mut [(line, text)], facts, around),
                Some(format) => fill_in(&mut [(line, text), (format, data)], facts, around),
            }
            self.send(data, text);
        });
    }

    fn send(&self, data: &[u8], text: &[u8]) {
        for target in &self.targets {
            target.log(Level::Info, data, text);
        }
    }

    /// A session that ended before its PROXY header was complete. The reason follows HAProxy's sentence where it says more.
    fn header_line(&self, summary: &SessionSummary<'_>, sentence: &str) {
        let reason = summary.reason;
        let is_reset = matches!(
            reason,
            CloseReason::Reset(Side::Downstream) | CloseReason::Failed(..)
        );
        let is_null = is_reset || reason == CloseReason::HeaderAborted(0);
        if self.logging.not_null && is_null {
            return;
        }
        let facts = &summary.facts;
        let (address, netns) = facts.listener();
        let bind = self
            .binds
            .iter()
            .find(|(bound, its, _)| bound == address && is_of(its.as_ref(), netns));
        let bind = bind.map_or("1", |(.., label)| label);
        SCRATCH.with_borrow_mut(|Scratch { clock, text, .. }| {
            text.clear();
            spaced(text, facts.client());
            put(text, format_args!(" ["));
            clock.accept_date(facts.accepted(), text);
            put(text, format_args!("] {}/{bind}: {sentence}", summary.relay));
            if let CloseReason::HeaderInvalid(_) | CloseReason::HeaderTooLong(_) = reason {
                put(text, format_args!(" ({reason})"));
            }
            self.send(b"", text);
        });
    }
}

/// Whether a listener in this namespace is of a `bind` line that says so.
fn is_of(written: Option<&BindNetns>, netns: Option<&NetnsSpec>) -> bool {
    match (written, netns) {
        (Some(BindNetns::Named(spec)), Some(netns)) => spec == netns,
        (Some(BindNetns::Matching(pattern)), Some(netns)) => {
            netns.name().is_some_and(|name| pattern.matches(name))
        }
        (written, netns) => written.is_none() && netns.is_none(),
    }
}

/// What HAProxy calls the addresses of a `bind` line: its name, or which one of the frontend it is.
fn labels(at: usize, bind: &Bind) -> Vec<(Endpoint, Option<BindNetns>, String)> {
    let label = bind.name.clone().unwrap_or_else(|| (at + 1).to_string());
    let of = |address| (address, bind.netns.clone(), label.clone());
    endpoints(&bind.address).into_iter().map(of).collect()
}

fn spaced(out: &mut Vec<u8>, address: Option<SocketAddr>) {
    match address {
        Some(address) => put(out, format_args!("{}:{}", address.ip(), address.port())),
        None => put(out, format_args!("unix:1")),
    }
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // A vector takes everything.
    let _ = std::io::Write::write_fmt(out, text);
}
