//! One file for each command.

mod check;
mod forward;
mod run;

use std::process::ExitCode;

use crate::args::{Args, Command};

pub(crate) fn dispatch(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::check(&args),
        Command::Forward(args) => forward::forward(&args),
        Command::Demo => crate::demo::demo(),
    }
}
