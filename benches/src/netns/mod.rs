//! `netns`: names and sockets of network namespaces, by nsproxy, by `ip netns`, by `ip -batch` and by the library.
//!
//! Three kinds of comparison. [`pairs`]: a process for each call, where nsproxy and `ip` take turns call by call. [`many`]:
//! all names at once, beside the bare system calls, which are the kernel's share. [`sockets`]: a socket in another namespace.
//! What counts is the ratio to whoever did the same just before, so that a slow spell of the machine hits both. Each turn is
//! checked: the names that should be there are there, and no others; answers are the same; each socket is in its namespace.
//! The run has a mount namespace, a `/run` and a network namespace of its own.

mod many;
mod meter;
mod pairs;
mod report;
mod sockets;
mod world;

use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use clap::Args;

use self::meter::Turn;
use self::report::Table;
use self::world::World;
use crate::record;

/// How to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The nsproxy that is measured, built with optimisation.
    #[arg(long, value_name = "FILE")]
    nsproxy: PathBuf,
    /// Another build of nsproxy in the place of `ip`: the same one shows how well this machine measures.
    #[arg(long, value_name = "FILE")]
    second: Option<PathBuf>,
    /// Namespaces that each makes and deletes in a turn at many.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=3_000))]
    count: u32,
    /// Rounds; in each of them everyone has a turn at each task.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..1000))]
    rounds: u32,
    /// Keep the raw results in benches/records/.
    #[arg(long)]
    record: bool,
}

/// The programs.
#[derive(Debug)]
struct Tools {
    ip: PathBuf,
    nsproxy: PathBuf,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let found = |path: &PathBuf| path.canonicalize().with_context(|| path.display().to_string());
    let second = options.second.as_ref().map(found).transpose()?;
    let tools = Tools {
        ip: second.clone().unwrap_or_else(|| "ip".into()),
        nsproxy: found(&options.nsproxy)?,
    };
    let world = World::create()?;
    let mut table = Table::default();
    for round in 0..options.rounds {
        pairs::round(&tools, &world, &mut table)?;
        // Another nsproxy has no `-batch`.
        if second.is_none() {
            many::round(&tools, &world, options.count, round, &mut table)?;
            sockets::round(&world, &mut table)?;
        }
    }
    table.print();
    if options.record {
        let path = record::write("netns", report::COLUMNS, &table.lines())?;
        println!("\nraw results: {}", path.display());
    }
    Ok(())
}

/// Asserts that two lists are the same, without printing a thousand names.
fn expect_same(found: &[String], expected: &[String]) -> anyhow::Result<()> {
    ensure!(
        found == expected,
        "wrong answer: {} names where {} should be",
        found.len(),
        expected.len()
    );
    Ok(())
}
