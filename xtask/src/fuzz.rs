//! `cargo xtask fuzz`: builds every fuzz target with coverage counters and runs each for a while.
//!
//! This is libFuzzer on a stable toolchain: the counters are LLVM's own, and only the sanitizers, for which there is no
//! unsafe code to watch, would need another one. fuzz/README.md and docs/fuzzing.md say what the targets check.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use crate::workspace::{Workspace, cargo};

const MANIFEST: &str = "fuzz/Cargo.toml";
/// `--cfg fuzzing` and the counters that libFuzzer reads.
const RUSTFLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";
/// Longest input, in bytes.
const MAX_LEN: u32 = 2048;
/// Seconds that one input may take: far more than any should.
const TIMEOUT: u32 = 10;

/// Runs each target for so many seconds, or only the one of this name.
pub(crate) fn run(workspace: &Workspace, seconds: u32, only: Option<&str>) -> anyhow::Result<()> {
    let fuzz = Fuzz::build(workspace.root())?;
    let mut crashed = Vec::new();
    let mut ran = 0;
    for target in &fuzz.targets {
        if only.is_some_and(|only| only != target) {
            continue;
        }
        ran += 1;
        println!("{target}: {seconds} s ...");
        match fuzz.run(target, seconds)? {
            Outcome::Clean { executions } => println!("{target}: {executions} executions, no fault"),
            Outcome::Crashed { log, input } => {
                crashed.push(target.as_str());
                println!("{target}: FAULT\n{}", indented(&log));
                if let Some(input) = input {
                    println!("{}", fuzz.how_to_reproduce(target, &input));
                }
            }
        }
    }
    ensure!(ran > 0, "there is no fuzz target {}", only.unwrap_or_default());
    ensure!(crashed.is_empty(), "faults were found by {}", crashed.join(", "));
    Ok(())
}

/// The built targets.
struct Fuzz {
    /// The directory of the fuzz workspace.
    home: PathBuf,
    /// Where the programs are.
    programs: PathBuf,
    targets: Vec<String>,
}

enum Outcome {
    Clean {
        executions: u64,
    },
    Crashed {
        /// The end of what the target printed.
        log: String,
        input: Option<PathBuf>,
    },
}

impl Fuzz {
    fn build(root: &Path) -> anyhow::Result<Self> {
        let metadata = metadata(root)?;
        let host = host()?;
        println!("building the fuzz targets");
        // `--target` keeps the flags away from build scripts.
        let status = Command::new(cargo())
            .args([
                "build",
                "--release",
                "--bins",
                "--manifest-path",
                MANIFEST,
                "--target",
                &host,
            ])
            .env("RUSTFLAGS", RUSTFLAGS)
            .current_dir(root)
            .status()
            .context("cannot run cargo")?;
        ensure!(status.success(), "the fuzz targets do not build");
        let folder = metadata["target_directory"]
            .as_str()
            .context("no target directory")?;
        Ok(Self {
            home: root.join("fuzz"),
            programs: Path::new(folder).join(host).join("release"),
            targets: programs(&metadata)?,
        })
    }

