//! `nsproxy run`: relays what a configuration says.

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use anyhow::Context as _;
use netns_core::Root;
use nsproxy_engine::{Engine, InProcess, InProcessFrom, OpenerFactory, Prepared, Settings};

use super::check;
use crate::args::Files;
use crate::daemon::{Daemon, PidFile};
use crate::identity::Identity;
use crate::log::{self, Level, Log, SessionLogs};
use crate::names::Names;
use crate::{limits, namespaces, plan, signals};

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

pub(crate) fn run(files: &Files, is_verbose: bool, ground: Ground) -> anyhow::Result<ExitCode> {
    let Some(config) = check::load(files) else {
        return Ok(ExitCode::FAILURE);
    };
    let mut plan = plan::plan(&config);
    anyhow::ensure!(!plan.relays.is_empty(), check::NOTHING_TO_RELAY);
    let identity = Identity::of(&config.global, &plan)?;
    let is_daemon = match ground {
        Ground::AsConfigured => config.global.daemon,
        Ground::Background => true,
        Ground::Foreground => false,
    };
    // Before any thread is started: a child has only the one that made it.
    let daemon = is_daemon
        .then(Daemon::start)
        .transpose()
        .context("cannot go on in the background")?;
    let pid_file = config
        .global
        .pidfile
        .as_deref()
        .map(|path| {
            PidFile::write(path).with_context(|| format!("cannot write the pidfile {}", path.display()))
        })
        .transpose()?;
    limits::set_open_files(config.global.open_files)?;
    let settings = Settings {
        // What the machine has is read from files, which a new root directory has not.
        workers: config
            .global
            .nbthread
            .and_then(|count| NonZeroUsize::new(count as usize))
            .or_else(|| thread::available_parallelism().ok()),
        max_sessions: config.global.maxconn.map(|count| count as usize),
        checks: plan.has_checks(),
    };
    let level = if is_verbose {
        Level::Sessions
    } else {
        Level::Failures
    };
    namespaces::warn_about_missing(&plan);
    let root = identity.leaves_root().then(Root::current).transpose();
    let root = root.context("cannot keep the root directory open")?.map(Arc::new);
    let opener = opener(root.clone());
    let opener = Prepared::open(&plan, opener)?;
    nsproxy_log::read_time_zone();
    // The last moment at which there is one thread.
    identity.assume()?;
    let (log, writer) = Log::start(level).context("cannot start the log")?;
    let (sessions, targets) = SessionLogs::start(&config)?;
    let log = Arc::new(log.with_sessions(sessions));
    let observer = Arc::clone(&log);
    let engine = Engine::start(&settings, Arc::new(opener), observer)?;
    signals::drain_on_signal(engine.handle()).context("cannot watch for signals")?;
    let mut names = Names::new(engine.handle(), log, root);
    names.watch(&config)?;
    names.fill(&mut plan);
    for listener in super::apply(&engine, &plan)? {
        let netns = listener
            .netns
            .map(|netns| format!(" in netns {netns}"))
            .unwrap_or_default();
        log::complain(&format!(
            "nsproxy: {} listens at {}{netns}",
            listener.relay, listener.address
        ));
    }
    names.tell();
    if let Some(daemon) = daemon {
        daemon.ready().context("cannot let go of the terminal")?;
    }
    let stats = engine.wait()?;
    // It has the log, too.
    drop(names);
    targets.finish();
    drop(pid_file);
    writer.finish(&format!(
        "nsproxy: ended after {} ({} failed), {} bytes up, {} bytes down\n",
        super::counted(stats.accepted, "session"),
        stats.failed,
        stats.bytes_up,
        stats.bytes_down
    ));
    Ok(ExitCode::SUCCESS)
}

/// What makes sockets: from the root directory of now, if that is to be left.
fn opener(root: Option<Arc<Root>>) -> Arc<dyn OpenerFactory> {
    match root {
        Some(root) => Arc::new(InProcessFrom(root)),
        None => Arc::new(InProcess),
    }
}
