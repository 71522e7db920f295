//! `nsproxy run`: relays what a configuration says.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use anyhow::Context as _;
use netns_core::Root;
use nsproxy_config::model::Global;
use nsproxy_engine::{Engine, InProcess, InProcessFrom, Observer, OpenerFactory, Plan, Prepared, Settings};

use super::check;
use crate::admin::{self, Admin, Taken};
use crate::args::Files;
use crate::counted::counted;
use crate::daemon::{Daemon, PidFile};
use crate::files::ConfigFiles;
use crate::identity::Identity;
use crate::log::{self, Level, Log, Writer};
use crate::notify::Notifier;
use crate::server::{Event, Server};
use crate::upgrade::{Invocation, Predecessor};
use crate::{limits, namespaces, signals};

/// Where the process is meant to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ground {
    /// Where the configuration says.
    AsConfigured,
    /// In the background (`-D`).
    Background,
    /// In the foreground (`-db`).
    Foreground,
}

/// Runs until the end, in the place of the process that has started this one for that purpose, if one has.
pub(crate) fn run(
    files: &Files,
    is_verbose: bool,
    ground: Ground,
    invocation: Invocation,
) -> anyhow::Result<ExitCode> {
    let predecessor = Predecessor::of_this_process()?;
    let level = if is_verbose {
        Level::Sessions
    } else {
        Level::Failures
    };
    let around = (invocation, Notifier::of_this_process());
    let started = Started::start(files, level, ground, predecessor.as_ref(), around);
    let started = started.inspect_err(|error| {
        if let Some(predecessor) = &predecessor {
            predecessor.disappoint(error);
        }
    })?;
    started.serve(predecessor)
}

/// A server that relays, and what is to be done at its end.
struct Started {
    server: Server,
    engine: Engine,
    events: Receiver<Event>,
    writer: Writer,
    daemon: Option<Daemon>,
    pid_file: Option<PidFile>,
}

impl Started {
    /// Everything in its order: what takes privileges, or a single thread, comes first.
    fn start(
        files: &Files,
        level: Level,
        ground: Ground,
        predecessor: Option<&Predecessor>,
        around: (Invocation, Notifier),
    ) -> anyhow::Result<Self> {
        let mut files = ConfigFiles::of(files);
        let (config, plan) = check::planned(&files)?;
        let global = &config.global;
        let identity = Identity::of(global, &plan)?;
        // A process that takes over is in the background if the other one is. A child has only the thread that made it.
        let daemon = (predecessor.is_none() && ground.is_background(global)).then(Daemon::start);
        let daemon = daemon.transpose().context("cannot go on in the background")?;
        let pid_file = pid_file(global, predecessor)?;
        limits::set_open_files(global.open_files)?;
        let settings = settings(global, &plan);
        namespaces::warn_about_missing(&plan);
        namespaces::warn_if_blind(&plan);
        let root = identity.leaves_root().then(Root::current).transpose();
        let root = root.context("cannot keep the root directory open")?.map(Arc::new);
        if let Some(root) = &root {
            let kept = files.keep(Arc::clone(root));
            kept.context("cannot keep the directory that it was started in")?;
        }
        let mut opener = opener(root.clone());
        let adopting = predecessor.map(|predecessor| predecessor.sockets(Arc::clone(&opener)));
        let adopting = adopting.transpose()?;
        if let Some(adopting) = &adopting {
            opener = Arc::clone(adopting) as Arc<dyn OpenerFactory>;
        }
        // A process that takes over opens its own once the other one may lose them.
        let admin_sockets = match predecessor {
            None => admin::open(&global.admin.sockets, Taken::Refused)?,
            Some(_) => Vec::new(),
        };
        let opener = Prepared::open(&plan, opener)?;
        nsproxy_log::read_time_zone();
        // The last moment at which there is one thread.
        identity.assume()?;
        let (log, writer) = Log::start(level).context("cannot start the log")?;
        let log = Arc::new(log);
        let observer = Arc::clone(&log) as Arc<dyn Observer>;
        let engine = Engine::start(&settings, Arc::new(opener), observer)?;
        let (told, events) = channel();
        let tell = told.clone();
        let stops = signals::watch(move |signal| {
            // Without a receiver the process is about to end.
            let _ = tell.send(Event::Signal(signal));
        });
        let stops = stops.context("cannot watch for signals")?;
        let mut admin = Admin::new(&global.admin, engine.handle(), Arc::clone(log.losses()));
        admin.listen(admin_sockets)?;
        let channels = (stops, told);
        let mut server = Server::new(files, engine.handle(), (log, admin), root, channels, around);
        for listener in &server.begin(config, plan)? {
            log::complain(&format!("nsproxy: {}", log::Listens(listener)));
        }
        for address in adopting.iter().flat_map(|adopting| adopting.release()) {
            log::complain(&format!("nsproxy: does not listen at {address} any more"));
        }
        Ok(Self {
            server,
            engine,
            events,
            writer,
            daemon,
            pid_file,
        })
    }

    /// Relays until the end.
    fn serve(self, predecessor: Option<Predecessor>) -> anyhow::Result<ExitCode> {
        let Self {
            mut server,
            engine,
            events,
            writer,
            daemon,
            mut pid_file,
        } = self;
        if let Some(daemon) = daemon {
            daemon.ready().context("cannot let go of the terminal")?;
        }
        match predecessor {
            // The manager takes no word of this process before the other one has named it.
            Some(predecessor) => pid_file = server.take_over(predecessor),
            None => server.tell_relaying(),
        }
        server.feed_watchdog();
        let stats = server.serve(engine, &events)?;
        drop(pid_file);
        writer.finish(&format!(
            "nsproxy: ended after {} ({} failed), {} bytes up, {} bytes down",
            counted(stats.accepted, "session"),
            stats.failed,
            stats.bytes_up,
            stats.bytes_down
        ));
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes the file with the number of the process; of one that takes over, when it has.
fn pid_file(global: &Global, predecessor: Option<&Predecessor>) -> anyhow::Result<Option<PidFile>> {
    let Some(path) = &global.pidfile else {
        return Ok(None);
    };
    let written = match predecessor {
        None => PidFile::write(path).map(Some),
        Some(_) => PidFile::check(path).map(|()| None),
    };
    written.with_context(|| format!("cannot write the pidfile {}", path.display()))
}

impl Ground {
    fn is_background(self, global: &Global) -> bool {
        match self {
            Self::AsConfigured => global.daemon,
            Self::Background => true,
            Self::Foreground => false,
        }
    }
}

fn settings(global: &Global, plan: &Plan) -> Settings {
    Settings {
        workers: limits::workers(global),
        expected_workers: limits::cpus(),
        max_sessions: global.maxconn.map(|count| count as usize),
        checks: plan.has_checks(),
    }
}

/// What makes sockets: from the root directory of now, if that is to be left.
fn opener(root: Option<Arc<Root>>) -> Arc<dyn OpenerFactory> {
    match root {
        Some(root) => Arc::new(InProcessFrom(root)),
        None => Arc::new(InProcess),
    }
}
