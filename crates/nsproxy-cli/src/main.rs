//! The `nsproxy` command: reads arguments, starts what they ask for, and waits. The work is done by the libraries.

mod args;
mod command;
mod demo;
mod endpoint;
mod header_dump;
mod limits;
mod log;
mod namespaces;
mod plan;
mod signals;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match command::dispatch(args::Args::parse()) {
        Ok(code) => code,
        Err(error) => {
            // With its causes, on one line.
            log::complain(&format!("nsproxy: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
