//! Programs: their output is waited for, and none outlives its handle.

use std::env;
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nsproxy_testkit::{Deadline, Program, Running, Signal, eventually};

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

/// The number in `child NUMBER` of its output, once it is there.
fn printed_pid(running: &Running) -> String {
    eventually(Duration::from_secs(10), "a process id in the output", || {
        let stdout = running.stdout();
        let (_, after) = stdout.split_once("child ")?;
        let (pid, _) = after.split_once('\n')?;
        Some(pid.to_owned())
    })
}

fn wait_for_death(pid: &str) {
    eventually(Duration::from_secs(10), "the end of the child", || {
        // Whoever adopts orphans here reaps it; until then it is a zombie.
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        (stat.is_empty() || stat.contains(") Z ")).then_some(())
    });
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(10))
}

#[test]
fn a_missing_program_is_named() {
    let missing = Program::find("no-such-program").unwrap_err();
    assert_eq!(
        missing.to_string(),
        "the program `no-such-program` is not installed"
    );
}

#[test]
fn output_is_captured_stream_by_stream() {
    let finished = Running::spawn(shell("echo one; echo other >&2; exit 3")).wait();
    assert_eq!(finished.stdout, "one\n");
    assert_eq!(finished.stderr, "other\n");
    assert_eq!(finished.status.code(), Some(3));
}

#[test]
fn output_can_be_waited_for_while_the_program_runs() {
    let mut running = Running::spawn(shell("echo ready; exec cat /dev/zero >/dev/null"));
    running.wait_for_output("ready", soon());
    assert!(running.is_running());
    running.signal(Signal::SIGTERM);
    assert!(!running.wait().status.success());
}

#[test]
fn a_program_that_ends_without_the_text_fails_before_the_deadline() {
    let running = Running::spawn(shell("echo something else"));
    let hour = Deadline::after(Duration::from_secs(3600));
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| running.wait_for_output("ready", hour)));
    assert!(outcome.is_err());
}

#[test]
fn dropping_the_handle_kills_the_program_and_its_children() {
    let running = Running::spawn(shell("cat /dev/zero >/dev/null & echo child $!; wait"));
    let child = printed_pid(&running);
    let leader = running.pid();
    drop(running);
    assert!(!Path::new(&format!("/proc/{leader}")).exists(), "it is reaped");
    wait_for_death(&child);
}

#[test]
fn a_program_dies_with_the_test_process() {
    const INNER: &str = "NSPROXY_TESTKIT_TEST_DYING";
    if env::var_os(INNER).is_some() {
        let running = Running::spawn(shell("echo child $$; exec cat /dev/zero >/dev/null"));
        println!("child {}", printed_pid(&running));
        // The outer run kills this process long before.
        running.wait_until(Deadline::after(Duration::from_secs(3600)));
        return;
    }
    let mut command = Command::new(env::current_exe().expect("a test has a binary"));
    command
        .args(["--exact", "a_program_dies_with_the_test_process", "--nocapture"])
        .env(INNER, "1");
    let inner = Running::spawn(command);
    let child = printed_pid(&inner);
    inner.signal(Signal::SIGKILL);
    wait_for_death(&child);
}

#[test]
fn a_condition_that_never_holds_is_named() {
    let never = || eventually(Duration::from_millis(10), "the moon", || None::<()>);
    let payload = panic::catch_unwind(never).unwrap_err();
    assert!(
        payload
            .downcast_ref::<String>()
            .unwrap()
            .ends_with("in vain for: the moon")
    );
}
