//! What the checks need to know about the workspace: where it is, its packages and what they depend on.
//!
//! All of it comes from `cargo metadata`, so no list of crates is kept by hand.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

/// The workspace this program was built from.
#[derive(Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
    packages: Vec<Package>,
}

/// A package of the workspace or of its dependency tree.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// The SPDX expression of its manifest.
    pub(crate) license: Option<String>,
    pub(crate) origin: Origin,
    pub(crate) has_library: bool,
    pub(crate) has_features: bool,
    /// The names of the packages from a registry that its manifest asks for.
    pub(crate) asks_for: Vec<String>,
}

/// Whose a package is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// In this repository, and published from it.
    Published,
    /// In this repository only.
    Internal,
    /// Somebody else's.
    Registry,
}

impl Workspace {
    /// Asks cargo.
    pub(crate) fn load() -> anyhow::Result<Self> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest
            .parent()
            .context("xtask lies in the workspace's directory")?
            .to_owned();
        let output = Command::new(cargo())
            .args(["metadata", "--format-version", "1"])
            .current_dir(&root)
            .output()
            .context("cannot run cargo metadata")?;
        ensure!(
            output.status.success(),
            "cargo metadata failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let metadata = serde_json::from_slice(&output.stdout).context("cargo metadata is not JSON")?;
        Ok(Self {
            root,
            packages: packages(&metadata)?,
        })
    }

    /// The directory of the workspace's `Cargo.toml`.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Every package of the dependency tree, for every platform.
    pub(crate) fn packages(&self) -> &[Package] {
        &self.packages
    }

    /// Our own packages.
    pub(crate) fn ours(&self) -> impl Iterator<Item = &Package> {
        self.packages
            .iter()
            .filter(|package| package.origin != Origin::Registry)
    }

    /// Our own packages that are published.
    pub(crate) fn published(&self) -> impl Iterator<Item = &Package> {
        self.packages
            .iter()
            .filter(|package| package.origin == Origin::Published)
    }
}

/// The cargo that runs this program, or else the one in `PATH`.
pub(crate) fn cargo() -> String {
    env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

fn packages(metadata: &Value) -> anyhow::Result<Vec<Package>> {
    let Some(packages) = metadata["packages"].as_array() else {
        bail!("cargo metadata lists no packages");
    };
    packages.iter().map(package).collect()
}

fn package(value: &Value) -> anyhow::Result<Package> {
    let text = |key: &str| value[key].as_str().map(str::to_owned);
    Ok(Package {
        name: text("name").context("a package without a name")?,
        license: text("license"),
        origin: origin(value),
        has_library: array(&value["targets"])
            .any(|target| array(&target["kind"]).any(|kind| kind.as_str() == Some("lib"))),
        has_features: value["features"]
            .as_object()
            .is_some_and(|features| !features.is_empty()),
        asks_for: array(&value["dependencies"])
            .filter(|dependency| !dependency["source"].is_null())
            .filter_map(|dependency| dependency["name"].as_str().map(str::to_owned))
            .collect(),
    })
}

/// A package from a registry names it as its source; `publish = false` is an empty list of registries.
fn origin(package: &Value) -> Origin {
    match (package["source"].is_null(), package["publish"].is_null()) {
        (false, _) => Origin::Registry,
        (true, false) => Origin::Internal,
        (true, true) => Origin::Published,
    }
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
