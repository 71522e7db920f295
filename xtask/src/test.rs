//! `cargo xtask test`: every stage that a change must pass, cheap ones first.
//!
//! The tests themselves are one `cargo test`: which of them need privileges or programs is their own
//! knowledge (docs/testing.md).

use anyhow::ensure;

use crate::packages;
use crate::packaging;
use crate::stages::Stages;
use crate::tidy;
use crate::workspace::Workspace;

/// The fuzz targets, a workspace of their own.
const FUZZ_MANIFEST: &str = "fuzz/Cargo.toml";

/// Runs all stages; `quick` leaves out those that rarely fail after the others passed.
pub(crate) fn run(workspace: &Workspace, quick: bool) -> anyhow::Result<()> {
    let mut stages = Stages::new(workspace);
    stages.run("programs", |_| packages::provide());
    stages.run("format", |stages| stages.cargo(&["fmt", "--all", "--check"]));
    stages.run("tidy", |_| tidy::run(workspace));
    stages.run("clippy", |stages| {
        let flags = [
            "--workspace",
            "--all-targets",
            "--all-features",
            "--",
            "-D",
            "warnings",
        ];
        stages.cargo(&[&["clippy"], &flags[..]].concat())
    });
    stages.run("libraries", |stages| each_library_alone(stages, workspace));
    stages.run("test", |stages| {
        stages.cargo(&["test", "--workspace", "--all-features", "--no-fail-fast"])
    });
    if !quick {
        stages.run("examples", |stages| {
            stages.cargo(&["build", "--workspace", "--examples", "--all-features"])
        });
        stages.run("docs", |stages| {
            stages.cargo_with(
                &["doc", "--workspace", "--no-deps"],
                &[("RUSTDOCFLAGS", "-D warnings")],
            )
        });
        stages.run("fuzz", |stages| fuzz_targets(stages, workspace));
        stages.run("package", |stages| packaging::package(stages, workspace));
    }
    stages.finish()
}

/// A library that compiles only thanks to a feature that a neighbour turned on is found here.
fn each_library_alone(stages: &Stages, workspace: &Workspace) -> anyhow::Result<()> {
    for library in workspace.published().filter(|package| package.has_library) {
        stages.cargo(&["check", "-p", &library.name])?;
        if library.has_features {
            stages.cargo(&["check", "-p", &library.name, "--no-default-features"])?;
            stages.cargo(&["check", "-p", &library.name, "--all-features"])?;
        }
    }
    Ok(())
}

fn fuzz_targets(stages: &Stages, workspace: &Workspace) -> anyhow::Result<()> {
    ensure!(
        workspace.root().join(FUZZ_MANIFEST).is_file(),
        "{FUZZ_MANIFEST} is missing"
    );
    stages.cargo(&["fmt", "--manifest-path", FUZZ_MANIFEST, "--check"])?;
    stages.cargo(&["build", "--manifest-path", FUZZ_MANIFEST])?;
    // The seeds and what fuzzing has found once.
    stages.cargo(&["test", "--manifest-path", FUZZ_MANIFEST])
}
