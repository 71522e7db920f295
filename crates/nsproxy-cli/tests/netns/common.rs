//! What the tests of `nsproxy netns` share.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;

use nsproxy_testkit::{DEFAULT_DEADLINE, Finished, Netns, Program, Running, World, eventually};

pub(crate) const REGISTRY: &str = "/run/netns";

/// A command that has not been started: `nsproxy netns` with these words.
pub(crate) fn command<W: AsRef<OsStr>>(words: impl IntoIterator<Item = W>) -> Command {
    let mut command = Program::at(env!("CARGO_BIN_EXE_nsproxy")).command();
    command.arg("netns").args(words);
    command
}

/// Runs `nsproxy netns` with these words, divided by blanks.
pub(crate) fn netns(w: &World, words: &str) -> Finished {
    w.home().output(command(words.split_whitespace()))
}

/// The same with words that have blanks in them.
pub(crate) fn netns_words(w: &World, words: &[&str]) -> Finished {
    w.home().output(command(words))
}

/// The answer of `nsproxy netns`, which has to succeed without a word on standard error.
#[track_caller]
pub(crate) fn answer(w: &World, words: &str) -> String {
    quiet(netns(w, words))
}

/// The answer of a program that has nothing to complain about.
#[track_caller]
pub(crate) fn quiet(finished: Finished) -> String {
    assert_eq!(finished.stderr, "", "{finished:?}");
    finished.expect_success()
}

/// What it says when it fails with this exit code.
#[track_caller]
pub(crate) fn refusal(w: &World, code: i32, words: &str) -> String {
    let finished = netns(w, words);
    assert_eq!(finished.stdout, "", "{finished:?}");
    finished.expect_code(code)
}

/// Asserts that a text has all these parts.
#[track_caller]
pub(crate) fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in {text:?}");
    }
}

/// The namespace under a name of the registry, by the kernel's number for its file.
#[track_caller]
pub(crate) fn inode(name: &str) -> u64 {
    fs::metadata(format!("{REGISTRY}/{name}"))
        .expect("the name is there")
        .ino()
}

/// Whether something stands under the name.
pub(crate) fn exists(name: &str) -> bool {
    fs::symlink_metadata(format!("{REGISTRY}/{name}")).is_ok()
}

/// The mounts at the registry and below it, one line each.
pub(crate) fn mounts() -> Vec<String> {
    let all = fs::read_to_string("/proc/thread-self/mountinfo").expect("/proc is mounted");
    all.lines()
        .filter(|line| {
            let mount_point = line.split(' ').nth(4);
            mount_point.is_some_and(|point| point.starts_with(REGISTRY))
        })
        .map(str::to_owned)
        .collect()
}

/// A process that does nothing in a namespace of `ip netns`, until it is dropped.
#[track_caller]
pub(crate) fn sleeper(netns: &Netns) -> Running {
    let mut command = Program::find("sleep").expect("coreutils").command();
    command.arg("1000");
    let running = netns.spawn(command);
    // Between fork and exec it is not `sleep` yet.
    let comm = format!("/proc/{}/comm", running.pid());
    eventually(DEFAULT_DEADLINE, "the start of sleep", || {
        fs::read_to_string(&comm)
            .is_ok_and(|name| name == "sleep\n")
            .then_some(())
    });
    running
}

/// Runs a program in the namespace of the test.
#[track_caller]
pub(crate) fn run(w: &World, line: &str) -> Finished {
    let mut words = line.split_whitespace();
    let program = words.next().expect("a program");
    let mut command = Program::find(program)
        .unwrap_or_else(|missing| panic!("{missing}"))
        .command();
    command.args(words);
    w.home().output(command)
}
