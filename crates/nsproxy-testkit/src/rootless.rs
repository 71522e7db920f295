//! Worlds for an ordinary user: the test runs again, alone, in a user namespace where it is root.
//!
//! A process with several threads cannot enter a new user namespace (unshare(2), `CLONE_NEWUSER`), and
//! a test always has several. So the test binary is started again by unshare(1), for this one test.

use std::{env, process::Command, thread};

use crate::{Program, skip};

/// Set in the second run, so that there is no third.
const INSIDE: &str = "NSPROXY_TESTKIT_INSIDE";

/// Runs the calling test again in a new user namespace, or skips it where that is forbidden.
#[track_caller]
#[expect(clippy::print_stderr, reason = "the second run's output belongs to this test")]
pub(crate) fn run_again() {
    if env::var_os(INSIDE).is_some() {
        return skip("this system allows no private namespaces to its users");
    }
    let Ok(unshare) = Program::find("unshare") else {
        return skip("not root, and unshare(1), which would make a user namespace, is not installed");
    };
    let map_root = |program: &Program| {
        let mut command = program.command();
        command.args(["--user", "--map-root-user", "--"]);
        command
    };
    let allowed = map_root(&unshare)
        .arg("true")
        .output()
        .is_ok_and(|output| output.status.success());
    if !allowed {
        return skip("not root, and this system allows no user namespaces");
    }
    // The harness names a test's thread after the test; with one thread only, it is the main one.
    let test = thread::current()
        .name()
        .filter(|name| *name != "main")
        .map(str::to_owned);
    let (Some(test), Ok(binary)) = (test, env::current_exe()) else {
        return skip("not root, and this test's name is not known (--test-threads=1?)");
    };
    let mut command: Command = map_root(&unshare);
    command
        .arg(binary)
        .args(["--exact", &test, "--nocapture"])
        .env(INSIDE, "1");
    let output = command.output().expect("the test can be started again");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    eprintln!("--- {test} in a user namespace:\n{text}");
    assert!(output.status.success(), "{test} failed in its user namespace");
    assert!(
        text.contains("1 passed"),
        "{test} was not found in its own binary"
    );
}
