//! `cargo xtask bench`: comparisons with other programs and libraries, always of optimised builds.
//!
//! What is measured, and how, is the business of the package `nsproxy-bench`, which also understands the options.

use anyhow::{Context as _, ensure};

use crate::programs::{Profile, Programs};
use crate::workspace::Workspace;

/// The comparisons of nsproxy itself; the others are of its libraries.
const OF_NSPROXY: [&str; 3] = ["config", "netns", "relay"];
/// Where the plot of a run of `relay` with `--record` goes, for docs/performance.md.
const PLOT: &str = "docs/relay-ratios.svg";

/// Builds what is needed, and runs the comparison that the first of `arguments` names, with the others as its options.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> anyhow::Result<()> {
    let (name, options) = match arguments {
        [name, options @ ..] => (Some(name.as_str()), options),
        [] => (None, arguments),
    };
    let is_of_nsproxy = name.is_some_and(|name| OF_NSPROXY.contains(&name));
    let packages: &[_] = if is_of_nsproxy {
        &["nsproxy-cli", "nsproxy-bench"]
    } else {
        &["nsproxy-bench"]
    };
    let programs = Programs::build(workspace, Profile::Release, packages)?;
    let mut command = programs.command("nsproxy-bench")?;
    command.args(name);
    if is_of_nsproxy {
        let nsproxy = programs.command("nsproxy")?;
        command.arg("--nsproxy").arg(nsproxy.get_program());
    }
    command.args(options);
    if name == Some("relay") && is_whole_record(options) {
        command.arg("--plot").arg(workspace.root().join(PLOT));
    }
    let status = command
        .current_dir(workspace.root())
        .status()
        .context("cannot run the benchmark")?;
    ensure!(status.success(), "the benchmark ended with {status}");
    Ok(())
}

/// Whether a run is to be kept, and is of everything: part of a table is no picture of the whole.
fn is_whole_record(options: &[String]) -> bool {
    let has = |name: &str| options.iter().any(|option| option.starts_with(name));
    has("--record") && !has("--scenario") && !has("--plot")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_record_of_everything_is_plotted() {
        let is_whole = |words: &[&str]| {
            let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
            is_whole_record(&words)
        };
        assert!(is_whole(&["--rounds", "3", "--record"]));
        assert!(!is_whole(&["--rounds", "3"]));
        assert!(!is_whole(&["--record", "--scenario=bulk"]));
        assert!(!is_whole(&["--record", "--plot", "x.svg"]));
    }
}
