//! Seeds and regressions, from their folders.

use std::fs;
use std::path::{Path, PathBuf};

/// What is kept for a subject, by name: `least` inputs at least, so that an empty folder is not taken for success.
pub(crate) fn inputs(subject: &str, least: usize) -> Vec<(PathBuf, Vec<u8>)> {
    let mut inputs = Vec::new();
    for kind in ["seeds", "regressions"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(kind).join(subject);
        // Version control keeps no empty folder: there may be no regressions.
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            inputs.push((path, bytes));
        }
    }
    assert!(
        inputs.len() >= least,
        "only {} inputs for {subject}",
        inputs.len()
    );
    inputs
}
