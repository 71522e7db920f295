//! What is published, packaged and built from the packages.
//!
//! Cargo builds the packages against each other from a registry that it makes in the target directory. What comes from
//! a registry never changes, it believes: it would take what it has unpacked and built at an earlier time, of the same
//! version, for what is packaged now. So both are removed first.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use anyhow::Context as _;

use crate::stages::Stages;
use crate::workspace::Workspace;

/// Where the packages are made and built, below the workspace's root.
const TARGET: &str = "target/packaged";

/// Packages what is published, all at once: that way they may depend on each other before any of them
/// is on a registry. Each package is built from its own archive.
pub(crate) fn package(stages: &Stages, workspace: &Workspace) -> anyhow::Result<()> {
    forget(workspace)?;
    let mut arguments = vec!["package", "--allow-dirty", "--target-dir", TARGET];
    for package in workspace.published() {
        arguments.extend(["-p", &package.name]);
    }
    stages.cargo(&arguments)?;
    forget(workspace)
}

/// Removes what was built, and what of our own packages was unpacked from registries that are directories.
fn forget(workspace: &Workspace) -> anyhow::Result<()> {
    remove(&workspace.root().join(TARGET))?;
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let Some(home) = home.or_else(|| Some(env::home_dir()?.join(".cargo"))) else {
        return Ok(());
    };
    let Ok(registries) = fs::read_dir(home.join("registry/src")) else {
        return Ok(());
    };
    for registry in registries.flatten() {
        // Those with a host begin with its name.
        if !registry.file_name().to_string_lossy().starts_with('-') {
            continue;
        }
        for unpacked in fs::read_dir(registry.path())?.flatten() {
            let name = unpacked.file_name();
            let name = name.to_string_lossy();
            let ours = |package: &str| {
                let version = name.strip_prefix(package).and_then(|rest| rest.strip_prefix('-'));
                version.is_some_and(|version| version.starts_with(|first: char| first.is_ascii_digit()))
            };
            if workspace.published().any(|package| ours(&package.name)) {
                remove(&unpacked.path())?;
            }
        }
    }
    Ok(())
}

fn remove(path: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
