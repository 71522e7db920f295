//! `cargo xtask`: one entry for everything that is checked about this repository.
//!
//! This file is the command line. A subcommand is a module: `test` runs every check in order, `tidy`
//! reads the sources for the rules that no compiler knows.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool talks to its user"
)]

mod packages;
mod stages;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::workspace::Workspace;

/// Tests and checks of nsproxy.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run every check and every test, in the order of what they cost.
    Test(TestArgs),
    /// Check the rules of docs/testing.md that no compiler knows.
    Tidy,
}

#[derive(Debug, Args)]
struct TestArgs {
    /// Leave out documentation, packaging and the build of the fuzz targets.
    #[arg(long)]
    quick: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli.task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: &Task) -> anyhow::Result<()> {
    let workspace = Workspace::load()?;
    match task {
        Task::Test(args) => test::run(&workspace, args.quick),
        Task::Tidy => tidy::run(&workspace),
    }
}
