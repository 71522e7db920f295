//! Runs named stages in order, stops at the first that fails, and says what each one took.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use crate::workspace::{Workspace, cargo};

/// A run of stages in the root of the workspace.
#[derive(Debug)]
pub(crate) struct Stages {
    root: PathBuf,
    done: Vec<(&'static str, Duration, Outcome)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
    NotRun,
}

impl Stages {
    pub(crate) fn new(workspace: &Workspace) -> Self {
        Self {
            root: workspace.root().to_owned(),
            done: Vec::new(),
        }
    }

    /// Runs a stage, unless one before it has failed.
    pub(crate) fn run(&mut self, name: &'static str, stage: impl FnOnce(&Self) -> anyhow::Result<()>) {
        if self.has_failed() {
            self.done.push((name, Duration::ZERO, Outcome::NotRun));
            return;
        }
        println!("\n=== {name}");
        let start = Instant::now();
        let result = stage(self);
        if let Err(error) = &result {
            println!("{name} failed: {error:#}");
        }
        let outcome = if result.is_ok() {
            Outcome::Passed
        } else {
            Outcome::Failed
        };
        self.done.push((name, start.elapsed(), outcome));
    }

    /// Prints the table and says whether all is well.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        println!("\n{}", self.table());
        ensure!(!self.has_failed(), "not all stages passed");
        Ok(())
    }

    /// Runs cargo with these arguments; its output is the reader's.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> anyhow::Result<()> {
        self.cargo_with(arguments, &[])
    }

    /// Runs cargo with these arguments and variables.
    pub(crate) fn cargo_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> anyhow::Result<()> {
        let shown: String = variables.iter().fold(String::new(), |mut shown, (name, value)| {
            let _ = write!(shown, "{name}='{value}' ");
            shown
        });
        println!("$ {shown}cargo {}", arguments.join(" "));
        let status = Command::new(cargo())
            .args(arguments)
            .envs(variables.iter().copied())
            .current_dir(&self.root)
            .status()
            .context("cannot run cargo")?;
        ensure!(
            status.success(),
            "cargo {} ended with {status}",
            arguments.join(" ")
        );
        Ok(())
    }

    fn has_failed(&self) -> bool {
        self.done
            .iter()
            .any(|(_, _, outcome)| *outcome == Outcome::Failed)
    }

    fn table(&self) -> String {
        let mut table = String::from("stage              time  result\n");
        let mut total = Duration::ZERO;
        for (name, took, outcome) in &self.done {
            let result = match outcome {
                Outcome::Passed => "ok",
                Outcome::Failed => "FAILED",
                Outcome::NotRun => "not run",
            };
            total += *took;
            let _ = writeln!(table, "{name:<14} {:>7.1}s  {result}", took.as_secs_f64());
        }
        let _ = write!(table, "{:<14} {:>7.1}s", "all", total.as_secs_f64());
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stages() -> Stages {
        Stages {
            root: PathBuf::new(),
            done: Vec::new(),
        }
    }

    #[test]
    fn nothing_runs_after_a_failure_and_the_table_says_so() {
        let mut stages = stages();
        stages.run("first", |_| Ok(()));
        stages.run("second", |_| anyhow::bail!("broken"));
        stages.run("third", |_| panic!("must not run"));
        let table = stages.table();
        let results: Vec<&str> = table
            .lines()
            .filter_map(|line| line.split("s  ").nth(1))
            .collect();
        assert_eq!(results, ["ok", "FAILED", "not run"]);
        assert!(stages.finish().is_err());
    }

    #[test]
    fn stages_that_all_pass_are_well() {
        let mut stages = stages();
        stages.run("only", |_| Ok(()));
        assert!(stages.finish().is_ok());
    }
}
