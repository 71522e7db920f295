//! What a package installs beside the program: manual pages and completions, read by the programs that they are for.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the failure report")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nsproxy_testkit::{Program, require};
use tempfile::TempDir;

const NSPROXY: &str = env!("CARGO_BIN_EXE_nsproxy");

/// What `nsproxy man` writes.
const PAGES: [&str; 3] = ["man1/nsproxy.1", "man1/nsproxy-netns.1", "man5/nsproxy.cfg.5"];

/// Standard output and error of a command that succeeds.
#[track_caller]
fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    assert!(output.status.success(), "{command:?}: {text}");
    text
}

/// The script of a shell, as a file.
fn completions(shell: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(shell);
    let script = output(Command::new(NSPROXY).args(["completions", shell]));
    fs::write(&path, script).unwrap();
    (directory, path)
}

/// What bash offers for the last of these words.
fn offered_by_bash(bash: &Program, script: &Path, words: &[&str]) -> Vec<String> {
    let code = "source \"$1\"; shift; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); \
                _nsproxy nsproxy \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD - 1]}\"; \
                printf '%s\\n' \"${COMPREPLY[@]}\"";
    let mut command = bash.command();
    command
        .args(["--norc", "-c", code, "bash"])
        .arg(script)
        .args(words);
    output(&mut command).lines().map(str::to_owned).collect()
}

#[test]
fn the_pages_please_a_strict_reader() {
    let mandoc = require!(Program::find("mandoc"));
    let directory = tempfile::tempdir().unwrap();
    let made = directory.path().join("man");
    output(Command::new(NSPROXY).arg("man").arg(&made));
    for page in PAGES {
        let page = made.join(page);
        let complaints = output(mandoc.command().args(["-T", "lint", "-W", "warning"]).arg(&page));
        assert_eq!(complaints, "", "{}", page.display());
        let text = output(mandoc.command().args(["-T", "html"]).arg(&page));
        assert!(text.contains("id=\"SEE_ALSO\""), "{text}");
    }
}

#[test]
fn the_pages_are_formatted_without_a_warning() {
    let man = require!(Program::find("man"));
    // What it formats them with, which is another package.
    require!(Program::find("groff"));
    let directory = tempfile::tempdir().unwrap();
    let made = directory.path().join("man");
    output(Command::new(NSPROXY).arg("man").arg(&made));
    for page in PAGES {
        let mut command = man.command();
        command.args(["--warnings", "-E", "UTF-8", "-Tutf8", "-Z", "-l"]);
        // As Debian's lintian looks at them.
        command
            .env("LC_ALL", "C.UTF-8")
            .env("MANROFFSEQ", "")
            .env("MANWIDTH", "80");
        let formatted = command.arg(made.join(page)).output().unwrap();
        let complaints = String::from_utf8_lossy(&formatted.stderr);
        assert_eq!(complaints, "", "{page}");
        assert!(
            formatted.status.success() && !formatted.stdout.is_empty(),
            "{page}"
        );
    }
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let output = Command::new(NSPROXY)
        .args(["man", "/proc/nowhere"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("/proc/nowhere"), "{said}");
}

#[test]
fn bash_completes_commands_subcommands_kinds_and_options() {
    let bash = require!(Program::find("bash"));
    let (_directory, script) = completions("bash");
    let offered = |words: &[&str]| offered_by_bash(&bash, &script, words);
    assert_eq!(offered(&["nsproxy", "fo"]), ["forward"]);
    assert_eq!(
        offered(&["nsproxy", "forward", "--send-"]),
        ["--send-proxy", "--send-proxy-v2"]
    );
    assert_eq!(offered(&["nsproxy", "completions", "f"]), ["fish"]);
    assert_eq!(offered(&["nsproxy", "netns", "un"]), ["unshare"]);
    assert_eq!(offered(&["nsproxy", "netns", "--js"]), ["--json"]);
    assert_eq!(offered(&["nsproxy", "netns", "link", "add", "mac"]), ["macvlan"]);
    assert_eq!(
        offered(&["nsproxy", "netns", "link", "set", "v0", "nom"]),
        ["nomaster"]
    );
    let all = offered(&["nsproxy", ""]);
    for command in [
        "run",
        "check",
        "config",
        "forward",
        "header",
        "netns",
        "completions",
        "man",
        "demo",
    ] {
        assert!(all.iter().any(|word| word == command), "{command} in {all:?}");
    }
}

#[test]
fn fish_completes_commands_and_subcommands() {
    let fish = require!(Program::find("fish"));
    let (directory, script) = completions("fish");
    let offered = |line: &str| {
        let mut command = fish.command();
        command
            .args(["--no-config", "-c"])
            .arg("source $argv[1]; complete -C $argv[2]")
            .arg(&script)
            .arg(line)
            .env("HOME", directory.path());
        output(&mut command)
    };
    assert!(offered("nsproxy forw").starts_with("forward"));
    assert!(offered("nsproxy netns unsh").starts_with("unshare"));
    assert!(offered("nsproxy netns link se").starts_with("set"));
}

#[test]
fn zsh_reads_its_script_and_knows_the_function() {
    let zsh = require!(Program::find("zsh"));
    let (_directory, script) = completions("zsh");
    output(zsh.command().args(["-f", "-n"]).arg(&script));
    // As a file of `fpath` is loaded; completing itself needs a terminal.
    let code =
        "autoload -Uz compinit; compinit -D; source $1; print $+functions[_nsproxy] ${_comps[nsproxy]}";
    let loaded = output(zsh.command().args(["-f", "-c", code, "zsh"]).arg(&script));
    assert_eq!(loaded, "1 _nsproxy\n");
}
