//! Everything at once, for minutes: relaying with every byte compared, namespaces that come and go, reloads, upgrades, and
//! clients who leave as they please. `cargo xtask soak` builds this and runs it; docs/testing.md says what it looks at.
//!
//! | file | what it has |
//! |---|---|
//! | `private.rs` | the place that all of it happens in, which ends with this process |
//! | `run.rs` | the order: stretches, and a look at the resting process after each |
//! | `proxy.rs` | the process under test: its configuration, its signals, its admin socket |
//! | `activity.rs` | things that go on side by side until the time is over or one fails |
//! | `exchange.rs` | sessions whose every byte is compared, in both directions |
//! | `churn.rs` | namespaces that come and go |
//! | `operate.rs` | reloads and upgrades |
//! | `vanish.rs` | clients who leave in the middle |
//! | `staying.rs` | clients who stay through all of it |
//! | `reading.rs` | what the resting process holds |
//! | `log.rs` | the target of the log, which counts how sessions end |

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool talks to its user"
)]

mod activity;
mod churn;
mod exchange;
mod log;
mod operate;
mod private;
mod proxy;
mod reading;
mod run;
mod staying;
mod vanish;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// nsproxy under everything at once, for minutes, and what is left of it then.
#[derive(Debug, Parser)]
#[command(name = "nsproxy-soak")]
struct Cli {
    /// The nsproxy to be tested.
    #[arg(long, value_name = "PATH")]
    nsproxy: PathBuf,
    /// How long.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    minutes: u32,
    /// This is the process that has the private place.
    #[arg(long, hide = true)]
    inside: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = if cli.inside {
        private::inside().and_then(|()| run::run(&cli.nsproxy, cli.minutes))
    } else {
        private::again()
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Whoever is inside has said it.
            if error.downcast_ref::<private::Failed>().is_none() {
                eprintln!("error: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}
