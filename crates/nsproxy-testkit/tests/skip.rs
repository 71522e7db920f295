//! A skip is loud, and a failure where `CI=true` is set: shown by running this test again, skipping.

use std::env;
use std::process::Command;

use nsproxy_testkit::{Program, Running, require};

/// Set in the second run.
const SKIPPING: &str = "NSPROXY_TESTKIT_TEST_SKIPPING";

#[test]
fn a_skip_is_loud_and_fails_in_ci() {
    if env::var_os(SKIPPING).is_some() {
        require!(Program::find("no-such-program"));
        unreachable!("the test goes on although what it needs is missing");
    }
    let again = || {
        let mut command = Command::new(env::current_exe().expect("a test has a binary"));
        command
            .args(["--exact", "a_skip_is_loud_and_fails_in_ci", "--nocapture"])
            .env(SKIPPING, "1");
        command.env_remove("CI");
        command
    };
    let reason = "the program `no-such-program` is not installed";

    let skipped = Running::spawn(again()).wait();
    assert!(skipped.status.success());
    assert!(
        skipped
            .stderr
            .contains("SKIPPED test: a_skip_is_loud_and_fails_in_ci")
    );
    assert!(skipped.stderr.contains(reason));

    let mut command = again();
    command.env("CI", "true");
    let failed = Running::spawn(command).wait();
    assert!(!failed.status.success());
    assert!(failed.stderr.contains(reason));
}
