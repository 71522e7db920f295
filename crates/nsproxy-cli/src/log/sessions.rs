//! What `log` lines ask for: the sessions of a frontend, in HAProxy's words, to targets.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use netns_core::NetnsSpec;
use nsproxy_config::model::{Bind, Config, Frontend, HostName, LogTarget, Logging};
use nsproxy_engine::{CloseReason, Endpoint, RuleStage, SessionFacts, SessionSummary, Side};
use nsproxy_log::{Address, Clock, Framing, Identity, Level, Settings, Target};

use super::codes;
use super::text::{Around, fill_in};
use crate::plan::endpoints;

/// How long the end waits for a target that does not take lines.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// The program's name in messages.
const TAG: &str = "nsproxy";

/// The logs of all frontends that have one.
#[derive(Debug)]
pub(crate) struct SessionLogs {
    relays: HashMap<String, RelayLog>,
    /// Of each pool, the targets of the relays that use it.
    pools: HashMap<String, Vec<Arc<Target>>>,
    host: String,
}

/// Targets, to be finished when the engine has ended.
#[derive(Debug)]
pub(crate) struct Targets(Vec<Arc<Target>>);

/// The log of one frontend.
#[derive(Debug)]
struct RelayLog {
    targets: Vec<Arc<Target>>,
    /// Lines so far.
    lines: AtomicU64,
    logging: Logging,
    binds: Vec<(Endpoint, Option<NetnsSpec>, String)>,
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
    /// Starts the targets of a configuration.
    ///
    /// # Errors
    ///
    /// A target cannot be opened.
    pub(crate) fn start(config: &Config) -> anyhow::Result<(Self, Targets)> {
        let host = configured_host(config);
        let mut started: Vec<(LogTarget, String, Arc<Target>)> = Vec::new();
        let mut relays = HashMap::new();
        let mut pools: HashMap<String, Vec<Arc<Target>>> = HashMap::new();
        for frontend in &config.frontends {
            let logging = &frontend.logging;
            let tag = logging.tag.as_ref().or(config.global.log_tag.as_ref());
            let tag = tag.map_or(TAG, |tag| tag);
            let mut targets = Vec::new();
            for line in &logging.targets {
                let known = started.iter().find(|(known, its, _)| known == line && its == tag);
                let target = match known {
                    Some((_, _, target)) => Arc::clone(target),
                    None => Arc::new(start(line, tag, host.as_deref())?),
                };
                if known.is_none() {
                    started.push((line.clone(), tag.to_owned(), Arc::clone(&target)));
                }
                targets.push(target);
            }
            if let Some(backend) = frontend.backend {
                let its = pools.entry(config.backend(backend).name.clone()).or_default();
                for target in &targets {
                    if !its.iter().any(|one| Arc::ptr_eq(one, target)) {
                        its.push(Arc::clone(target));
                    }
                }
            }
            if !targets.is_empty() {
                relays.insert(frontend.name.clone(), RelayLog::new(frontend, targets));
            }
        }
        let logs = Self {
            relays,
            pools,
            host: host_name(config),
        };
        let targets = started.into_iter().map(|(.., target)| target);
        Ok((logs, Targets(targets.collect())))
    }

    /// True when this relay has a log of its own.
    pub(super) fn has(&self, relay: &str) -> bool {
        self.relays.contains_key(relay)
    }

    /// Without `option tcplog` or `log-format`, HAProxy writes a line of each session that begins.
    pub(super) fn began(&self, facts: &SessionFacts<'_>) {
        let Some(log) = self.relays.get(facts.relay()) else {
            return;
        };
        if log.logging.line.is_none() {
            SCRATCH.with_borrow_mut(|Scratch { text, .. }| {
                text.clear();
                put(text, format_args!("Connect from "));
                spaced(text, facts.client());
                put(text, format_args!(" to "));
                spaced(text, facts.destination());
                put(text, format_args!(" ({}/TCP)", facts.relay()));
                log.send(b"", text);
            });
        }
    }

    pub(super) fn connected(&self, facts: &SessionFacts<'_>) {
        if let Some(log) = self.relays.get(facts.relay())
            && log.logging.as_soon_as_possible
        {
            self.line(log, facts, None);
        }
    }

    /// Something about a relay that is no session.
    pub(super) fn notice(&self, relay: &str, level: Level, line: std::fmt::Arguments<'_>) {
        if let Some(log) = self.relays.get(relay) {
            SCRATCH.with_borrow_mut(|Scratch { text, .. }| {
                text.clear();
                put(text, line);
                for target in &log.targets {
                    target.log(level, b"", text);
                }
            });
        }
    }

