//! `cargo xtask bench`: comparisons with other programs and libraries, always of optimised builds.
//!
//! What is measured, and how, is the business of the package `nsproxy-bench`, which also understands the options. A submodule is a
//! comparison that needs more than that package.

mod config;
mod netns;
mod relay;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::workspace::{Workspace, cargo};

/// Builds what is needed, and runs the comparison that the first of `arguments` names, with the others as its options.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> anyhow::Result<()> {
    match arguments.split_first() {
        Some((name, options)) if name == "relay" => relay::run(workspace, options),
        Some((name, options)) if name == "config" => config::run(workspace, options),
        Some((name, options)) if name == "netns" => netns::run(workspace, options),
        _ => {
            let programs = build(workspace, &["nsproxy-bench"])?;
            finish(workspace, command(&programs, "nsproxy-bench")?.args(arguments))
        }
    }
}

/// The programs of these packages by name, built with optimisation.
fn build(workspace: &Workspace, packages: &[&str]) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let mut command = Command::new(cargo());
    command.args([
        "build",
        "--release",
        "--message-format",
        "json-render-diagnostics",
    ]);
    for package in packages {
        command.args(["--package", package]);
    }
    let output = command
        .current_dir(workspace.root())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo build")?;
    ensure!(
        output.status.success(),
        "cargo build ended with {}",
        output.status
    );
    let messages = String::from_utf8(output.stdout).context("cargo's messages are not UTF-8")?;
    messages
        .lines()
        .filter_map(|line| executable(line).transpose())
        .collect()
}

/// To run the program of this name.
fn command(programs: &BTreeMap<String, PathBuf>, name: &str) -> anyhow::Result<Command> {
    let path = programs.get(name);
    Ok(Command::new(
        path.with_context(|| format!("cargo has built no {name}"))?,
    ))
}

/// Runs a comparison to its end.
fn finish(workspace: &Workspace, command: &mut Command) -> anyhow::Result<()> {
    let status = command
        .current_dir(workspace.root())
        .status()
        .context("cannot run the benchmark")?;
    ensure!(status.success(), "the benchmark ended with {status}");
    Ok(())
}

/// Name and path of the program that a message of cargo tells of.
fn executable(line: &str) -> anyhow::Result<Option<(String, PathBuf)>> {
    let message: Value = serde_json::from_str(line).with_context(|| format!("not JSON: {line}"))?;
    let (name, path) = (&message["target"]["name"], &message["executable"]);
    Ok(name
        .as_str()
        .zip(path.as_str())
        .map(|(name, path)| (name.to_owned(), path.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_messages_about_programs_name_one() {
        let program =
            r#"{"reason":"compiler-artifact","target":{"name":"nsproxy"},"executable":"/t/nsproxy"}"#;
        let library = r#"{"reason":"compiler-artifact","target":{"name":"netns_core"},"executable":null}"#;
        let end = r#"{"reason":"build-finished","success":true}"#;
        assert_eq!(
            executable(program).unwrap(),
            Some(("nsproxy".to_owned(), "/t/nsproxy".into()))
        );
        assert_eq!(executable(library).unwrap(), None);
        assert_eq!(executable(end).unwrap(), None);
        assert!(executable("no JSON").is_err());
    }
}
