//! `cargo xtask soak`: everything at once, for minutes. What goes on, and what is looked at, is the business of the package
//! `nsproxy-soak`.

use anyhow::{Context as _, ensure};

use crate::programs::{Profile, Programs};
use crate::workspace::Workspace;

/// Builds nsproxy and the soak, and runs it.
pub(crate) fn run(workspace: &Workspace, minutes: u32, release: bool) -> anyhow::Result<()> {
    // Unless asked otherwise with overflow checks and debug assertions: this looks for faults, not for speed.
    let profile = if release { Profile::Release } else { Profile::Dev };
    let programs = Programs::build(workspace, profile, &["nsproxy-cli", "nsproxy-soak"])?;
    let nsproxy = programs.command("nsproxy")?;
    let status = programs
        .command("nsproxy-soak")?
        .arg("--nsproxy")
        .arg(nsproxy.get_program())
        .args(["--minutes", &minutes.to_string()])
        .status()
        .context("cannot run the soak")?;
    ensure!(status.success(), "the soak has failed: {status}");
    Ok(())
}
