//! One file for each command.

pub(crate) mod check;
mod completions;
mod config;
mod forward;
pub(crate) mod header;
mod man;
pub(crate) mod netns;
mod run;

use std::process::ExitCode;

use crate::args::{Args, AsHaproxy, Command};
use crate::upgrade::Invocation;
use anyhow::Context as _;
use run::Ground;

pub(crate) fn dispatch(args: Args) -> anyhow::Result<ExitCode> {
    let Some(command) = args.command else {
        return as_haproxy(&args.as_haproxy);
    };
    match command {
        Command::Run(args) => {
            let invocation = Invocation::of_this_process();
            run::run(&args.files, args.verbose, Ground::AsConfigured, invocation)
        }
        Command::Check(args) => check::check(&args.files),
        Command::Config(args) => config::config(&args),
        Command::Forward(args) => forward::forward(&args),
        Command::Header(args) => header::header(&args),
        Command::Netns(args) => Ok(netns::netns(args.words)),
        Command::Completions(args) => completions::completions(&args),
        Command::Man(args) => man::man(&args),
        Command::Demo => crate::demo::demo(),
    }
}

/// What `haproxy` would do with these arguments.
fn as_haproxy(args: &AsHaproxy) -> anyhow::Result<ExitCode> {
    let invocation = Invocation::of_this_process();
    if let Some(directory) = &args.directory {
        std::env::set_current_dir(directory)
            .with_context(|| format!("cannot change to {}", directory.display()))?;
    }
    if args.check {
        check::check(&args.files)
    } else {
        let ground = match (&args.foreground, args.background) {
            (Some(_), _) => Ground::Foreground,
            (None, true) => Ground::Background,
            (None, false) => Ground::AsConfigured,
        };
        run::run(&args.files, false, ground, invocation)
    }
}
