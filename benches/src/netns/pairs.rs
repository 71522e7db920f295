//! A process for each call: `ip netns` and `nsproxy netns` with the same words, in turn, call by call.
//!
//! A call takes about a millisecond, and a machine is not the same from one millisecond to the next. So the two alternate, who begins
//! alternates too, and a turn is a block of calls.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

use super::world::World;
use super::{Table, Tools, Turn};

/// Calls of each in a block.
const BLOCK: usize = 50;

/// The names that one of them uses.
type Names = Vec<String>;
/// The words of a call, from the name that it is about.
type Call = fn(&str) -> Vec<String>;

/// What is called for each name of a block, after it was added and before it is deleted. Words that both understand.
const CALLS: [(&str, Call); 7] = [
    ("exec", |name| words(&["exec", name, "true"])),
    ("list", |_| words(&["list"])),
    ("identify", |_| words(&["identify"])),
    ("pids", |name| words(&["pids", name])),
    ("set", |name| words(&["set", name, "auto"])),
    ("list, all with numbers", |_| words(&["list"])),
    ("list-id", |_| words(&["list-id"])),
];

/// One block of each task.
pub(super) fn round(tools: &Tools, world: &World, table: &mut Table) -> anyhow::Result<()> {
    let names = |prefix: &str| -> Names { (0..BLOCK).map(|index| format!("{prefix}{index}")).collect() };
    let (ips, ours) = (names("i"), names("n"));
    let all: Names = ips.iter().chain(&ours).cloned().collect();
    let mut block = |task, call: Call| alternate(tools, table, task, call, &ips, &ours);
    block("add", |name| words(&["add", name]))?;
    world.expect_names(&all)?;
    for (task, call) in CALLS {
        block(task, call)?;
    }
    let held = world.hold(&all)?;
    block("delete", |name| words(&["delete", name]))?;
    world.expect_names(&[])?;
    drop(held);
    world.settle()
}

/// Each calls once for each of its names.
fn alternate(
    tools: &Tools,
    table: &mut Table,
    task: &'static str,
    call: Call,
    ips: &Names,
    ours: &Names,
) -> anyhow::Result<()> {
    let (mut ip_turn, mut own_turn) = (Turn::default(), Turn::default());
    for (index, (ip, own)) in ips.iter().zip(ours).enumerate() {
        let (ip_call, own_call) = (call(ip), call(own));
        let mut ip = || measured(&tools.ip, &ip_call, &mut ip_turn);
        let mut own = || measured(&tools.nsproxy, &own_call, &mut own_turn);
        let (ip, own) = if index % 2 == 0 {
            let ip = ip()?;
            (ip, own()?)
        } else {
            let own = own()?;
            (ip()?, own)
        };
        // The words name what is asked for, never who asks; so the answers are the same to the byte.
        ensure!(ip == own, "{task}: `ip` says {ip:?}, nsproxy {own:?}");
    }
    table.add(task, "ip netns", ip_turn);
    table.add(task, "nsproxy netns", own_turn);
    Ok(())
}

/// Runs one call, and returns what it printed.
fn measured(program: &Path, words: &[String], turn: &mut Turn) -> anyhow::Result<Vec<u8>> {
    let mut command = Command::new(program);
    command.arg("netns").args(words).stdin(Stdio::null());
    let mut printed = Vec::new();
    turn.add(Turn::measure(1, || {
        let output = command
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("{command:?}"))?;
        ensure!(output.status.success(), "{command:?}: {}", output.status);
        printed = output.stdout;
        Ok(())
    })?);
    Ok(printed)
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}
