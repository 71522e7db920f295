//! One file for each command.

mod check;
mod forward;
pub(crate) mod header;
pub(crate) mod netns;
mod run;

use std::process::ExitCode;

use nsproxy_engine::{ApplyError, Engine, ListenerStatus, Plan};

use crate::args::{Args, Command};

pub(crate) fn dispatch(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::check(&args),
        Command::Forward(args) => forward::forward(&args),
        Command::Header(args) => header::header(&args),
        Command::Netns(args) => Ok(netns::netns(&args.words)),
        Command::Demo => crate::demo::demo(),
    }
}

/// Brings a plan into being. A signal that has come already leaves nothing to be brought into being, which is no error.
fn apply(engine: &Engine, plan: &Plan) -> Result<Vec<ListenerStatus>, ApplyError> {
    match engine.handle().apply(plan) {
        Err(ApplyError::Stopping) => Ok(Vec::new()),
        result => result,
    }
}

/// A number of things.
fn counted(count: u64, thing: &str) -> String {
    match count {
        0 => format!("no {thing}"),
        1 => format!("1 {thing}"),
        _ => format!("{count} {thing}s"),
    }
}
