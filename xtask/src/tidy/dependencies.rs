//! Every package that we ask a registry for has its reason in docs/dependencies.md.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::Finding;
use crate::workspace::Workspace;

const REASONS: &str = "docs/dependencies.md";

/// A finding for each dependency that the page does not name in backticks.
pub(super) fn check(workspace: &Workspace) -> Vec<Finding> {
    let path = Path::new(REASONS);
    let Ok(page) = fs::read_to_string(workspace.root().join(path)) else {
        return vec![Finding::in_file(path, "is missing")];
    };
    let asked: BTreeSet<&str> = workspace
        .ours()
        .flat_map(|package| &package.asks_for)
        .map(String::as_str)
        .collect();
    asked
        .into_iter()
        .filter(|name| !page.contains(&format!("`{name}`")))
        .map(|name| Finding::in_file(path, format!("says nothing about `{name}`")))
        .collect()
}
