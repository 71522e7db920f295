//! `cargo xtask bench config`: large configurations, checked by nsproxy and by HAProxy.

use crate::workspace::Workspace;

/// Builds nsproxy and the benchmark, and runs it with these options.
pub(super) fn run(workspace: &Workspace, options: &[String]) -> anyhow::Result<()> {
    let programs = super::build(workspace, &["nsproxy-cli", "nsproxy-bench"])?;
    let nsproxy = super::command(&programs, "nsproxy")?;
    let mut command = super::command(&programs, "nsproxy-bench")?;
    command
        .args(["config", "--nsproxy"])
        .arg(nsproxy.get_program())
        .args(options);
    super::finish(workspace, &mut command)
}
