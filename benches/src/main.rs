//! Comparisons of nsproxy with its peers. `cargo xtask bench` builds this with optimisation and runs it.
//!
//! A comparison checks each answer before it measures: a fast wrong answer is a failure, not a result.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool talks to its user"
)]

mod config;
mod netns;
mod private;
mod proto;
mod record;
mod relay;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Comparisons of nsproxy with its peers.
#[derive(Debug, Parser)]
#[command(name = "nsproxy-bench")]
struct Cli {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// Checking large configurations, beside HAProxy.
    Config(config::Options),
    /// Namespaces made, listed and deleted, beside `ip netns`; sockets in them.
    Netns(netns::Options),
    /// Reading and writing PROXY headers, beside the other crates that do.
    Proto(proto::Options),
    /// Relaying, beside HAProxy, nginx and no relay at all.
    Relay(relay::Options),
}

fn main() -> ExitCode {
    let result = match Cli::parse().bench {
        Bench::Config(options) => config::run(&options),
        Bench::Netns(options) => netns::run(&options),
        Bench::Proto(options) => proto::run(&options),
        Bench::Relay(options) => relay::run(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