    fn run(&self, target: &str, seconds: u32) -> anyhow::Result<Outcome> {
        let corpus = self.home.join("corpus").join(target);
        let artifacts = self.home.join("artifacts").join(target);
        for folder in [&corpus, &artifacts] {
            fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        let log = artifacts.join("log");
        let status = Command::new(self.programs.join(target))
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-max_len={MAX_LEN}"))
            .arg(format!("-timeout={TIMEOUT}"))
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .arg("-print_final_stats=1")
            // What it finds goes into the first folder; the others are only read.
            .arg(&corpus)
            .args(self.kept(target))
            .stdout(Stdio::null())
            .stderr(File::create(&log).with_context(|| log.display().to_string())?)
            .status()
            .with_context(|| format!("cannot run {target}"))?;
        let log = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
        if status.success() {
            let executions =
                executions(&log).with_context(|| format!("{target} does not say what it did"))?;
            return Ok(Outcome::Clean { executions });
        }
        Ok(Outcome::Crashed {
            input: written_input(&log),
            log: last_lines(&log, 40),
        })
    }

    /// Folders of seeds and regressions; they are shared by the targets whose names begin alike.
    fn kept(&self, target: &str) -> Vec<PathBuf> {
        let subject = target.split('_').next().unwrap_or(target);
        ["seeds", "regressions"]
            .map(|kind| self.home.join(kind).join(subject))
            .into_iter()
            .filter(|folder| folder.is_dir())
            .collect()
    }

    fn how_to_reproduce(&self, target: &str, input: &Path) -> String {
        let subject = target.split('_').next().unwrap_or(target);
        format!(
            "the input: {input}\nagain:     {program} {input}\nkeep it:   cp {input} fuzz/regressions/{subject}/NAME, which \
             `cargo test --manifest-path {MANIFEST}` runs from then on",
            input = input.display(),
            program = self.programs.join(target).display(),
        )
    }
}

fn metadata(root: &Path) -> anyhow::Result<Value> {
    let output = Command::new(cargo())
        .args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--manifest-path",
            MANIFEST,
        ])
        .current_dir(root)
        .output()
        .context("cannot run cargo metadata")?;
    ensure!(
        output.status.success(),
        "cargo metadata failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).context("cargo metadata is not JSON")
}

/// The binaries of the fuzz package: each is a target.
fn programs(metadata: &Value) -> anyhow::Result<Vec<String>> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let names: Vec<_> = list(&metadata["packages"])
        .iter()
        .flat_map(|package| list(&package["targets"]))
        .filter(|target| list(&target["kind"]).iter().any(|kind| kind == "bin"))
        .filter_map(|target| target["name"].as_str().map(str::to_owned))
        .collect();
    if names.is_empty() {
        bail!("{MANIFEST} has no targets");
    }
    Ok(names)
}

/// The platform that this toolchain builds for.
fn host() -> anyhow::Result<String> {
    let output = Command::new("rustc")
        .arg("-vV")
        .output()
        .context("cannot run rustc")?;
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .find_map(|line| line.strip_prefix("host: ").map(str::to_owned))
        .context("rustc does not name its host")
}

/// The count in libFuzzer's final statistics.
fn executions(log: &str) -> Option<u64> {
    let value = log
        .lines()
        .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))?;
    value.trim().parse().ok()
}

/// The file in which libFuzzer left the input that failed.
fn written_input(log: &str) -> Option<PathBuf> {
    let (_, path) = log
        .lines()
        .find_map(|line| line.split_once("Test unit written to "))?;
    Some(path.trim().into())
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

fn indented(text: &str) -> String {
    format!("    {}", text.replace('\n', "\n    "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executions_are_those_of_the_final_statistics() {
        let log =
            "#2\tINITED\nstat::number_of_executed_units: 123456\nstat::average_exec_per_sec:     4000\n";
        assert_eq!(executions(log), Some(123_456));
        assert_eq!(executions("killed"), None);
    }

    #[test]
    fn the_input_that_failed_is_found_in_the_log() {
        let log = "==1== ERROR: libFuzzer: deadly signal\nartifact_prefix='a/'; Test unit written to a/crash-1f\nBase64: AA==\n";
        assert_eq!(written_input(log), Some("a/crash-1f".into()));
        assert_eq!(written_input("no crash"), None);
    }

    #[test]
    fn only_binaries_are_targets() {
        let metadata = serde_json::json!({"packages": [{"targets": [
            {"name": "library", "kind": ["lib"]},
            {"name": "proxy_decode", "kind": ["bin"]},
        ]}]});
        assert_eq!(programs(&metadata).unwrap(), ["proxy_decode"]);
        assert!(programs(&serde_json::json!({"packages": []})).is_err());
    }
}
