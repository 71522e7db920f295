//! Links of Markdown files to files of the repository lead somewhere.
//!
//! Links to the web are not followed, and a fragment after `#` is not looked for.

use std::path::Path;

use super::Finding;
use super::files::SourceFile;

/// A finding for each relative link whose target does not exist below `root`.
pub(super) fn check(root: &Path, file: &SourceFile) -> Vec<Finding> {
    let directory = root.join(&file.path);
    let directory = directory.parent().unwrap_or(root);
    let mut findings = Vec::new();
    let mut is_code = false;
    for (index, line) in file.text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            for target in targets(line)
                .into_iter()
                .filter(|target| !exists(directory, target))
            {
                findings.push(Finding::at_line(
                    &file.path,
                    index,
                    format!("`{target}` is not there"),
                ));
            }
        }
    }
    findings
}

fn exists(directory: &Path, target: &str) -> bool {
    let path = target.split('#').next().unwrap_or_default();
    // Only a fragment: this file. A scheme: not a file.
    path.is_empty() || path.starts_with("mailto:") || path.contains("://") || directory.join(path).exists()
}

/// The targets of `[text](target)`, `[text](target "title")` and `[label]: target` on a line.
fn targets(line: &str) -> Vec<&str> {
    // Every second part is between backticks.
    let mut targets: Vec<&str> = line
        .split('`')
        .step_by(2)
        .flat_map(|text| text.split("](").skip(1))
        .filter_map(|rest| rest.split([')', ' ']).next())
        .collect();
    // A target whose text was in backticks starts the part after them: `](target)`.
    if let Some((label, target)) = line.trim_start().split_once("]: ")
        && label.starts_with('[')
        && !label.starts_with("[^")
    {
        targets.extend(target.split_whitespace().next());
    }
    targets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_link_is_read() {
        let line = "See [one](a.md#part), [`two`](b.md \"title\") and ![three](c.png).";
        assert_eq!(targets(line), ["a.md#part", "b.md", "c.png"]);
        assert_eq!(targets("[four]: d.md"), ["d.md"]);
        assert!(targets("`[five](e.md)` is code").is_empty());
        assert!(targets("[^1]: a note").is_empty());
    }

    #[test]
    fn only_links_into_nothing_are_found() {
        let root = tempfile::tempdir().expect("a directory can be made");
        std::fs::write(root.path().join("there.md"), "").expect("a file can be written");
        let text = "[a](there.md) [b](there.md#x) [c](#x) [d](https://e.org) [f](gone.md)\n\
                    ```\n[g](also-gone.md)\n```\n";
        let file = SourceFile {
            path: "README.md".into(),
            text: text.to_owned(),
        };
        let findings: Vec<String> = check(root.path(), &file)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(findings, ["README.md:1: `gone.md` is not there"]);
    }
}
