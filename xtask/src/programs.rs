//! Programs of this workspace, built to be run.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::workspace::{Workspace, cargo};

/// How cargo builds something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    Dev,
    Release,
}

/// Programs by their names.
#[derive(Debug)]
pub(crate) struct Programs(BTreeMap<String, PathBuf>);

impl Programs {
    /// Those of these packages.
    pub(crate) fn build(workspace: &Workspace, profile: Profile, packages: &[&str]) -> anyhow::Result<Self> {
        let mut command = Command::new(cargo());
        command.args(["build", "--message-format", "json-render-diagnostics"]);
        if profile == Profile::Release {
            command.arg("--release");
        }
        for package in packages {
            command.args(["--package", package]);
        }
        let output = command
            .current_dir(workspace.root())
            .stderr(Stdio::inherit())
            .output()
            .context("cannot run cargo build")?;
        ensure!(
            output.status.success(),
            "cargo build ended with {}",
            output.status
        );
        let messages = String::from_utf8(output.stdout).context("cargo's messages are not UTF-8")?;
        let programs = messages.lines().filter_map(|line| executable(line).transpose());
        programs.collect::<anyhow::Result<_>>().map(Self)
    }

    /// To run the one of this name.
    pub(crate) fn command(&self, name: &str) -> anyhow::Result<Command> {
        let path = self.0.get(name);
        Ok(Command::new(
            path.with_context(|| format!("cargo has built no {name}"))?,
        ))
    }
}

/// Name and path of the program that a message of cargo tells of.
fn executable(line: &str) -> anyhow::Result<Option<(String, PathBuf)>> {
    let message: Value = serde_json::from_str(line).with_context(|| format!("not JSON: {line}"))?;
    let (name, path) = (&message["target"]["name"], &message["executable"]);
    Ok(name
        .as_str()
        .zip(path.as_str())
        .map(|(name, path)| (name.to_owned(), path.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_messages_about_programs_name_one() {
        let program =
            r#"{"reason":"compiler-artifact","target":{"name":"nsproxy"},"executable":"/t/nsproxy"}"#;
        let library = r#"{"reason":"compiler-artifact","target":{"name":"netns_core"},"executable":null}"#;
        let end = r#"{"reason":"build-finished","success":true}"#;
        assert_eq!(
            executable(program).unwrap(),
            Some(("nsproxy".to_owned(), "/t/nsproxy".into()))
        );
        assert_eq!(executable(library).unwrap(), None);
        assert_eq!(executable(end).unwrap(), None);
        assert!(executable("no JSON").is_err());
    }
}
