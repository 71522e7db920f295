//! Whole configurations: those accepted, those with warnings, and those refused, with the messages in full.
//!
//! `tests/accept` must give no message at all. Beside each file of `tests/warn` and `tests/reject` stands an
//! `.expected` file with its messages; run with `NSPROXY_UPDATE_EXPECTED=1` to write them anew, then read them.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the failure report")]

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use nsproxy_config::{Loaded, Report, Severity, Source, parse};

#[test]
fn accepted_configurations_give_no_message() {
    for path in configurations("accept") {
        match parse_file(&path) {
            Ok(loaded) => assert!(loaded.warnings.is_empty(), "{}", loaded.warnings),
            Err(report) => panic!("{report}"),
        }
    }
}

#[test]
fn doubtful_configurations_give_their_warnings() {
    for path in configurations("warn") {
        match parse_file(&path) {
            Ok(loaded) => {
                assert_eq!(loaded.warnings.count(Severity::Error), 0);
                compare(&path, &loaded.warnings);
            }
            Err(report) => panic!("{report}"),
        }
    }
}

#[test]
fn refused_configurations_give_all_their_errors() {
    for path in configurations("reject") {
        let report = parse_file(&path).expect_err(&path.display().to_string());
        assert!(report.has_errors());
        compare(&path, &report);
    }
}

fn configurations(kind: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(kind);
    let entries = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = entries
        .filter(|path| path.extension().is_some_and(|e| e == "cfg"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty());
    paths
}

fn parse_file(path: &Path) -> Result<Loaded, Report> {
    // The bare file name, so that messages are the same everywhere.
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    parse(vec![Source::new(name, fs::read(path).unwrap())], &no_env)
}

fn no_env(_: &str) -> Option<OsString> {
    None
}

fn compare(path: &Path, report: &Report) {
    let expected_path = path.with_extension("expected");
    let actual = report.to_string();
    if std::env::var_os("NSPROXY_UPDATE_EXPECTED").is_some() {
        fs::write(&expected_path, actual).unwrap();
        return;
    }
    let expected = fs::read_to_string(&expected_path).unwrap_or_default();
    assert!(
        actual == expected,
        "{} does not match:\n{actual}",
        expected_path.display()
    );
}
