//! Rules for Rust sources: where impure and unsafe code may be, how long a file is, what it opens with.

use std::path::Path;

use super::Finding;
use super::code::{code_only, has_word};
use super::files::SourceFile;

/// Everything below is free of descriptors, clocks, threads and the event loop.
const PURE: &str = "crates/nsproxy-engine/src/core";
/// What would make it impure, as words or paths of the code.
const IMPURE: [&str; 17] = [
    "mio",
    "libc",
    "nix",
    "socket2",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "UnixListener",
    "Instant::now",
    "SystemTime",
    "std::thread",
    "std::fs",
    "std::process",
    "std::os",
    "OwnedFd",
    "RawFd",
];
/// Names of the wall clock, which may jump: a timeout that looks at it would end too early, or never.
const WALL_CLOCK: [&str; 5] = [
    "SystemTime",
    "UNIX_EPOCH",
    "CLOCK_REALTIME",
    "ClockId::CLOCK_REALTIME",
    "gettimeofday",
];
/// Where dates are written, and nothing else is done with them.
const DATED: [&str; 5] = [
    "crates/nsproxy-log/",
    "crates/nsproxy-cli/src/log/",
    "crates/nsproxy-cli/src/admin/start.rs",
    "crates/nsproxy-engine/src/worker/facts.rs",
    "benches/src/record.rs",
];
/// What pauses a thread, and the one file of tests that may.
const PAUSES: [&str; 2] = ["thread::sleep", "park_timeout"];
const MAY_PAUSE: &str = "crates/nsproxy-testkit/src/deadline.rs";
/// How a file says why it is there; a library may do so with its README.
const OPENINGS: [&str; 2] = ["//!", "#![doc = include_str!("];
/// Lines of a file under `src`, tests in it included.
const LONGEST: usize = 500;

/// All rules on one file.
pub(super) fn check(file: &SourceFile) -> Vec<Finding> {
    let code = code_only(&file.text);
    let mut findings = Vec::new();
    let is_source = is_in(&file.path, "src");
    if is_source {
        findings.extend(check_shape(file));
    }
    let is_pure = file.path.starts_with(PURE);
    let is_dated = DATED.iter().any(|place| file.path.starts_with(place));
    let may_pause = file.path == Path::new(MAY_PAUSE);
    let may_be_unsafe = is_sys(&file.path) || is_in(&file.path, "fuzz_targets");
    // Files of tests are tests from their first line on.
    let mut is_test = !is_source || is_test_file(&file.path);
    for (index, line) in code.lines().enumerate() {
        let mut report = |message: String| findings.push(Finding::at_line(&file.path, index, message));
        is_test |= line.contains("#[cfg(test)]");
        if is_pure && let Some(word) = IMPURE.into_iter().find(|word| has_word(line, word)) {
            report(format!("`{word}` in the pure core"));
        }
        if is_source
            && !is_dated
            && let Some(word) = WALL_CLOCK.into_iter().find(|word| has_word(line, word))
        {
            report(format!(
                "`{word}`: the wall clock may jump, and is for dates in logs only"
            ));
        }
        // An unsafe attribute, such as the one that fixes a symbol's name, runs no code.
        if !may_be_unsafe && has_word(&line.replace("#[unsafe(", "#[("), "unsafe") {
            report("`unsafe` outside of a `sys` module".to_owned());
        }
        if line.contains("#[ignore") {
            report("an ignored test: let it skip loudly with `require!`".to_owned());
        }
        if is_test && !may_pause && PAUSES.iter().any(|pause| line.contains(pause)) {
            report("a sleeping test: wait for a condition with `eventually`".to_owned());
        }
    }
    findings
}

fn check_shape(file: &SourceFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    let lines = file.text.lines().count();
    if lines >= LONGEST {
        findings.push(Finding::in_file(
            &file.path,
            format!("{lines} lines: split it by concern"),
        ));
    }
    if !OPENINGS.iter().any(|opening| file.text.starts_with(opening)) {
        findings.push(Finding::in_file(
            &file.path,
            "does not open with `//!` and why it is there",
        ));
    }
    findings
}

