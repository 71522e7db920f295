//! `nsproxy run`: relays what a configuration says.

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;

use anyhow::Context as _;
use netns_core::Root;
use nsproxy_config::model::Global;
use nsproxy_engine::{Engine, InProcess, InProcessFrom, Observer, OpenerFactory, Plan, Prepared, Settings};

use super::check;
use crate::args::Files;
use crate::daemon::{Daemon, PidFile};
use crate::files::ConfigFiles;
use crate::identity::Identity;
use crate::log::{self, Level, Log};
use crate::server::{Event, Server};
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
    let mut files = ConfigFiles::of(files);
    let config = check::load(&files)?;
    let global = &config.global;
    let plan = plan::plan(&config);
    anyhow::ensure!(!plan.relays.is_empty(), check::NOTHING_TO_RELAY);
    let identity = Identity::of(global, &plan)?;
    // Before any thread is started: a child has only the one that made it.
    let daemon = ground.is_background(global).then(Daemon::start).transpose();
    let daemon = daemon.context("cannot go on in the background")?;
    let pid_file = global.pidfile.as_deref().map(|path| {
        PidFile::write(path).with_context(|| format!("cannot write the pidfile {}", path.display()))
    });
    let pid_file = pid_file.transpose()?;
    limits::set_open_files(global.open_files)?;
    let settings = settings(global, &plan);
    namespaces::warn_about_missing(&plan);
    let root = identity.leaves_root().then(Root::current).transpose();
    let root = root.context("cannot keep the root directory open")?.map(Arc::new);
    if let Some(root) = &root {
        let kept = files.keep(Arc::clone(root));
        kept.context("cannot keep the directory that it was started in")?;
    }
    let opener = Prepared::open(&plan, opener(root.clone()))?;
    nsproxy_log::read_time_zone();
    // The last moment at which there is one thread.
    identity.assume()?;
    let (log, writer) = Log::start(if is_verbose {
        Level::Sessions
    } else {
        Level::Failures
    })
    .context("cannot start the log")?;
    let log = Arc::new(log);
    let engine = Engine::start(&settings, Arc::new(opener), Arc::clone(&log) as Arc<dyn Observer>)?;
    let (told, events) = channel();
    let tell = told.clone();
    let stops = signals::watch(move |signal| {
        // Without a receiver the process is about to end.
        let _ = tell.send(Event::Signal(signal));
    })
    .context("cannot watch for signals")?;
    let mut server = Server::new(files, engine.handle(), log, root, stops);
    for listener in &server.begin(config, plan)? {
        log::complain(&format!("nsproxy: {}", log::Listens(listener)));
    }
    if let Some(daemon) = daemon {
        daemon.ready().context("cannot let go of the terminal")?;
    }
    let stats = server.serve(engine, &events, told)?;
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
        // What the machine has is read from files, which a new root directory has not.
        workers: global
            .nbthread
            .and_then(|count| NonZeroUsize::new(count as usize))
            .or_else(|| thread::available_parallelism().ok()),
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
