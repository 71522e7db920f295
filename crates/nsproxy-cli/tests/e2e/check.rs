//! `nsproxy check`: exit codes, and what it says about a configuration. It touches no namespace and needs no privilege.

use std::fs;
use std::path::PathBuf;

use nsproxy_testkit::{Finished, Running};
use tempfile::TempDir;

use crate::common::nsproxy;

const GOOD: &str = "defaults
  timeout connect 1s
  timeout client 1s
  timeout server 1s
listen l
  bind 127.0.0.1:80 namespace tenant1
  server s 10.0.0.1:80 namespace tenant2
";

const SEED: &str = "frontend clients
  bind 127.0.0.1:50022 namespace 1 transparent
  default_backend scb

backend server
  mode tcp
  server server1 192.168.122.4:2222 namespace 2 send-proxy-v2
";

/// `nsproxy check` with these files, in this order, each behind a `-f` of its own.
fn check(files: &[(&str, &str)]) -> Finished {
    let directory = TempDir::new().expect("a temporary directory can be made");
    let mut command = nsproxy(&["check"]);
    for (name, contents) in files {
        let path: PathBuf = directory.path().join(name);
        fs::write(&path, contents).expect("a file can be written");
        command.arg("-f").arg(path);
    }
    Running::spawn(command).wait()
}

#[track_caller]
fn has_all(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
}

#[test]
fn a_valid_configuration_is_counted_and_exits_with_0() {
    let output = check(&[("good.cfg", GOOD)]).expect_success();
    has_all(&output, &["valid", "1 listener", "1 server", "no namespace"]);
}

#[test]
fn the_seed_is_refused_as_written_and_the_slip_is_obvious() {
    let errors = check(&[("haproxy.cfg", SEED)]).expect_code(1);
    has_all(
        &errors,
        &[
            "`scb`",
            "/haproxy.cfg:3:19",
            "^^^",
            "backend server",
            "write `default_backend server`",
        ],
    );
}

#[test]
fn the_seed_is_accepted_when_its_slip_is_corrected() {
    let corrected = SEED.replace("default_backend scb", "default_backend server");
    let finished = check(&[("haproxy.cfg", &corrected)]);
    has_all(&finished.stderr, &["warning", "timeout"]);
    finished.expect_success();
}

#[test]
fn every_error_of_a_file_is_shown_with_its_place_and_a_caret() {
    let config = "global
  maxpipes 100
defaults
  mode http
frontend f
  bind 127.0.0.1:99999 acept-proxy
  default_backend b
backend b
  server s 10.0.0.1:80 namespace ../x
  server s 10.0.0.2:80
";
    let errors = check(&[("bad.cfg", config)]).expect_code(1);
    has_all(
        &errors,
        &[
            "/bad.cfg:2:3",
            "maxpipes",
            "/bad.cfg:4:8",
            "/bad.cfg:6:18",
            "acept-proxy",
            "accept-proxy",
            "/bad.cfg:9:34",
            "/bad.cfg:10:10",
            "the configuration is not valid: 6 errors",
        ],
    );
    let carets = errors
        .lines()
        .filter(|line| line.trim_start_matches([' ', '|']).starts_with('^'))
        .count();
    assert!(carets >= 6, "{carets} lines with a caret in:\n{errors}");
}

#[test]
fn several_files_are_read_as_one_configuration() {
    let frontend = "frontend f\n  bind 127.0.0.1:80\n  default_backend b\n  timeout client 1s\n";
    let backend = "backend b\n  server s 10.0.0.1:80\n  timeout connect 1s\n  timeout server 1s\n";
    check(&[("1.cfg", frontend), ("2.cfg", backend)]).expect_success();
    let errors = check(&[("1.cfg", frontend)]).expect_code(1);
    has_all(&errors, &["/1.cfg:3:19", "`b`"]);
}

#[test]
fn an_error_names_the_file_that_it_is_in() {
    let errors = check(&[("1.cfg", GOOD), ("2.cfg", "frontend f\n  bind\n")]).expect_code(1);
    has_all(&errors, &["/2.cfg:2:"]);
    assert!(!errors.contains("/1.cfg:"), "{errors}");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let command = nsproxy(&["check", "-f", "/nonexistent/nsproxy.cfg"]);
    let errors = Running::spawn(command).wait().expect_code(1);
    has_all(&errors, &["/nonexistent/nsproxy.cfg", "No such file"]);
}

#[test]
fn check_without_a_file_shows_the_usage() {
    let errors = Running::spawn(nsproxy(&["check"])).wait().expect_code(2);
    has_all(&errors, &["--file", "Usage"]);
}
