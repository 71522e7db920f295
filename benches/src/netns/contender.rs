//! Who makes, lists and deletes names: a process for each, a process for all, or none but this.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use netns_core::{NetnsName, Registry};

use super::expect_same;

/// Lists and commands in a turn: enough for a figure, and not more than a turn at names takes.
const REPEATS: u32 = 20;

/// The programs.
#[derive(Debug)]
pub(super) struct Tools {
    pub(super) nsproxy: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Contender {
    /// `ip netns add NAME`, a process for each name.
    Ip,
    /// `ip -batch`, one process for all.
    IpBatch,
    /// `nsproxy netns add NAME`, a process for each name.
    Nsproxy,
    /// `nsproxy netns add NAME...`, one process for all.
    NsproxyMany,
    /// `netns_core::Registry`, in this process.
    Library,
}

impl Contender {
    /// The first is what the others are compared with.
    pub(super) const ALL: [Self; 5] = [
        Self::Ip,
        Self::IpBatch,
        Self::Nsproxy,
        Self::NsproxyMany,
        Self::Library,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ip => "ip netns",
            Self::IpBatch => "ip -batch",
            Self::Nsproxy => "nsproxy netns",
            Self::NsproxyMany => "nsproxy netns, all names",
            Self::Library => "netns-core",
        }
    }

    pub(super) fn add(self, tools: &Tools, names: &[String]) -> anyhow::Result<()> {
        self.change(tools, names, "add", |registry, name| {
            registry.add(name)?;
            Ok(())
        })
    }

    pub(super) fn delete(self, tools: &Tools, names: &[String]) -> anyhow::Result<()> {
        self.change(
            tools,
            names,
            "delete",
            |registry, name| Ok(registry.remove(name)?),
        )
    }

    fn change(
        self,
        tools: &Tools,
        names: &[String],
        verb: &str,
        in_process: impl Fn(&Registry, &NetnsName) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        match self {
            Self::Ip => names
                .iter()
                .try_for_each(|name| succeed(Command::new("ip").args(["netns", verb, name]))),
            Self::IpBatch => batch(verb, names),
            Self::Nsproxy => names
                .iter()
                .try_for_each(|name| succeed(Command::new(&tools.nsproxy).args(["netns", verb, name]))),
            Self::NsproxyMany => succeed(Command::new(&tools.nsproxy).args(["netns", verb]).args(names)),
            Self::Library => {
                let registry = Registry::system();
                names
                    .iter()
                    .try_for_each(|name| in_process(&registry, &name.parse()?))
            }
        }
    }

    /// Lists all names, and checks them. Not for those that would do it as another contender does.
    pub(super) fn list(self, tools: &Tools, names: &[String]) -> anyhow::Result<Option<(Duration, u32)>> {
        let list = |program: &Path| {
            let output = Command::new(program).args(["netns", "list"]).output()?;
            ensure!(
                output.status.success(),
                "{}: {}",
                program.display(),
                output.status
            );
            let text = String::from_utf8(output.stdout)?;
            Ok(text.lines().map(str::to_owned).collect())
        };
        let mut lists: Vec<Vec<String>> = Vec::new();
        let begun = Instant::now();
        for _ in 0..REPEATS {
            lists.push(match self {
                Self::Ip => list(Path::new("ip"))?,
                Self::Nsproxy => list(&tools.nsproxy)?,
                Self::Library => {
                    let entries = Registry::system().list()?;
                    entries.iter().map(|entry| entry.name.to_string()).collect()
                }
                Self::IpBatch | Self::NsproxyMany => return Ok(None),
            });
        }
        let time = begun.elapsed();
        let mut expected = names.to_vec();
        expected.sort_unstable();
        for mut list in lists {
            list.sort_unstable();
            expect_same(&list, &expected)?;
        }
        Ok(Some((time, REPEATS)))
    }

    /// Runs `true` in a namespace.
    pub(super) fn exec(self, tools: &Tools, names: &[String]) -> anyhow::Result<Option<(Duration, u32)>> {
        let program = match self {
            Self::Ip => Path::new("ip"),
            Self::Nsproxy => &tools.nsproxy,
            Self::IpBatch | Self::NsproxyMany | Self::Library => return Ok(None),
        };
        let begun = Instant::now();
        for name in names.iter().cycle().take(REPEATS as usize) {
            succeed(Command::new(program).args(["netns", "exec", name, "true"]))?;
        }
        Ok(Some((begun.elapsed(), REPEATS)))
    }
}

fn batch(verb: &str, names: &[String]) -> anyhow::Result<()> {
    let mut child = Command::new("ip")
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .context("cannot start ip")?;
    let lines: String = names
        .iter()
        .flat_map(|name| ["netns ", verb, " ", name, "\n"])
        .collect();
    child
        .stdin
        .take()
        .context("ip has no standard input")?
        .write_all(lines.as_bytes())?;
    let status = child.wait()?;
    ensure!(status.success(), "ip -batch: {status}");
    Ok(())
}

fn succeed(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("{command:?}"))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}
