//! What is said on standard error: one line an event, `key=value`.
//!
//! Standard error is a target of lines as any other: the workers only try to put a line into its queue. When whoever reads it is
//! slow, lines are dropped and counted; relaying is never held up.
//!
//! Sessions of a frontend that has `log` lines are not said here: `sessions` writes them where those lines say.

mod codes;
mod health;
mod netns;
mod sessions;
mod targets;
mod text;

use std::cell::RefCell;
use std::fmt::{self, Display};
use std::io::{self, Write as _};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, SystemTime};

use nsproxy_engine::{
    Admin, CloseReason, ListenerStatus, Notice, Observer, RuleStage, SessionFacts, SessionSummary,
};
use nsproxy_log::{Address, Facility, Framing, Identity, Level as Severity, Settings, Target};

use self::health::HealthLine;
use self::netns::NetnsLine;
use self::sessions::RelayLog;
pub(crate) use self::sessions::{SessionLogs, Texts, host_name, system_host};
pub(crate) use self::targets::Targets;
pub(crate) use self::text::{SessionText, Text};

/// Bytes of a line at most: more than any has, but for names that are too long to be true.
const LONGEST: usize = 64 * 1024;
/// How long the end waits for whoever does not take lines.
const LAST_WORDS: Duration = Duration::from_secs(1);

thread_local! {
    /// Kept from line to line, so that none allocates.
    static LINE: RefCell<Vec<u8>> = RefCell::default();
}

/// Which sessions are worth a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// Those that failed, but for connections that a rule has rejected as such.
    Failures,
    /// All.
    Sessions,
}

/// Says something for which there is no log yet, or no more.
pub(crate) fn complain(text: &str) {
    // In one piece: a line of the log, or of another process, must not come between the text and its end.
    let line = format!("{text}\n");
    // With standard error gone there is nobody to tell.
    let _ = io::stderr().lock().write_all(line.as_bytes());
}

/// Says what happens.
#[derive(Debug)]
pub(crate) struct Log {
    level: Level,
    stderr: Arc<Target>,
    /// Lines that could not be written, there and by the targets of `log` lines.
    losses: Arc<AtomicU64>,
    /// What `log` lines ask for. Sessions have theirs with them, and do not look here.
    logs: RwLock<SessionLogs>,
}

/// Sees to it that what was said is written.
#[derive(Debug)]
pub(crate) struct Writer(Arc<Target>);

impl Log {
    pub(crate) fn start(level: Level) -> io::Result<(Self, Writer)> {
        let losses = Arc::<AtomicU64>::default();
        let settings = Settings {
            address: Address::Stderr,
            framing: Framing::Raw,
            max_len: LONGEST,
            // What is raw says neither who it is from nor how severe it is.
            facility: Facility::LOCAL0,
            level: Severity::Debug,
            min_level: Severity::Emerg,
            identity: Identity::new(""),
            losses: Arc::clone(&losses),
        };
        let stderr = Arc::new(Target::start(settings)?);
        let log = Self {
            level,
            stderr: Arc::clone(&stderr),
            losses,
            logs: RwLock::default(),
        };
        Ok((log, Writer(stderr)))
    }

    /// Has what is no session logged as these `log` lines ask, instead of those before. Sessions are logged as
    /// [`SessionLogs::attach`] has it.
    pub(crate) fn adopt(&self, logs: SessionLogs) -> SessionLogs {
        let mut current = self.logs.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut current, logs)
    }

    /// What `log` lines ask for now.
    pub(crate) fn logs(&self) -> RwLockReadGuard<'_, SessionLogs> {
        self.logs.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the lines that could not be written, wherever they were to go.
    pub(crate) fn losses(&self) -> &Arc<AtomicU64> {
        &self.losses
    }

    /// Something about the process: on standard error, and in every log.
    pub(crate) fn process_event(&self, severity: Severity, line: fmt::Arguments<'_>) {
        self.logs().process_notice(severity, line);
        self.put(line);
    }

    /// The host of a server has an address, or another one than before.
    pub(crate) fn server_is_found(&self, pool: &str, line: fmt::Arguments<'_>) {
        self.pool_event(pool, Severity::Notice, line);
    }

    /// The host of a server has none: the server is down.
    pub(crate) fn server_is_lost(&self, pool: &str, line: fmt::Arguments<'_>) {
        self.pool_event(pool, Severity::Alert, line);
    }

    /// An event that is no session: on standard error, and where the relay has its log.
    fn event(&self, relay: &str, severity: Severity, line: fmt::Arguments<'_>) {
        self.logs().notice(relay, severity, line);
        self.put(line);
    }

    /// The same of a pool, which has logs of its own.
    fn pool_event(&self, pool: &str, severity: Severity, line: fmt::Arguments<'_>) {
        self.logs().pool_notice(pool, severity, line);
        self.put(line);
    }

    fn put(&self, line: impl Display) {
        let time = humantime::format_rfc3339_millis(SystemTime::now());
        LINE.with_borrow_mut(|text| {
            text.clear();
            // A vector takes everything.
            let _ = write!(text, "{time} {line}");
            self.stderr.log(Severity::Info, b"", text);
        });
    }
}

impl Writer {
    /// Writes what is left, and a last line.
    pub(crate) fn finish(self, last_words: &str) {
        if !last_words.is_empty() {
            self.0.log(Severity::Info, b"", last_words.as_bytes());
        }
        // Whoever can control the engine may hold the log for as long as the process lives: what comes now is not written.
        self.0.finish(LAST_WORDS);
    }
}

