//! `nsproxy check`: what is wrong with a configuration, all of it at once.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use anyhow::ensure;
use nsproxy_config::{Config, RenderOptions, Report, Severity};
use nsproxy_engine::Plan;

use crate::args::Files;
use crate::counted::counted;
use crate::files::ConfigFiles;
use crate::identity::Identity;
use crate::{activation, log, plan};

/// A configuration that `run` would have nothing to do with.
const NOTHING_TO_RELAY: &str = "the configuration has no listener: nothing to relay";

pub(crate) fn check(files: &Files) -> anyhow::Result<ExitCode> {
    let config = load(&ConfigFiles::of(files))?;
    let listeners: usize = config.frontends.iter().map(|frontend| frontend.binds.len()).sum();
    ensure!(listeners > 0, NOTHING_TO_RELAY);
    Identity::of(&config.global, &plan::plan(&config))?;
    let servers: usize = config.backends.iter().map(|backend| backend.servers.len()).sum();
    writeln!(
        io::stdout(),
        "The configuration is valid: {}, {}, {} that a PROXY header may select.",
        counted(listeners as u64, "listener"),
        counted(servers as u64, "server"),
        counted(config.namespace_list.len() as u64, "namespace"),
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Reads the files, and says on standard error whatever is to be said about them; and what there is to do for them.
///
/// # Errors
///
/// They are of no use, ask for sockets that this process was not started with, or have nothing to relay.
pub(crate) fn planned(files: &ConfigFiles) -> anyhow::Result<(Config, Plan)> {
    let config = load(files)?;
    activation::check(&config)?;
    let plan = plan::plan(&config);
    ensure!(!plan.relays.is_empty(), NOTHING_TO_RELAY);
    Ok((config, plan))
}

/// Reads the files, and says on standard error whatever is to be said about them.
///
/// # Errors
///
/// They are of no use.
pub(crate) fn load(files: &ConfigFiles) -> anyhow::Result<Config> {
    match files.load() {
        Ok(loaded) => {
            show(&loaded.warnings);
            Ok(loaded.config)
        }
        Err(report) => {
            show(&report);
            let errors = counted(report.count(Severity::Error) as u64, "error");
            anyhow::bail!("the configuration is not valid: {errors}")
        }
    }
}

pub(crate) fn show(report: &Report) {
    if !report.is_empty() {
        log::complain(
            report
                .render(RenderOptions {
                    colour: io::stderr().is_terminal(),
                    ..RenderOptions::default()
                })
                .trim_end(),
        );
    }
}
