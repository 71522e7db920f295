//! `nsproxy demo`: it makes its own networks, so these tests need no world.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use nsproxy_testkit::{Deadline, Finished, Program, Running, require, skip};

use crate::common::nsproxy;

const NSPROXY: &str = env!("CARGO_BIN_EXE_nsproxy");

/// A debug build on a busy machine is slow.
const PATIENCE: Duration = Duration::from_secs(60);

fn run(command: Command) -> Finished {
    Running::spawn(command).wait_until(Deadline::after(PATIENCE))
}

fn shows_everything(shown: &str) {
    for part in [
        "I am tenant red, and my address is 10.0.0.5",
        "I am tenant blue, and my address is 10.0.0.5",
        "network namespace `edge`",
        "1 GiB from `edge` to the sink in `red`",
        "every byte compared",
        "GET http://10.0.0.5:9000/ from a client in `blue`",
        "the relay does not listen in it any more after ",
        "another `blue` is made",
        "the relay listens in it after ",
        "I am tenant blue, made a moment ago, and my address is 10.0.0.5",
        "11 connections relayed, none failed",
    ] {
        assert!(shown.contains(part), "`{part}` is missing in: {shown}");
    }
}

fn names() -> Vec<std::ffi::OsString> {
    let entries = fs::read_dir("/run/netns").into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name()).collect()
}

#[test]
fn the_demo_reaches_both_tenants_and_leaves_nothing_behind() {
    let (mounts, before) = (fs::read_to_string("/proc/self/mountinfo").unwrap(), names());
    let finished = run(nsproxy(&["demo"]));
    assert_eq!(finished.stderr, "", "nothing comes between what it shows");
    let shown = finished.expect_success();
    shows_everything(&shown);
    assert_eq!(names(), before, "a namespace is left");
    assert_eq!(
        fs::read_to_string("/proc/self/mountinfo").unwrap(),
        mounts,
        "a mount is left"
    );
}

#[test]
fn an_ordinary_user_may_run_the_demo() {
    let setpriv = require!(Program::find("setpriv"));
    // Where this program lies, another user may not be able to read it.
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let copy = directory.path().join("nsproxy");
    fs::copy(NSPROXY, &copy).unwrap();
    let mut command = setpriv.command();
    if nix::unistd::geteuid().is_root() {
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
    }
    command.arg(&copy).arg("demo");
    let finished = run(command);
    if finished
        .stderr
        .contains("does not let an ordinary user make a user namespace")
    {
        return skip(&finished.stderr);
    }
    let shown = finished.expect_success();
    shows_everything(&shown);
    assert!(shown.contains("without any privilege"), "{shown}");
}
