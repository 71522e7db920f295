//! A place where a test may do to namespaces what it likes.
//!
//! The thread of the body has a mount namespace and a network namespace of its own, with an empty tmpfs on
//! `/run`. Threads and processes which it starts inherit them. When the thread ends, the kernel takes all of
//! it away.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

pub(crate) mod holdings;

use std::ffi::OsStr;
use std::io::{self, Write as _};
use std::panic::resume_unwind;
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use netns_core::{NetnsName, Registry};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

/// Names, in a child's environment, the test that it runs.
const CHILD: &str = "NETNS_CORE_TEST_CHILD";

/// Runs `body` on a thread with a private mount and network namespace, or says why it cannot. In CI
/// (`CI=true`) that is a failure.
pub(crate) fn in_private_namespaces(body: impl FnOnce() + Send) {
    let test = this_test();
    let outcome = thread::scope(|scope| scope.spawn(|| make_private_namespaces().map(|()| body())).join());
    match outcome {
        Ok(Ok(())) => {}
        Ok(Err(reason)) => skip(&test, &reason.to_string()),
        Err(panic) => resume_unwind(panic),
    }
}

/// Is this the child of [`as_child`], in the test of the calling thread?
pub(crate) fn is_child() -> bool {
    std::env::var_os(CHILD).is_some_and(|test| *test == *this_test())
}

/// Runs `body` in a process of its own: this program again, with this test only, started by `launcher`. The
/// parent gets its outcome; the child itself, and a test that is skipped, get nothing.
pub(crate) fn as_child(launcher: &[&str], body: impl FnOnce()) -> Option<Output> {
    if is_child() {
        body();
        return None;
    }
    let test = this_test();
    if !nix::unistd::geteuid().is_root() {
        skip(&test, "not run as root");
        return None;
    }
    start_child(&test, launcher)
}

/// Runs `body` in private namespaces, in a process of its own: it may set limits and give up privileges, and a
/// [`LeakCheck`] sees what it holds and nothing else.
#[track_caller]
pub(crate) fn in_own_process(body: impl FnOnce() + Send) {
    assert_passed(as_child(&[], || in_private_namespaces(body)).as_ref());
}

/// The parent's part of [`as_child`], for a test that prepares something first.
pub(crate) fn start_child(test: &str, launcher: &[&str]) -> Option<Output> {
    let this_program = std::env::current_exe().unwrap();
    let mut words = launcher.iter().map(OsStr::new).chain([this_program.as_os_str()]);
    let mut command = Command::new(words.next().unwrap());
    command
        .args(words)
        .args([test, "--exact", "--nocapture"])
        .env(CHILD, test);
    match command.output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            skip(test, &format!("there is no `{}` program", launcher[0]));
            None
        }
        output => Some(output.unwrap()),
    }
}

/// The child ran its test, and the test passed. A test that was skipped has no child.
#[track_caller]
pub(crate) fn assert_passed(child: Option<&Output>) {
    let Some(child) = child else { return };
    let has_run = String::from_utf8_lossy(&child.stdout).contains("1 passed");
    assert!(child.status.success() && has_run, "{child:?}");
}

/// The name of the test whose thread this is.
pub(crate) fn this_test() -> String {
    thread::current().name().unwrap().to_owned()
}

/// Says loudly that `test` was not run.
pub(crate) fn skip(test: &str, reason: &str) {
    assert_ne!(
        std::env::var("CI").as_deref(),
        Ok("true"),
        "{test} cannot run, and must in CI: {reason}"
    );
    // Not `eprintln!`, which the test harness shows only when a test fails. One write, so that lines stay
    // whole.
    let line = format!("SKIPPED {test}: {reason}\n");
    io::stderr().write_all(line.as_bytes()).unwrap();
}

/// Waits until `condition` holds.
#[track_caller]
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "not within ten seconds: {what}");
        thread::yield_now();
    }
}

pub(crate) fn name(text: &str) -> NetnsName {
    text.parse().unwrap()
}

/// The system's registry, which here is on the private tmpfs.
pub(crate) fn registry() -> Registry {
    Registry::system()
}

/// The mount points of the calling thread's mount namespace, one a mount.
pub(crate) fn mount_points() -> Vec<String> {
    std::fs::read_to_string("/proc/thread-self/mountinfo")
        .unwrap()
        .lines()
        .map(|line| line.split(' ').nth(4).unwrap().to_owned())
        .collect()
}

/// How many mounts there are at `path`.
pub(crate) fn mounts_at(path: &str) -> usize {
    mount_points().iter().filter(|point| *point == path).count()
}

/// How many mounts there are at names of the registry.
pub(crate) fn mounts_of_names() -> usize {
    let points = mount_points();
    let of_names = points.iter().filter(|point| point.starts_with("/run/netns/"));
    of_names.count()
}

fn make_private_namespaces() -> nix::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET)?;
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_PRIVATE | MsFlags::MS_REC, none)?;
    mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), none)
}
