//! What the demo says, on standard output.

use std::io::{self, Write as _};

/// Width that text is wrapped to.
const WIDTH: usize = 80;

pub(super) fn title(text: &str) -> io::Result<()> {
    let rule = "─".repeat(WIDTH.saturating_sub(text.chars().count() + 4));
    writeln!(io::stdout(), "\n── {text} {rule}\n")
}

/// Prose, wrapped.
pub(super) fn text(text: &str) -> io::Result<()> {
    let mut line = String::new();
    let mut out = io::stdout().lock();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > WIDTH {
            writeln!(out, "{line}")?;
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    writeln!(out, "{line}")
}

/// As it is, indented.
pub(super) fn verbatim(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out)?;
    for line in text.trim_matches('\n').lines() {
        writeln!(out, "{}", format!("  {line}").trim_end())?;
    }
    writeln!(out)
}

/// One thing that was done, and what came of it.
pub(super) fn result(done: &str, outcome: &str) -> io::Result<()> {
    writeln!(io::stdout(), "  {done}\n    → {outcome}")
}