    /// Something about a pool.
    pub(super) fn pool_notice(&self, pool: &str, level: Level, line: std::fmt::Arguments<'_>) {
        if let Some(targets) = self.pools.get(pool).filter(|targets| !targets.is_empty()) {
            SCRATCH.with_borrow_mut(|Scratch { text, .. }| {
                text.clear();
                put(text, line);
                for target in targets {
                    target.log(level, b"", text);
                }
            });
        }
    }

    pub(super) fn ended(&self, summary: &SessionSummary<'_>) {
        let Some(log) = self.relays.get(summary.relay) else {
            return;
        };
        let facts = &summary.facts;
        if let CloseReason::Rejected(RuleStage::Connection | RuleStage::Session) = summary.reason {
            // Such a connection is no session, and has no line.
            return;
        }
        if let Some(sentence) = codes::header_error(summary.reason, facts.handshake().is_some()) {
            return log.header_line(summary, sentence);
        }
        let logging = &log.logging;
        let is_written = logging.as_soon_as_possible && facts.connect().is_some();
        let is_null = logging.not_null && facts.received() == 0;
        let is_normal = logging.not_normal && summary.reason == CloseReason::Finished;
        if !is_written && !is_null && !is_normal {
            self.line(log, facts, Some(summary.reason));
        }
    }

    /// The line of a session; without a reason it goes on.
    fn line(&self, log: &RelayLog, facts: &SessionFacts<'_>, reason: Option<CloseReason>) {
        let Some(line) = &log.logging.line else {
            return;
        };
        SCRATCH.with_borrow_mut(|Scratch { text, data, .. }| {
            text.clear();
            data.clear();
            let around = Around {
                reason,
                host: &self.host,
                lines: log.lines.fetch_add(1, Ordering::Relaxed),
                unique_id: log.logging.unique_id.as_ref(),
            };
            match &log.logging.data {
                None => fill_in(&mut [(line, text)], facts, around),
                Some(format) => fill_in(&mut [(line, text), (format, data)], facts, around),
            }
            log.send(data, text);
        });
    }
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

fn system_host() -> String {
    let name = nix::unistd::gethostname().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

impl Targets {
    /// Waits a moment for what is left.
    pub(crate) fn finish(self) {
        for target in self.0 {
            target.finish(LAST_WORDS);
        }
    }
}

impl RelayLog {
    fn new(frontend: &Frontend, targets: Vec<Arc<Target>>) -> Self {
        Self {
            targets,
            lines: AtomicU64::new(0),
            logging: frontend.logging.clone(),
            binds: frontend
                .binds
                .iter()
                .enumerate()
                .flat_map(|(at, bind)| labels(at, bind))
                .collect(),
        }
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
            .find(|(bound, its, _)| bound == address && its.as_ref() == netns);
        let bind = bind.map_or("1", |(.., label)| label);
        SCRATCH.with_borrow_mut(|Scratch { clock, text, .. }| {
            text.clear();
            match facts.client() {
                Some(client) => put(text, format_args!("{}:{} [", client.ip(), client.port())),
                None => put(text, format_args!("unix:1 [")),
            }
            clock.accept_date(facts.accepted(), text);
            put(text, format_args!("] {}/{bind}: {sentence}", summary.relay));
            if let CloseReason::HeaderInvalid(_) | CloseReason::HeaderTooLong(_) = reason {
                put(text, format_args!(" ({reason})"));
            }
            self.send(b"", text);
        });
    }
}

fn start(line: &LogTarget, tag: &str, host: Option<&str>) -> anyhow::Result<Target> {
    let usual = if host.is_some() {
        Framing::Rfc3164
    } else {
        Framing::Local
    };
    let settings = Settings {
        address: line.address.clone(),
        framing: line.framing.unwrap_or(usual),
        max_len: line.max_len,
        facility: line.facility,
        level: line.level,
        min_level: line.min_level,
        identity: Identity {
            host: host.map(str::to_owned),
            ..Identity::new(tag)
        },
    };
    if let Address::Unix(path) = &line.address
        && !path.exists()
    {
        super::complain(&format!(
            "nsproxy: warning: `log {line}`: {} is not there; it is looked for with each line",
            path.display()
        ));
    }
    Target::start(settings).with_context(|| format!("cannot start `log {line}`"))
}

/// What HAProxy calls the addresses of a `bind` line: its name, or which one of the frontend it is.
fn labels(at: usize, bind: &Bind) -> Vec<(Endpoint, Option<NetnsSpec>, String)> {
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