fn is_in(path: &Path, directory: &str) -> bool {
    path.parent()
        .is_some_and(|parents| parents.iter().any(|part| part == directory))
}

fn is_sys(path: &Path) -> bool {
    is_in(path, "sys") || path.file_name().is_some_and(|name| name == "sys.rs")
}

fn is_test_file(path: &Path) -> bool {
    path.starts_with("crates/nsproxy-testkit")
        || is_in(path, "tests")
        || path.file_stem().is_some_and(|stem| stem == "tests")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, text: &str) -> Vec<String> {
        let file = SourceFile {
            path: path.into(),
            text: text.to_owned(),
        };
        check(&file)
            .into_iter()
            .map(|finding| finding.to_string())
            .collect()
    }

    #[test]
    fn the_wall_clock_is_for_logs() {
        let text = "//! Worker.\nfn f() {\n    let now = SystemTime::now();\n}\n";
        let path = "crates/nsproxy-engine/src/worker/timers.rs";
        assert_eq!(
            messages(path, text),
            [format!(
                "{path}:3: `SystemTime`: the wall clock may jump, and is for dates in logs only"
            )]
        );
        for path in [
            "crates/nsproxy-log/src/clock.rs",
            "crates/nsproxy-cli/tests/e2e/checks.rs",
        ] {
            assert!(messages(path, text).is_empty(), "{path}");
        }
    }

    #[test]
    fn the_pure_core_knows_no_clock() {
        let text = "//! Core.\nfn f() {\n    let now = Instant::now();\n}\n";
        let path = "crates/nsproxy-engine/src/core/flow.rs";
        assert_eq!(
            messages(path, text),
            [format!("{path}:3: `Instant::now` in the pure core")]
        );
        assert!(messages("crates/nsproxy-engine/src/worker/mod.rs", text).is_empty());
    }

    #[test]
    fn unsafe_code_lives_in_sys() {
        let text = "//! Calls.\nfn f() {\n    unsafe { g() };\n}\n";
        assert!(messages("crates/netns-core/src/sys/setns.rs", text).is_empty());
        assert!(messages("crates/netns-core/src/sys.rs", text).is_empty());
        assert_eq!(messages("crates/netns-core/src/enter.rs", text).len(), 1);
        assert_eq!(messages("crates/netns-core/tests/enter.rs", text).len(), 1);
        assert!(messages("crates/netns-core/src/enter.rs", "//! No `unsafe` here.\n").is_empty());
    }

    #[test]
    fn an_unsafe_attribute_is_no_unsafe_code() {
        let text = "//! A symbol.\n#[unsafe(no_mangle)]\nfn f() {}\n";
        assert!(messages("crates/proxy-proto/src/lib.rs", text).is_empty());
    }

    #[test]
    fn long_files_and_files_without_a_purpose_are_found() {
        let long = format!("//! Long.\n{}", "\n".repeat(LONGEST));
        assert_eq!(messages("crates/proxy-proto/src/v1.rs", &long).len(), 1);
        assert_eq!(messages("crates/proxy-proto/src/v1.rs", "fn f() {}\n").len(), 1);
        let readme = "#![doc = include_str!(\"../README.md\")]\n";
        assert!(messages("crates/proxy-proto/src/lib.rs", readme).is_empty());
        assert!(messages("crates/proxy-proto/tests/v1.rs", &long).is_empty());
    }

    #[test]
    fn tests_neither_sleep_nor_are_ignored() {
        let asleep = "//! Waits.\n#[cfg(test)]\nmod tests {\n    fn f() { thread::sleep(X) }\n}\n";
        assert_eq!(messages("crates/proxy-proto/src/v1.rs", asleep).len(), 1);
        let parked = "//! Waits.\nfn f() { thread::park_timeout(X) }\n";
        assert_eq!(messages("crates/proxy-proto/tests/v1.rs", parked).len(), 1);
        assert!(messages(MAY_PAUSE, parked).is_empty());
        let ignored = "#[ignore = \"slow\"]\nfn f() {}\n";
        assert_eq!(messages("crates/proxy-proto/tests/v1.rs", ignored).len(), 1);
    }
}
