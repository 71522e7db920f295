//! What lives from the start of `nsproxy run` to its end, under one configuration after the other: the engine, the logs and
//! the names of hosts. It is told things by events, one at a time.
//!
//! | file | what it does |
//! |---|---|
//! | `reload.rs` | from one configuration to the next |
//! | `upgrade.rs` | from one process to the next |
//! | `fixed.rs` | what the next one cannot change |
//! | `ending.rs` | how it comes to its end |

mod ending;
mod fixed;
mod reload;
mod upgrade;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use netns_core::Root;
use nsproxy_config::Config;
use nsproxy_engine::{Engine, Handle, ListenerStatus, Plan, Stats, WaitError};
use nsproxy_log::Level as Severity;

pub(crate) use self::ending::Ending;
use self::ending::Given;
use crate::admin::Admin;
use crate::counted::counted;
use crate::files::ConfigFiles;
use crate::log::{Log, SessionLogs, Targets};
use crate::names::Names;
use crate::notify::Notifier;
use crate::signals::{Signal, Stops};
use crate::upgrade::{Invocation, Succession, Successor};

/// How often it is looked whether sessions have let go of logs that are not configured any more.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// What happens to a server.
#[derive(Debug)]
pub(crate) enum Event {
    /// It is told to do something.
    Signal(Signal),
    /// A new process has taken over, or has failed to.
    Upgraded(Succession),
    /// The process that this one takes over from has let go.
    Relieved,
    /// The engine has ended.
    Ended(Box<Result<Stats, WaitError>>),
}

/// A running `nsproxy run`.
pub(crate) struct Server {
    files: ConfigFiles,
    engine: Handle,
    log: Arc<Log>,
    notifier: Notifier,
    admin: Admin,
    targets: Targets,
    names: Names,
    ending: Ending,
    stops: Stops,
    /// The configuration in force.
    config: Config,
    /// To be told of events.
    told: Sender<Event>,
    /// How a new process is started in the place of this one, and the one that was.
    invocation: Invocation,
    successor: Option<Successor>,
}

impl Server {
    pub(crate) fn new(
        files: ConfigFiles,
        engine: Handle,
        (log, admin): (Arc<Log>, Admin),
        root: Option<Arc<Root>>,
        (stops, told): (Stops, Sender<Event>),
        (invocation, notifier): (Invocation, Notifier),
    ) -> Self {
        let targets = Targets::new(Arc::clone(log.losses()));
        Self {
            names: Names::new(engine.clone(), Arc::clone(&log), root),
            ending: Ending::new(engine.clone()),
            files,
            engine,
            log,
            notifier,
            admin,
            targets,
            stops,
            config: Config::default(),
            told,
            invocation,
            successor: None,
        }
    }

    /// Brings the first configuration into being. Whoever is told to stop meanwhile has no listeners, and that is no error.
    ///
    /// # Errors
    ///
    /// It cannot be.
    pub(crate) fn begin(&mut self, config: Config, plan: Plan) -> anyhow::Result<Vec<ListenerStatus>> {
        match self.bring(config, plan) {
            Err(_) if self.stops.any() => Ok(Vec::new()),
            result => result,
        }
    }

    /// Does what it is told until the engine has ended, and returns what that has done.
    ///
    /// # Errors
    ///
    /// A worker has failed.
    pub(crate) fn serve(mut self, engine: Engine, events: &Receiver<Event>) -> anyhow::Result<Stats> {
        let told = self.told.clone();
        thread::Builder::new()
            .name("nsproxy-wait".to_owned())
            .spawn(move || {
                // The receiver waits for nothing else.
                let _ = told.send(Event::Ended(Box::new(engine.wait())));
            })
            .context("cannot wait for the engine")?;
        let mut next = None;
        let outcome = loop {
            match next.take().map_or_else(|| events.recv_timeout(BETWEEN_LOOKS), Ok) {
                Ok(Event::Signal(signal)) => {
                    if signal == Signal::Reload {
                        // One answer is enough for all that have come by now: it reads what the last of them is about.
                        let mut others = events.try_iter();
                        next = others.find(|other| !matches!(other, Event::Signal(Signal::Reload)));
                    }
                    self.on_signal(signal);
                }
                Ok(Event::Upgraded(succession)) => self.on_upgraded(succession),
                Ok(Event::Relieved) if !self.ending.has_begun() => self.tell_relaying(),
                Ok(Event::Relieved) => {}
                Ok(Event::Ended(outcome)) => break *outcome,
                Err(RecvTimeoutError::Timeout) => self.targets.release_unused(),
                Err(RecvTimeoutError::Disconnected) => anyhow::bail!("the engine has ended without a word"),
            }
        };
        // If a worker has failed, nothing may look as if somebody were there.
        self.engine.stop();
        let Self {
            names,
            targets,
            admin,
            ..
        } = self;
        // Nobody is answered any more.
        drop(admin);
        // It has the log, too.
        drop(names);
        targets.finish();
        Ok(outcome?)
    }

    /// Tells the service manager from now on that the process is well.
    pub(crate) fn feed_watchdog(&mut self) {
        if let Err(error) = self.notifier.watch(self.engine.clone()) {
            self.say(
                Severity::Warning,
                format_args!("watchdog-failed error=\"{error}\" action=\"none is fed\""),
            );
        }
    }

    /// Tells the service manager that it relays.
    pub(crate) fn tell_relaying(&self) {
        let listeners = counted(self.engine.stats().listeners, "listener");
        self.notifier.ready(format_args!("relaying, {listeners}"));
    }

    fn on_signal(&mut self, signal: Signal) {
        match signal {
            Signal::Reload => self.reload(),
            Signal::Upgrade => self.upgrade(),
            Signal::Retire => self.drain(Ending::retire),
            Signal::Stop => self.drain(Ending::stop),
        }
    }

    /// Comes to an end, in this way.
    fn drain(&mut self, way: impl FnOnce(&mut Ending, Option<Duration>) -> Given) {
        self.abandon_upgrade();
        let given = way(&mut self.ending, self.config.global.hard_stop_after);
        let sessions = self.engine.sessions();
        self.notifier
            .stopping(format_args!("draining, {sessions} sessions to finish"));
        self.say(
            Severity::Notice,
            format_args!("draining sessions={sessions} limit={given}"),
        );
    }

    /// Has a configuration take the place of the one before. When that fails, nothing has changed.
    fn bring(&mut self, config: Config, mut plan: Plan) -> anyhow::Result<Vec<ListenerStatus>> {
        let logs = SessionLogs::of(&config, &self.log.logs(), &mut self.targets)?;
        logs.attach(&mut plan);
        // What its first lookups find goes to the new logs already.
        let logs_before = self.log.adopt(logs);
        let listeners = self.apply(&config, plan);
        if listeners.is_ok() {
            self.admin.adopt(&config);
            self.config = config;
        } else {
            self.log.adopt(logs_before);
        }
        listeners
    }

    /// Has the plan of a configuration take the place of the one before, once it is known where its servers are.
    fn apply(&mut self, config: &Config, mut plan: Plan) -> anyhow::Result<Vec<ListenerStatus>> {
        let hosts = self.names.look_up(config, || !self.stops.any())?;
        self.names.fill(&hosts, &mut plan);
        let applied = self.engine.apply(&plan);
        match applied {
            Ok(_) => self.names.adopt(hosts),
            Err(_) => self.names.restore(),
        }
        Ok(applied?)
    }

    /// Says something about the process.
    fn say(&self, severity: Severity, line: std::fmt::Arguments<'_>) {
        self.log.process_event(severity, line);
    }
}
