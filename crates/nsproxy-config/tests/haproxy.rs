//! The accepted configurations are HAProxy's language: a real HAProxy accepts them too.
//!
//! It runs in a mount and a network namespace of its own, with a private `/run` and the namespaces that the
//! configurations name. A file that begins with `# haproxy` says why it is left out. Without HAProxy or the
//! privilege to make namespaces the test says so and passes, except where `CI=true`.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the failure report")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The namespaces of the configurations, made where nobody else sees them.
const SET_UP: &str = "mount -t tmpfs nsproxy-test /run && ip link set lo up \
    && for name in 1 2 netns1 netns2; do ip netns add $name || exit 1; done";

#[test]
fn haproxy_accepts_what_is_accepted_here() {
    let probe = in_private_namespaces(&format!("{SET_UP} && haproxy -v"), &[]);
    if !probe.as_ref().is_ok_and(|output| output.status.success()) {
        let reason = probe.map_or_else(|error| error.to_string(), |output| stderr(&output));
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "no HAProxy or no privilege: {reason}"
        );
        eprintln!("SKIPPED haproxy_accepts_what_is_accepted_here: no HAProxy or no privilege: {reason}");
        return;
    }
    let mut compared = 0;
    for path in accepted() {
        if fs::read_to_string(&path).unwrap().starts_with("# haproxy") {
            continue;
        }
        let output =
            in_private_namespaces(&format!("{SET_UP} && exec haproxy -c -f \"$1\""), &[&path]).unwrap();
        assert!(output.status.success(), "{}: {}", path.display(), stderr(&output));
        compared += 1;
    }
    assert!(compared > 3);
}

fn accepted() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/accept");
    fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect()
}

/// Runs a shell script in new namespaces, which end with it.
fn in_private_namespaces(script: &str, arguments: &[&Path]) -> std::io::Result<Output> {
    let mut command = Command::new("unshare");
    command.args([
        "--mount",
        "--propagation",
        "private",
        "--net",
        "sh",
        "-c",
        script,
        "sh",
    ]);
    command.args(arguments).output()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
