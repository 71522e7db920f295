//! `config`: how long large configurations take to check, with nsproxy and with HAProxy.
//!
//! Each configuration is checked at its full size and at a quarter of it: the time has to be in proportion, and below a bound. What
//! counts is the CPU's time for the whole program, from its start to its end, with its report: it has one thread, and a busy
//! machine does not change it much. HAProxy is asked once, at the full size, and not for longer than a minute.

mod cases;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

use self::cases::{CASES, Case};
use crate::{private, record};

/// The most that a configuration may take.
const BOUND: Duration = Duration::from_secs(2);
/// Times as long that four times the size may take, where it takes long enough to tell.
const PROPORTION: f64 = 8.0;
/// Seconds that HAProxy may take.
const PATIENCE: &str = "60";
/// What timeout(1) ends with when they are over.
const OUT_OF_TIME: i32 = 124;
/// What is over sooner says more of the start of a program than of its size.
const SHORT: Duration = Duration::from_millis(20);

/// How to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The nsproxy that is measured, built with optimisation.
    #[arg(long, value_name = "FILE")]
    nsproxy: PathBuf,
    /// Times that nsproxy checks each; the median counts.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..100))]
    rounds: u32,
    /// Leave HAProxy out, which takes minutes.
    #[arg(long)]
    alone: bool,
    /// Keep the raw results in benches/records/.
    #[arg(long)]
    record: bool,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let nsproxy = options
        .nsproxy
        .canonicalize()
        .with_context(|| options.nsproxy.display().to_string())?;
    private::enter()?;
    println!(
        "{:<26} {:>10} {:>10} {:>10} {:>10}",
        "configuration", "size", "a quarter", "nsproxy", "HAProxy"
    );
    let mut rows = Vec::new();
    let mut slow = Vec::new();
    for case in CASES {
        let quarter = check(&nsproxy, case, case.size / 4, options.rounds)?;
        let whole = check(&nsproxy, case, case.size, options.rounds)?;
        let haproxy = if options.alone {
            None
        } else {
            let mut command = Command::new("timeout");
            command.args([PATIENCE, "haproxy"]);
            Some(check_once(&mut command, &write(case, case.size)?)?)
        };
        let shown = match haproxy {
            None => "-".to_owned(),
            Some((_, OUT_OF_TIME)) => format!("> {PATIENCE} s"),
            Some((time, 0)) => format!("{time:.2?}"),
            Some(_) => "refused".to_owned(),
        };
        println!(
            "{:<26} {:>10} {quarter:>10.1?} {whole:>10.1?} {shown:>10}",
            case.name, case.size
        );
        let took = haproxy.map_or_else(String::new, |(time, _)| time.as_nanos().to_string());
        rows.push(format!(
            "{},{},{},{},{took}",
            case.name.replace(',', ""),
            case.size,
            quarter.as_nanos(),
            whole.as_nanos()
        ));
        let ratio = whole.as_secs_f64() / quarter.max(SHORT).as_secs_f64();
        if whole > BOUND || ratio > PROPORTION {
            slow.push(case.name);
        }
    }
    if options.record {
        let columns = "configuration,size,quarter_nanoseconds,nanoseconds,haproxy_nanoseconds";
        let path = record::write("config", columns, &rows)?;
        println!("\nraw results: {}", path.display());
    }
    ensure!(
        slow.is_empty(),
        "over two seconds, or out of proportion: {}",
        slow.join(", ")
    );
    Ok(())
}

/// The median of some checks by nsproxy, each with the verdict that the case should have.
fn check(nsproxy: &Path, case: &Case, size: usize, rounds: u32) -> anyhow::Result<Duration> {
    let path = write(case, size)?;
    let mut times = Vec::new();
    for _ in 0..rounds {
        let (time, code) = check_once(&mut Command::new(nsproxy), &path)?;
        ensure!(
            code == i32::from(!case.is_valid),
            "wrong answer about {size} {}: {code}",
            case.name
        );
        times.push(time);
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}

/// What `-c -f` takes of a CPU, and its exit code.
fn check_once(program: &mut Command, path: &Path) -> anyhow::Result<(Duration, i32)> {
    let before = used()?;
    let status = program
        .args(["-c", "-f"])
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .with_context(|| format!("cannot run {}", program.get_program().display()))?;
    let code = status.code().context("it was ended by a signal")?;
    Ok((used()?.saturating_sub(before), code))
}

/// The CPU's time for all processes that this one has waited for.
fn used() -> anyhow::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let time = |value: TimeVal| {
        let seconds = u64::try_from(value.tv_sec()).unwrap_or(0);
        let microseconds = u64::try_from(value.tv_usec()).unwrap_or(0);
        Duration::from_secs(seconds) + Duration::from_micros(microseconds)
    };
    Ok(time(usage.user_time()) + time(usage.system_time()))
}

/// The text in a file, under the `/run` of this process.
fn write(case: &Case, size: usize) -> anyhow::Result<PathBuf> {
    let path = PathBuf::from("/run/large.cfg");
    fs::write(&path, (case.text)(size)).with_context(|| path.display().to_string())?;
    Ok(path)
}
