//! `netns`: names and sockets of network namespaces, by nsproxy, by `ip netns`, by `ip -batch` and by the library.
//!
//! In each round every contender has one turn at each task, so that a slow spell of the machine hits all. What counts is
//! the ratio to `ip` in the same round. Each turn is checked: the names that should be there are there, and no others; each
//! socket is in its namespace. The run has a mount namespace, a `/run` and a network namespace of its own.

mod contender;
mod report;
mod sockets;
mod world;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::Args;

use self::contender::{Contender, Tools};
use self::report::Row;
use self::world::World;
use crate::record;

/// How to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The nsproxy that is measured, built with optimisation.
    #[arg(long, value_name = "FILE")]
    nsproxy: PathBuf,
    /// Namespaces that are made, listed and deleted in a turn.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..20_000))]
    count: u32,
    /// Rounds; in each of them every contender has one turn.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..1000))]
    rounds: u32,
    /// Keep the raw results in benches/records/.
    #[arg(long)]
    record: bool,
}

/// What one turn took.
#[derive(Debug, Clone, Copy)]
struct Turn {
    time: Duration,
    /// How often the task was done in it.
    times: u32,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let nsproxy = options
        .nsproxy
        .canonicalize()
        .with_context(|| options.nsproxy.display().to_string())?;
    let tools = Tools { nsproxy };
    let world = World::create()?;
    let names: Vec<String> = (0..options.count).map(|index| format!("n{index}")).collect();
    let mut rows = Vec::new();
    for _ in 0..options.rounds {
        names_round(&tools, &world, &names, &mut rows)?;
        sockets::round(&world, &mut rows)?;
    }
    report::print(&rows);
    if options.record {
        let path = record::write("netns", report::COLUMNS, &report::lines(&rows))?;
        println!("\nraw results: {}", path.display());
    }
    Ok(())
}

/// Every contender makes all the names, lists them, runs a command in some and deletes all of them.
fn names_round(tools: &Tools, world: &World, names: &[String], rows: &mut Vec<Row>) -> anyhow::Result<()> {
    let times = u32::try_from(names.len())?;
    for contender in Contender::ALL {
        let time = timed(|| contender.add(tools, names))?;
        world.expect_names(names)?;
        report::add(rows, "add", contender.name(), Turn { time, times });
        if let Some((time, times)) = contender.list(tools, names)? {
            report::add(rows, "list", contender.name(), Turn { time, times });
        }
        if let Some((time, times)) = contender.exec(tools, names)? {
            report::add(rows, "exec", contender.name(), Turn { time, times });
        }
        let time = timed(|| contender.delete(tools, names))?;
        world.expect_names(&[])?;
        report::add(rows, "delete", contender.name(), Turn { time, times });
        // The kernel takes namespaces down later, which is not to slow the next contender down.
        world.settle()?;
    }
    Ok(())
}

fn timed(work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    work()?;
    Ok(begun.elapsed())
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
