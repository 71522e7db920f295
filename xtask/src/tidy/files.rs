//! The repository's own text files, and the one rule for all of them: nothing is left for later.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::Finding;
use super::code::has_word;

/// Directories with files that are not ours: build output and version control.
const NOT_OURS: [&str; 4] = ["target", ".git", "corpus", "artifacts"];
const TEXT: [&str; 5] = ["rs", "md", "toml", "sh", "yml"];
/// Put together here, so that this file is not its own finding.
const UNFINISHED: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// A text file of the repository.
#[derive(Debug)]
pub(super) struct SourceFile {
    /// Relative to the root of the workspace.
    pub(super) path: PathBuf,
    pub(super) text: String,
}

impl SourceFile {
    pub(super) fn extension(&self) -> Option<&str> {
        self.path.extension()?.to_str()
    }
}

/// Every text file below `root`, in a stable order.
pub(super) fn all(root: &Path) -> anyhow::Result<Vec<SourceFile>> {
    let mut found = Vec::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).with_context(|| directory.display().to_string())? {
            let entry = entry?;
            let path = entry.path();
            let name = entry.file_name();
            if entry.file_type()?.is_dir() {
                if !NOT_OURS.iter().any(|not_ours| name == *not_ours) {
                    directories.push(path);
                }
            } else if path
                .extension()
                .is_some_and(|extension| TEXT.iter().any(|text| extension == *text))
            {
                let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
                found.push(SourceFile {
                    path: path.strip_prefix(root)?.to_owned(),
                    text,
                });
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

/// Work that is left for later belongs in an issue.
pub(super) fn check_unfinished(file: &SourceFile) -> Vec<Finding> {
    let unfinished = |line: &str| UNFINISHED.into_iter().find(|word| has_word(line, word));
    file.text
        .lines()
        .enumerate()
        .filter_map(|(index, line)| {
            Some(Finding::at_line(
                &file.path,
                index,
                format!("{} is left in the text", unfinished(line)?),
            ))
        })
        .collect()
}
