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
            log::complain(&format!("nsproxy: {}", sentence(&error)));
            ExitCode::FAILURE
        }
    }
}

/// What was being done and why it failed. Most errors of the libraries name their cause themselves; it is not said twice.
fn sentence(error: &anyhow::Error) -> String {
    let mut said = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !said.contains(&cause) {
            said = format!("{said}: {cause}");
        }
    }
    said
}
