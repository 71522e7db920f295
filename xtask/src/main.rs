//! `cargo xtask`: one entry for everything that is checked about this repository.
//!
//! This file is the command line. A subcommand is a module: `test` runs every check in order, `tidy`
//! reads the sources for the rules that no compiler knows, `fuzz`, `soak` and `bench` look for faults and for time.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool talks to its user"
)]

mod bench;
mod fuzz;
mod packages;
mod packaging;
mod programs;
mod soak;
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
    /// Run every fuzz target for a while. Exits with 1 and the way to see it again when one finds a fault.
    Fuzz(FuzzArgs),
    /// Have nsproxy relay, reload, be upgraded and lose namespaces for minutes, all at once, and look at what is left.
    Soak(SoakArgs),
    /// Compare with other programs and libraries: `cargo xtask bench --help` says what.
    #[command(disable_help_flag = true)]
    Bench(BenchArgs),
}

#[derive(Debug, Args)]
struct TestArgs {
    /// Leave out documentation, packaging and the build of the fuzz targets.
    #[arg(long)]
    quick: bool,
}

#[derive(Debug, Args)]
struct FuzzArgs {
    /// How long each target runs.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Only this target.
    #[arg(value_name = "TARGET")]
    target: Option<String>,
}

#[derive(Debug, Args)]
struct SoakArgs {
    /// How long.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    minutes: u32,
    /// Of a build with optimisation, and without the checks of its own arithmetic that other builds have.
    #[arg(long)]
    release: bool,
}

#[derive(Debug, Args)]
struct BenchArgs {
    /// The comparison and its options, such as `proto --record`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
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
        Task::Fuzz(args) => fuzz::run(&workspace, args.seconds, args.target.as_deref()),
        Task::Soak(args) => soak::run(&workspace, args.minutes, args.release),
        Task::Bench(args) => bench::run(&workspace, &args.arguments),
    }
}
