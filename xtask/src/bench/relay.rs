//! `cargo xtask bench relay`: nsproxy beside the other relays, in one run. `docs/performance.md` explains it.

use crate::workspace::Workspace;

/// Where the plot of a run with `--record` goes, for docs/performance.md.
const PLOT: &str = "docs/relay-ratios.svg";

/// Builds nsproxy and the benchmark, and runs it with these options.
pub(super) fn run(workspace: &Workspace, options: &[String]) -> anyhow::Result<()> {
    let programs = super::build(workspace, &["nsproxy-cli", "nsproxy-bench"])?;
    let nsproxy = super::command(&programs, "nsproxy")?;
    let mut command = super::command(&programs, "nsproxy-bench")?;
    command
        .args(["relay", "--nsproxy"])
        .arg(nsproxy.get_program())
        .args(options);
    // Part of a table is no picture of the whole.
    let has = |name: &str| options.iter().any(|option| option.starts_with(name));
    if has("--record") && !has("--scenario") && !has("--plot") {
        command.arg("--plot").arg(workspace.root().join(PLOT));
    }
    super::finish(workspace, &mut command)
}
