//! The `nsproxy` command: reads arguments, starts what they ask for, and waits. The work is done by the libraries.

mod activation;
mod admin;
mod args;
mod command;
mod counted;
mod daemon;
mod demo;
mod endpoint;
mod files;
mod header_dump;
mod identity;
mod limits;
mod log;
mod manual;
mod names;
mod namespaces;
mod notify;
mod plan;
mod rules;
mod server;
mod signals;
mod sys;
mod upgrade;

use std::env;
use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // The parser would build the whole command line to hand these words on as they are. For commands as short as these that
    // is a tenth of their time.
    let mut words = env::args_os().skip(1);
    if words.next().is_some_and(|word| word == command::netns::NAME) {
        return command::netns::netns(words);
    }
    match command::dispatch(args::Args::parse()) {
        Ok(code) => code,
        Err(error) => {
            // With its causes, on one line.
            log::complain(&format!("nsproxy: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
