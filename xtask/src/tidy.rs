//! `cargo xtask tidy`: the rules of this repository that no compiler knows, checked on its files.
//!
//! Each submodule is one kind of rule. All findings are printed, not only the first.

mod code;
mod dependencies;
mod files;
mod licences;
mod links;
mod promises;
mod sources;

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::ensure;

use crate::workspace::Workspace;

/// Runs every check.
pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    let mut findings = Vec::new();
    for file in files::all(workspace.root())? {
        match file.extension() {
            Some("rs") => findings.extend(sources::check(&file)),
            Some("md") => {
                findings.extend(links::check(workspace.root(), &file));
                findings.extend(promises::check(workspace.root(), &file));
            }
            _ => {}
        }
        findings.extend(files::check_unfinished(&file));
    }
    findings.extend(licences::check(workspace.packages()));
    findings.extend(dependencies::check(workspace));
    for finding in &findings {
        println!("{finding}");
    }
    ensure!(findings.is_empty(), "{} findings", findings.len());
    println!("tidy");
    Ok(())
}

/// A place where a rule is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    path: PathBuf,
    /// Counted from one.
    line: Option<usize>,
    message: String,
}

impl Finding {
    fn in_file(path: &Path, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line: None,
            message: message.into(),
        }
    }

    /// `index` counts from zero, as iterators over lines do.
    fn at_line(path: &Path, index: usize, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line: Some(index + 1),
            message: message.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.message)
    }
}
