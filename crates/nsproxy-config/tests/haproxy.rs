//! The language is HAProxy's: a real HAProxy accepts the accepted configurations too, and agrees on those of
//! `haproxy_cases.txt`, except where docs/differences.md says so.
//!
//! It runs in a mount and a network namespace of its own, with a private `/run` and the namespaces that the
//! configurations name. A file with a line that begins with `# haproxy` says there why it is left out. Without HAProxy or the
//! privilege to make namespaces the test says so and passes, except where `CI=true`.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the failure report")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nsproxy_config::{Source, parse};

/// The namespaces of the configurations, made where nobody else sees them.
const SET_UP: &str = "mount -t tmpfs nsproxy-test /run && ip link set lo up \
    && for name in 1 2 netns1 netns2 tenant1 tenant2 services vpn guests uplink; do ip netns add $name || exit 1; done";

#[test]
fn haproxy_accepts_what_is_accepted_here() {
    if !can_run("haproxy_accepts_what_is_accepted_here") {
        return;
    }
    let directories = [
        "accept",
        "../../../examples",
        "../../../examples/chained-relays",
        "../../../examples/rootless",
    ];
    let paths = directories.iter().flat_map(|directory| {
        let entries = fs::read_dir(tests(directory)).unwrap();
        entries.map(|entry| entry.unwrap().path())
    });
    let texts = paths
        .filter(|path| path.extension().is_some_and(|e| e == "cfg"))
        .map(|path| (path.display().to_string(), fs::read_to_string(path).unwrap()));
    let texts: Vec<_> = texts
        .filter(|(_, text)| {
            !text
                .lines()
                .any(|line| line.trim_start().starts_with("# haproxy"))
        })
        .collect();
    assert!(texts.len() > 3);
    let verdicts = haproxy(texts.iter().map(|(_, text)| text.as_str()));
    for ((name, _), verdict) in texts.iter().zip(verdicts) {
        assert!(verdict.accepted, "{name}: {}", verdict.said);
    }
}

#[test]
fn haproxy_agrees_except_where_the_differences_say_so() {
    if !can_run("haproxy_agrees_except_where_the_differences_say_so") {
        return;
    }
    let differences = fs::read_to_string(tests("../../../docs/differences.md")).unwrap();
    let cases = cases(&fs::read_to_string(tests("haproxy_cases.txt")).unwrap());
    assert!(cases.len() > 60);
    let mut wrong = Vec::new();
    let verdicts = haproxy(cases.iter().map(|case| case.text.as_str()));
    for (case, verdict) in cases.iter().zip(verdicts) {
        let result = parse(vec![Source::new("case.cfg", &*case.text)], &|name| {
            std::env::var_os(name)
        });
        let here = result.is_ok();
        let reason = result.map_or_else(|report| report.to_string(), |_| String::new());
        if (here, verdict.accepted) != (case.by_nsproxy, case.by_haproxy) {
            wrong.push(format!(
                "{}: nsproxy {here}, HAProxy {}\n{reason}{}",
                case.title, verdict.accepted, verdict.said
            ));
        }
        if let Some(row) = &case.difference
            && !differences
                .lines()
                .any(|line| first_column(line).contains(&**row))
        {
            wrong.push(format!(
                "{}: docs/differences.md has no row about {row}",
                case.title
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn first_column(line: &str) -> &str {
    line.split('|').nth(1).unwrap_or_default()
}

struct Case {
    title: String,
    by_nsproxy: bool,
    by_haproxy: bool,
    /// What the first column of a row of the differences contains.
    difference: Option<String>,
    text: String,
}

/// The cases of a file: `--- both|neither|haproxy|nsproxy ["ROW"]: TITLE`, and the lines below.
fn cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines() {
        let Some(header) = line.strip_prefix("--- ") else {
            if let Some(case) = cases.last_mut() {
                case.text += line;
                case.text.push('\n');
            }
            continue;
        };
        let (who, title) = header.split_once(": ").unwrap();
        let (who, row) = who.split_once(' ').unwrap_or((who, ""));
        let difference = row.strip_prefix('"').and_then(|row| row.strip_suffix('"'));
        let is_one_sided = matches!(who, "haproxy" | "nsproxy");
        assert_eq!(is_one_sided, difference.is_some() || row == "newer", "{header}");
        assert!(is_one_sided || matches!(who, "both" | "neither"), "{header}");
        cases.push(Case {
            title: title.to_owned(),
            by_nsproxy: matches!(who, "both" | "nsproxy"),
            by_haproxy: matches!(who, "both" | "haproxy"),
            difference: difference.map(str::to_owned),
            text: String::new(),
        });
    }
    cases
}

struct Verdict {
    accepted: bool,
    said: String,
}

/// What HAProxy says of each text. All are checked in one set of namespaces.
fn haproxy<'t>(texts: impl Iterator<Item = &'t str>) -> Vec<Verdict> {
    let directory = tempfile::TempDir::new().unwrap();
    let paths: Vec<PathBuf> = texts
        .enumerate()
        .map(|(index, text)| {
            let path = directory.path().join(format!("{index}.cfg"));
            fs::write(&path, text).unwrap();
            path
        })
        .collect();
    let script = "for file; do haproxy -c -f \"$file\" > \"$file.said\" 2>&1; echo $? > \"$file.code\"; done";
    let paths_given: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    let output = in_private_namespaces(&format!("{SET_UP} && {script}"), &paths_given).unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let verdict = |path: &PathBuf| {
        let read = |suffix: &str| fs::read_to_string(format!("{}.{suffix}", path.display())).unwrap();
        Verdict {
            // 2: valid, without a listener.
            accepted: matches!(read("code").trim(), "0" | "2"),
            said: read("said"),
        }
    };
    paths.iter().map(verdict).collect()
}

/// False, with a word about it, where there is no HAProxy or no privilege.
#[expect(clippy::print_stderr, reason = "a test that does nothing has to say so")]
fn can_run(test: &str) -> bool {
    let probe = in_private_namespaces(&format!("{SET_UP} && haproxy -v"), &[]);
    if probe.as_ref().is_ok_and(|output| output.status.success()) {
        return true;
    }
    let reason = probe.map_or_else(|error| error.to_string(), |output| stderr(&output));
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "no HAProxy or no privilege: {reason}"
    );
    eprintln!("SKIPPED {test}: no HAProxy or no privilege: {reason}");
    false
}

fn tests(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(path)
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