impl Observer for Log {
    fn session_began(&self, facts: &SessionFacts<'_>) {
        if let Some(log) = facts.attachment::<RelayLog>() {
            log.began(facts);
        }
    }

    fn session_connected(&self, facts: &SessionFacts<'_>) {
        if let Some(log) = facts.attachment::<RelayLog>() {
            log.connected(facts);
        }
    }

    fn session_ended(&self, summary: &SessionSummary<'_>) {
        if let Some(log) = summary.facts.attachment::<RelayLog>() {
            return log.ended(summary);
        }
        let is_usual = matches!(
            summary.reason,
            // Such rules are for floods.
            CloseReason::Finished | CloseReason::Rejected(RuleStage::Connection)
        );
        if self.level == Level::Sessions || !is_usual {
            self.put(SessionLine(summary));
        }
    }

    fn notice(&self, notice: &Notice<'_>) {
        match notice {
            Notice::NetnsUnlisted {
                relay,
                peer,
                name,
                closed,
            } => {
                let (peer, name) = (Maybe(*peer), name.escape_ascii());
                let then = if *closed {
                    "connection closed"
                } else {
                    "the listener's namespace applies"
                };
                let line =
                    format_args!("netns-refused relay={relay} peer={peer} name=\"{name}\" action=\"{then}\"");
                self.event(relay, Severity::Warning, line);
            }
            Notice::SocketFailed { relay, server, error } => {
                let error = Chain(*error);
                let line = format_args!("socket-failed relay={relay} server={server} error=\"{error}\"");
                self.event(relay, Severity::Err, line);
            }
            Notice::AcceptFailed { relay, error } => {
                let line = format_args!(
                    "accept-failed relay={relay} error=\"{error}\" action=\"tried again shortly\""
                );
                self.event(relay, Severity::Alert, line);
            }
            Notice::CheckPrevented { pool, server, error } => {
                let line = format_args!("check-prevented pool={pool} server={server} error=\"{error}\"");
                self.pool_event(pool, Severity::Alert, line);
            }
            Notice::ChecksEnded { error } => match error {
                Some(error) => self.put(format_args!("checks-ended error=\"{error}\"")),
                None => self.put("checks-ended error=\"a bug\""),
            },
            Notice::CheckEnded { pool, .. } | Notice::ServerMoved { pool, .. } => {
                self.pool_event(pool, Severity::Notice, format_args!("{}", HealthLine(notice)));
            }
            Notice::ServerSet { pool, now, .. } => {
                let severity = if *now == Admin::Maintenance {
                    Severity::Alert
                } else {
                    Severity::Notice
                };
                self.pool_event(pool, severity, format_args!("{}", HealthLine(notice)));
            }
            Notice::ServerChanged {
                pool,
                is_up,
                active,
                backups,
                ..
            } => {
                let severity = if *is_up { Severity::Notice } else { Severity::Alert };
                self.pool_event(pool, severity, format_args!("{}", HealthLine(notice)));
                if *active + *backups == 0 {
                    let line = format_args!("backend {pool} has no server available!");
                    self.pool_event(pool, Severity::Emerg, line);
                }
            }
            Notice::ListenerFailed { relay, .. } => {
                self.event(relay, Severity::Alert, format_args!("{}", NetnsLine(notice)));
            }
            Notice::ListenerOpened { relay, .. } => {
                self.event(relay, Severity::Notice, format_args!("{}", NetnsLine(notice)));
            }
            Notice::NetnsReady { .. }
            | Notice::NetnsReplaced { .. }
            | Notice::NetnsRemoved { .. }
            | Notice::NetnsUnknown { .. }
            | Notice::NetnsUnwatched { .. }
            | Notice::NetnsLeft { .. } => self.put(NetnsLine(notice)),
        }
    }
}

/// One session, as a line.
struct SessionLine<'a>(&'a SessionSummary<'a>);

impl Display for SessionLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let session = self.0;
        write!(
            f,
            "session relay={} client={}",
            session.relay,
            Maybe(session.client)
        )?;
        if let Some(peer) = session.peer {
            write!(f, " peer={peer}")?;
        }
        write!(
            f,
            " netns={} backend={}",
            Maybe(session.client_netns),
            session.pool
        )?;
        write!(
            f,
            " server={} upstream={}",
            Maybe(session.server),
            Maybe(session.upstream)
        )?;
        write!(f, " upstream_netns={}", Maybe(session.upstream_netns))?;
        write!(f, " up={} down={}", session.bytes_up, session.bytes_down)?;
        write!(
            f,
            " ms={} reason=\"{}\"",
            session.duration.as_millis(),
            session.reason
        )
    }
}

/// A listener that is there, as a sentence.
pub(crate) struct Listens<'a>(pub(crate) &'a ListenerStatus);

impl Display for Listens<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ListenerStatus {
            relay,
            address,
            netns,
            pending,
            ..
        } = self.0;
        match netns {
            Some(netns) if *pending => {
                write!(
                    f,
                    "{relay} will listen at {address} in netns {netns} once it is there"
                )
            }
            Some(netns) => write!(f, "{relay} listens at {address} in netns {netns}"),
            None => write!(f, "{relay} listens at {address}"),
        }
    }
}

/// An error with its causes, on one line.
struct Chain<'a>(&'a dyn std::error::Error);

impl Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// A value, or a dash.
struct Maybe<T>(Option<T>);

impl<T: Display> Display for Maybe<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("-"),
        }
    }
}
