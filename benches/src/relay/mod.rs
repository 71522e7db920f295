//! `relay`: nsproxy beside HAProxy, nginx and no relay at all, in one run on one machine.
//!
//! Every scenario is run in rounds; in each round each contender has one short turn, so that a slow spell of the machine hits all of
//! them. What counts is the ratio of two contenders in the same round. `docs/performance.md` explains the method.
//!
//! The run has a mount namespace, a `/run` and network namespaces of its own: nothing of it is seen outside or stays behind.

mod account;
mod configuration;
mod contender;
mod load;
mod metric;
mod plot;
mod report;
mod rounds;
mod scenario;
mod statistics;
mod sys;
mod turn;
mod world;

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::Args;

use self::contender::Contender;
use self::rounds::Rounds;
use self::scenario::Scenario;
use self::turn::Pace;
use self::world::World;
use crate::record;

/// How to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The nsproxy that is measured, built with optimisation.
    #[arg(long, value_name = "FILE")]
    nsproxy: PathBuf,
    /// Another build of nsproxy, or the same one, to be measured beside it.
    #[arg(long, value_name = "FILE")]
    second: Option<PathBuf>,
    /// Every row, and not only those that decide.
    #[arg(long)]
    full: bool,
    /// Only this row; may be given several times.
    #[arg(long, value_name = "NAME")]
    scenario: Vec<String>,
    /// Rounds of each row; in each of them every contender has one turn.
    #[arg(long, default_value_t = 11, value_parser = clap::value_parser!(u32).range(1..1000))]
    rounds: u32,
    /// Milliseconds of a turn that are measured.
    #[arg(long, value_name = "MS", default_value_t = 700, value_parser = clap::value_parser!(u64).range(50..60_000))]
    slice: u64,
    /// Milliseconds of a turn before that.
    #[arg(long, value_name = "MS", default_value_t = 200, value_parser = clap::value_parser!(u64).range(0..60_000))]
    warm_up: u64,
    /// Threads of each relay; processes of nginx. As many as there are CPUs if it is not given.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..1024))]
    threads: Option<u32>,
    /// Keep the raw results in benches/records/.
    #[arg(long)]
    record: bool,
    /// Draw the ratios as SVG into this file.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let scenarios = chosen(options)?;
    // Absolute, since relays are started from elsewhere.
    let absolute = |path: &PathBuf| path.canonicalize().with_context(|| path.display().to_string());
    let nsproxy = absolute(&options.nsproxy)?;
    let second = options.second.as_ref().map(absolute).transpose()?;
    let contenders = Contender::all(&nsproxy, second.as_deref())?;
    let threads = match options.threads {
        Some(threads) => threads as usize,
        None => thread::available_parallelism()?.get(),
    };
    let pace = Pace {
        warm_up: Duration::from_millis(options.warm_up),
        length: Duration::from_millis(options.slice),
    };
    let circumstances = circumstances(&contenders, threads, pace)?;
    println!("{}", circumstances.join("\n"));
    let begun = Instant::now();
    let world = World::create()?;
    let mut all: Vec<(Scenario, Rounds)> = Vec::new();
    for scenario in scenarios {
        let rounds = Rounds::run(&scenario, &contenders, &world, threads, options.rounds, pace)
            .with_context(|| scenario.name)?;
        report::print(&scenario, &rounds, second.is_some());
        all.push((scenario, rounds));
    }
    report::print_summary(&all);
    println!("\n{:.0} s", begun.elapsed().as_secs_f64());
    if let Some(path) = &options.plot {
        fs::write(path, plot::svg(&all)).with_context(|| path.display().to_string())?;
        println!("plot: {}", path.display());
    }
    if options.record {
        let comments = circumstances.iter().map(|line| format!("# {line}"));
        let results = all
            .iter()
            .flat_map(|(scenario, rounds)| rounds.lines(scenario.name));
        let lines: Vec<_> = comments.chain(results).collect();
        let path = record::write("relay", rounds::COLUMNS, &lines)?;
        println!("raw results: {}", path.display());
    }
    let faults: usize = all.iter().map(|(_, rounds)| rounds.faults.len()).sum();
    ensure!(
        faults == 0,
        "{faults} turns have failed; their figures are not counted"
    );
    Ok(())
}

fn chosen(options: &Options) -> anyhow::Result<Vec<Scenario>> {
    let all = scenario::all();
    for name in &options.scenario {
        let names: Vec<_> = all.iter().map(|scenario| scenario.name).collect();
        ensure!(
            names.contains(&name.as_str()),
            "there is no row {name}; there are {}",
            names.join(", ")
        );
    }
    let is_chosen = |scenario: &Scenario| {
        if options.scenario.is_empty() {
            options.full || scenario.is_deciding
        } else {
            options.scenario.iter().any(|name| name == scenario.name)
        }
    };
    Ok(all.into_iter().filter(is_chosen).collect())
}

/// What has an influence on the figures.
fn circumstances(contenders: &[Contender], threads: usize, pace: Pace) -> anyhow::Result<Vec<String>> {
    let line = |path: &str| fs::read_to_string(path).map(|text| text.trim().to_owned());
    let kernel = line("/proc/sys/kernel/osrelease")?;
    let (warm_up, length) = (pace.warm_up, pace.length);
    let mut lines = vec![format!(
        "Linux {kernel}; {threads} threads each; turns of {length:?} after {warm_up:?}"
    )];
    for contender in contenders {
        if let Some(version) = contender.version()? {
            lines.push(format!("{:<8} {version}", contender.name));
        }
    }
    let load = line("/proc/loadavg")?;
    let recent: f64 = load
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .parse()
        .unwrap_or(0.0);
    if recent > 0.5 {
        lines.push(format!(
            "The machine is busy (load {recent}): the spread will be wide."
        ));
    }
    Ok(lines)
}
