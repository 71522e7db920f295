//! `cargo xtask bench netns`: names and sockets of network namespaces, beside `ip netns` and `ip -batch`.

use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::workspace::Workspace;

/// Builds nsproxy and the benchmark, and runs it with these arguments.
pub(super) fn run(workspace: &Workspace, arguments: &[String]) -> anyhow::Result<()> {
    let programs = super::build(workspace, &["nsproxy-cli", "nsproxy-bench"])?;
    let program = |name: &str| {
        programs
            .get(name)
            .with_context(|| format!("cargo has built no {name}"))
    };
    let status = Command::new(program("nsproxy-bench")?)
        .args(["netns", "--nsproxy"])
        .arg(program("nsproxy")?)
        .args(arguments)
        .current_dir(workspace.root())
        .status()
        .context("cannot run the benchmark")?;
    ensure!(status.success(), "the benchmark ended with {status}");
    Ok(())
}
