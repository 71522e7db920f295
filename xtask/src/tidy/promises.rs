//! What is promised in `docs/netns-cases.md` and `docs/operation-cases.md`: each row names tests that exist, and no row is lost.
//!
//! A reference is `PLACE/FILE::TEST`, such as `command/names::TEST`. That the test shows what the row says is for a reader to
//! judge; that it is there, and is a test, is checked here.

use std::fs;
use std::path::Path;

use super::Finding;
use super::files::SourceFile;

const PAGES: [&str; 2] = ["docs/netns-cases.md", "docs/operation-cases.md"];
/// What the first part of a reference stands for.
const PLACES: [(&str, &str); 6] = [
    ("command/", "crates/nsproxy-cli/tests/netns"),
    ("program/", "crates/nsproxy-cli/tests/e2e"),
    ("installed/", "crates/nsproxy-cli/tests"),
    ("engine/", "crates/nsproxy-engine/tests"),
    ("log/", "crates/nsproxy-log/tests"),
    ("library/", "crates/netns-core/tests"),
];

/// A finding for each reference to no test, and each row without one or without its number.
pub(super) fn check(root: &Path, file: &SourceFile) -> Vec<Finding> {
    if !PAGES.iter().any(|page| file.path == Path::new(page)) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let mut last = 0;
    for (index, line) in file.text.lines().enumerate() {
        let Some((number, row)) = row(line) else { continue };
        let mut find = |message: String| findings.push(Finding::at_line(&file.path, index, message));
        if number != last + 1 {
            find(format!("row {number} follows row {last}"));
        }
        last = number;
        let references: Vec<_> = code(row).filter_map(reference).collect();
        if references.is_empty() {
            find(format!("row {number} names no test"));
        }
        for (path, test) in references {
            if !has_test(&root.join(&path), test) {
                find(format!("there is no test `{test}` in {path}"));
            }
        }
    }
    if last == 0 {
        findings.push(Finding::in_file(&file.path, "no row is there"));
    }
    findings
}

/// The number and the rest of a row of a table, unless it is its head.
fn row(line: &str) -> Option<(usize, &str)> {
    let (number, rest) = line.strip_prefix("| ")?.split_once(" | ")?;
    Some((number.trim().parse().ok()?, rest))
}

/// What stands between backticks.
fn code(row: &str) -> impl Iterator<Item = &str> {
    row.split('`').skip(1).step_by(2)
}

/// The file and the name of the test that is meant.
fn reference(code: &str) -> Option<(String, &str)> {
    let (place, test) = code.split_once("::")?;
    let (name, directory) = PLACES.iter().find(|(name, _)| place.starts_with(name))?;
    Some((format!("{directory}/{}.rs", &place[name.len()..]), test))
}

/// Whether the file has a function of this name that is a test. Between the two may be other attributes.
fn has_test(path: &Path, test: &str) -> bool {
    let Ok(text) = fs::read_to_string(path) else {
        return false;
    };
    let start = format!("fn {test}(");
    let mut is_test = false;
    for line in text.lines() {
        if line == "#[test]" {
            is_test = true;
        } else if line.starts_with(&start) {
            return is_test;
        } else if !line.starts_with("#[") && !line.starts_with("//") {
            is_test = false;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_names_no_test_or_was_lost_is_found() {
        let root = tempfile::tempdir().expect("a directory can be made");
        let tests = root.path().join("crates/netns-core/tests");
        fs::create_dir_all(&tests).expect("a directory can be made");
        let source = "#[test]\nfn it_works() {}\n\nfn it_helps() {}\n";
        fs::write(tests.join("enter.rs"), source).expect("a file can be written");
        let text = "| | promise | shown by |\n|---|---|---|\n\
                    | 1 | all is well in `std::fs` | `library/enter::it_works` |\n\
                    | 2 | not a test | `library/enter::it_helps` |\n\
                    | 3 | not there | `library/enter::it_works`, `library/leave::it_works` |\n\
                    | 5 | nothing | a look |\n";
        let file = SourceFile {
            path: PAGES[0].into(),
            text: text.to_owned(),
        };
        let findings: Vec<String> = check(root.path(), &file)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            findings,
            [
                "docs/netns-cases.md:4: there is no test `it_helps` in crates/netns-core/tests/enter.rs",
                "docs/netns-cases.md:5: there is no test `it_works` in crates/netns-core/tests/leave.rs",
                "docs/netns-cases.md:6: row 5 follows row 3",
                "docs/netns-cases.md:6: row 5 names no test",
            ]
        );
    }

    #[test]
    fn other_pages_may_have_tables_of_their_own() {
        let file = SourceFile {
            path: "docs/performance.md".into(),
            text: "| 7 | a row |\n".to_owned(),
        };
        assert!(check(Path::new("/nowhere"), &file).is_empty());
    }
}
