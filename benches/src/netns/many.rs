//! All names at once: by a process for each, by one process for all, by the library, and by the bare system calls.
//!
//! The last is the floor: what the kernel asks of anyone, without a lock and without a way to undo half of it.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use netns_core::{NetnsName, Registry};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};

use super::world::World;
use super::{Table, Tools, Turn};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contender {
    /// `ip netns add NAME`, a process for each name.
    Ip,
    /// `ip -batch`, one process for all.
    IpBatch,
    /// `nsproxy netns add NAME...`, one process for all.
    Nsproxy,
    /// `netns_core::Registry`, in this process.
    Library,
    /// No more than it takes, in this process.
    Bare,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Add,
    Delete,
}

/// Each task, and who takes part in it. The first is what the others are compared with.
const TASKS: [(Verb, &str, &[Contender]); 4] = [
    (
        Verb::Add,
        "add many",
        &[Contender::Ip, Contender::Nsproxy, Contender::Library],
    ),
    (Verb::Add, "add many, one process", ONE_PROCESS),
    (
        Verb::Delete,
        "delete many",
        &[Contender::Ip, Contender::Nsproxy, Contender::Library],
    ),
    (Verb::Delete, "delete many, one process", ONE_PROCESS),
];

const ONE_PROCESS: &[Contender] = &[
    Contender::IpBatch,
    Contender::Nsproxy,
    Contender::Library,
    Contender::Bare,
];

/// One turn for each contender, with names of its own; who begins changes from round to round, and so does who
/// comes after whom: what the one before left in the kernel's caches is a gift or a burden.
pub(super) fn round(
    tools: &Tools,
    world: &World,
    count: u32,
    round: u32,
    table: &mut Table,
) -> anyhow::Result<()> {
    let mut turns: Vec<(Contender, Vec<String>)> = Contender::ALL
        .into_iter()
        .zip('a'..)
        .map(|(contender, letter)| {
            (
                contender,
                (0..count).map(|index| format!("{letter}{index}")).collect(),
            )
        })
        .collect();
    let all: Vec<String> = turns.iter().flat_map(|(_, names)| names.clone()).collect();
    turns.rotate_left(round as usize / 2 % Contender::ALL.len());
    if round % 2 == 1 {
        turns.reverse();
    }
    let mut all_turns = |verb| -> anyhow::Result<()> {
        for (contender, names) in &turns {
            let turn = Turn::measure(count, || contender.change(tools, verb, names))?;
            for (_, task, _) in TASKS
                .into_iter()
                .filter(|(of, _, contenders)| *of == verb && contenders.contains(contender))
            {
                table.add(task, contender.name(), turn);
            }
        }
        Ok(())
    };
    all_turns(Verb::Add)?;
    world.expect_names(&all)?;
    let held = world.hold(&all)?;
    all_turns(Verb::Delete)?;
    world.expect_names(&[])?;
    drop(held);
    world.settle()
}

impl Contender {
    const ALL: [Self; 5] = [Self::Ip, Self::IpBatch, Self::Nsproxy, Self::Library, Self::Bare];

    const fn name(self) -> &'static str {
        match self {
            Self::Ip => "ip netns, each name",
            Self::IpBatch => "ip -batch",
            Self::Nsproxy => "nsproxy netns, all names",
            Self::Library => "netns-core",
            Self::Bare => "bare system calls",
        }
    }

    fn change(self, tools: &Tools, verb: Verb, names: &[String]) -> anyhow::Result<()> {
        match self {
            Self::Ip => names
                .iter()
                .try_for_each(|name| succeed(Command::new(&tools.ip).args(["netns", verb.word(), name]))),
            Self::IpBatch => batch(&tools.ip, verb, names),
            Self::Nsproxy => succeed(
                Command::new(&tools.nsproxy)
                    .args(["netns", verb.word()])
                    .args(names),
            ),
            Self::Library => library(verb, names),
            Self::Bare => bare(verb, names),
        }
    }
}

impl Verb {
    const fn word(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Delete => "delete",
        }
    }
}

fn succeed(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("{command:?}"))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}

fn batch(ip: &Path, verb: Verb, names: &[String]) -> anyhow::Result<()> {
    let mut child = Command::new(ip)
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .context("cannot start ip")?;
    let lines: String = names
        .iter()
        .flat_map(|name| ["netns ", verb.word(), " ", name, "\n"])
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

fn library(verb: Verb, names: &[String]) -> anyhow::Result<()> {
    let registry = Registry::system();
    let names: Vec<NetnsName> = names.iter().map(|name| name.parse()).collect::<Result<_, _>>()?;
    match verb {
        Verb::Add => registry.add_each(&names).into_iter().collect::<Result<(), _>>()?,
        Verb::Delete => registry
            .remove_each(&names)
            .into_iter()
            .collect::<Result<(), _>>()?,
    }
    Ok(())
}

/// The directory has been set up by whoever was here before: [`World::create`] sees to that.
fn bare(verb: Verb, names: &[String]) -> anyhow::Result<()> {
    const OWN: &str = "/proc/self/ns/net";
    let none = None::<&str>;
    let registry = Registry::system();
    let home = File::open(OWN)?;
    for name in names {
        let path = registry.path().join(name);
        match verb {
            Verb::Add => {
                OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .mode(0o000)
                    .open(&path)?;
                unshare(CloneFlags::CLONE_NEWNET)?;
                mount(Some(OWN), &path, none, MsFlags::MS_BIND, none)?;
            }
            Verb::Delete => {
                umount2(&path, MntFlags::MNT_DETACH)?;
                fs::remove_file(&path)?;
            }
        }
    }
    setns(home, CloneFlags::CLONE_NEWNET)?;
    Ok(())
}
