//! The configurations of `examples` give no message and are in the style of `nsproxy config fmt`.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the failure report")]

use std::fs;
use std::path::{Path, PathBuf};

use nsproxy_config::{Source, format, load_with_env};

#[test]
fn every_example_is_accepted_without_a_message() {
    for path in examples() {
        let loaded = load_with_env(&[&path], &|_| None).unwrap_or_else(|report| panic!("{report}"));
        assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    }
}

#[test]
fn every_example_is_in_the_style() {
    for path in examples() {
        let text = fs::read_to_string(&path).unwrap();
        let formatted = format(Source::new(path.display().to_string(), &*text)).unwrap();
        assert!(text == formatted, "{} would be:\n{formatted}", path.display());
    }
}

#[test]
fn the_index_names_every_example() {
    let directory = directory();
    let index = fs::read_to_string(directory.join("README.md")).unwrap();
    for path in examples() {
        let below = path.strip_prefix(&directory).unwrap();
        let first = below.iter().next().unwrap().to_string_lossy();
        assert!(index.contains(&format!("]({first})")), "{first}");
    }
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

/// Also those in directories.
fn examples() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![directory()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|e| e == "cfg") {
                found.push(path);
            }
        }
    }
    assert!(found.len() > 5);
    found
}
