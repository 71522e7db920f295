//! `nsproxy config`, and `nsproxy -c -f` as a user of HAProxy types it. What the style is and what is shown is tested in
//! `nsproxy-config`.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

const CONFIG: &str = "defaults
  timeout connect 1s
  timeout client 1s
  timeout server 1s # a second
listen l
  bind 127.0.0.1:80 namespace \"${NAME-tenant1}\"
  server s 10.0.0.1:80
";

const FORMATTED: &str = "defaults
    timeout connect 1s
    timeout client 1s
    timeout server 1s # a second

listen l
    bind 127.0.0.1:80 namespace \"${NAME-tenant1}\"
    server s 10.0.0.1:80
";

/// A directory with `CONFIG` in `a.cfg`.
fn directory() -> TempDir {
    let directory = TempDir::new().expect("a temporary directory can be made");
    write(directory.path(), "a.cfg", CONFIG);
    directory
}

fn write(directory: &Path, name: &str, text: &str) {
    fs::write(directory.join(name), text).expect("a file can be written");
}

fn read(directory: &TempDir, name: &str) -> String {
    fs::read_to_string(directory.path().join(name)).expect("the file can be read")
}

/// `nsproxy` in this directory.
fn nsproxy(directory: &TempDir, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_nsproxy"))
        .args(arguments)
        .current_dir(directory.path())
        .stdin(Stdio::null())
        .output()
        .expect("nsproxy can be started")
}

/// The standard output of a run that succeeded without a complaint.
#[track_caller]
fn printed(directory: &TempDir, arguments: &[&str]) -> String {
    let output = nsproxy(directory, arguments);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {complaints}");
    assert_eq!(complaints, "", "{arguments:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// The complaints of a run that ended with this code.
#[track_caller]
fn failed(directory: &TempDir, arguments: &[&str], code: i32) -> String {
    let output = nsproxy(directory, arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}");
    String::from_utf8(output.stderr).expect("text")
}

#[test]
fn a_user_of_haproxy_checks_as_there() {
    let directory = directory();
    let here = directory.path().display().to_string();
    for arguments in [
        &["-c", "-f", "a.cfg"][..],
        &["-f", "a.cfg", "-c", "-db"],
        &["-c", "-f", "."],
        &["-c", "--", "a.cfg"],
        &["-C", &here, "-c", "-f", "a.cfg"],
        &["check", "-f", "a.cfg"],
    ] {
        let said = printed(&directory, arguments);
        assert!(
            said.contains("valid: 1 listener, 1 server"),
            "{arguments:?}: {said}"
        );
    }
}

#[test]
fn files_are_read_in_the_order_of_the_command_line() {
    let directory = directory();
    write(directory.path(), "b.cfg", "server t 10.0.0.2:80\n");
    write(directory.path(), "c.cfg", "server u 10.0.0.3:80\n");
    let shown = printed(
        &directory,
        &["config", "show", "-f", "a.cfg", "-f", "b.cfg", "--", "c.cfg"],
    );
    let servers: Vec<&str> = shown
        .lines()
        .filter_map(|line| line.trim().strip_prefix("server "))
        .collect();
    assert_eq!(servers, ["s 10.0.0.1:80", "t 10.0.0.2:80", "u 10.0.0.3:80"]);
}

#[test]
fn without_a_file_or_a_command_there_is_help() {
    let directory = directory();
    assert!(failed(&directory, &[], 2).contains("Usage: nsproxy"));
    assert!(failed(&directory, &["-c"], 2).contains("--file"));
    assert!(failed(&directory, &["-c", "-f", "a.cfg", "-dV"], 2).contains("possible values: b"));
}

#[test]
fn fmt_rewrites_a_file_and_leaves_its_mode() {
    let directory = directory();
    let path = directory.path().join("a.cfg");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("the mode can be set");
    symlink("a.cfg", directory.path().join("link.cfg")).expect("a link can be made");
    assert_eq!(printed(&directory, &["config", "fmt", "link.cfg"]), "");
    assert_eq!(read(&directory, "a.cfg"), FORMATTED);
    let metadata = fs::symlink_metadata(&path).expect("the file is there");
    assert_eq!(metadata.permissions().mode() & 0o777, 0o640);
    let entries = fs::read_dir(directory.path())
        .expect("the directory can be read")
        .count();
    assert_eq!(entries, 2, "something is left behind");
    assert_eq!(printed(&directory, &["config", "fmt", "--check", "a.cfg"]), "");
}

#[test]
fn fmt_check_names_the_files_and_changes_nothing() {
    let directory = directory();
    write(directory.path(), "b.cfg", FORMATTED);
    let said = failed(&directory, &["config", "fmt", "--check", "a.cfg", "b.cfg"], 1);
    assert!(said.contains("a.cfg") && !said.contains("b.cfg"), "{said}");
    assert_eq!(read(&directory, "a.cfg"), CONFIG);
}

#[test]
fn fmt_refuses_what_it_cannot_read() {
    let directory = directory();
    write(directory.path(), "bad.cfg", "listen \"l\n  bind :80\n");
    let said = failed(&directory, &["config", "fmt", "bad.cfg", "a.cfg"], 1);
    assert!(said.contains("bad.cfg:1:8"), "{said}");
    assert_eq!(read(&directory, "a.cfg"), FORMATTED);
    assert!(failed(&directory, &["config", "fmt", "none.cfg"], 1).contains("cannot read none.cfg"));
}

#[test]
fn fmt_of_standard_input_goes_to_standard_output() {
    let directory = directory();
    let output = Command::new(env!("CARGO_BIN_EXE_nsproxy"))
        .args(["config", "fmt", "-"])
        .stdin(fs::File::open(directory.path().join("a.cfg")).expect("the file can be opened"))
        .output()
        .expect("nsproxy can be started");
    assert_eq!(String::from_utf8_lossy(&output.stdout), FORMATTED);
}

#[test]
fn show_resolves_what_is_inherited_and_checks_as_the_same() {
    let directory = directory();
    let shown = printed(&directory, &["config", "show", "-f", "a.cfg"]);
    assert!(
        shown.contains("    bind 127.0.0.1:80 namespace tenant1\n"),
        "{shown}"
    );
    assert!(shown.contains("    timeout client-hs 1s\n"), "{shown}");
    write(directory.path(), "shown.cfg", &shown);
    assert_eq!(printed(&directory, &["config", "show", "-f", "shown.cfg"]), shown);
}

#[test]
fn show_as_json_has_places() {
    let directory = directory();
    let json: Value =
        serde_json::from_str(&printed(&directory, &["config", "show", "--json", "-f", "a.cfg"]))
            .expect("it is JSON");
    assert_eq!(json["backends"][0]["servers"][0]["place"], "a.cfg:7");
    assert_eq!(json["frontends"][0]["timeouts"]["client_hs"], 1000);
}

#[test]
fn show_refuses_a_configuration_that_is_not_valid() {
    let directory = directory();
    write(directory.path(), "bad.cfg", "listen l\n  bnid :80\n");
    let said = failed(&directory, &["config", "show", "-f", "bad.cfg"], 1);
    assert!(said.contains("did you mean `bind`?"), "{said}");
}
