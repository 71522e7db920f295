//! The reference of the language: what each keyword means, with an example that works.
//!
//! The rows of the keyword tables hold the text, so that a keyword cannot be added without it. A test compares
//! [`markdown`] with the page in `docs`.

use std::fmt::Write as _;

use crate::lower;

/// What the reference says of a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doc {
    /// How it is written: words as they are, variable parts in capitals.
    pub syntax: &'static str,
    /// What applies without it.
    pub default: &'static str,
    /// What it does.
    pub meaning: &'static str,
    /// A whole line with it that is accepted where it belongs.
    pub example: &'static str,
}

/// Where a keyword may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Home {
    /// First on a line of these sections.
    Sections(&'static [&'static str]),
    /// As an option on a line that begins with this word.
    Line(&'static str),
}

/// One keyword of the language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The keyword; of timeouts, both words.
    pub name: &'static str,
    /// Where it may stand.
    pub home: Home,
    /// What there is to say of it.
    pub doc: &'static Doc,
}

/// Something that a condition can ask of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchDoc {
    /// How it is written.
    pub syntax: &'static str,
    /// Of which kind its value is.
    pub kind: &'static str,
    /// What it is.
    pub meaning: &'static str,
}

impl FetchDoc {
    /// What it is called: the syntax without arguments.
    pub fn name(&self) -> &'static str {
        self.syntax.split('(').next().unwrap_or_default()
    }
}

/// Everything that a condition can ask.
pub fn fetches() -> Vec<FetchDoc> {
    lower::fetch_entries().copied().collect()
}

/// [`fetches`] as a Markdown table.
pub fn fetches_markdown() -> String {
    let mut text = "| fetch | kind | value |\n|---|---|---|\n".to_owned();
    for FetchDoc {
        syntax,
        kind,
        meaning,
    } in fetches()
    {
        _ = writeln!(text, "| `{syntax}` | {kind} | {meaning} |");
    }
    text.push('\n');
    text
}

impl Entry {
    pub(crate) fn new(name: &'static str, home: Home, doc: &'static Doc) -> Self {
        Self { name, home, doc }
    }
}

/// Every keyword that nsproxy understands. The options of a line follow it.
pub fn keywords() -> Vec<Entry> {
    lower::rows()
}

/// The reference as two Markdown tables: the sections that are no proxies, and what proxies have.
pub fn markdown() -> String {
    let mut text = String::new();
    let (outside, proxies): (Vec<_>, Vec<_>) = keywords().into_iter().partition(|entry| {
        matches!(
            entry.home,
            Home::Sections(["global" | "namespace_list" | "resolvers"]) | Home::Line("stats")
        )
    });
    for (title, entries) in [
        ("`global`, `namespace_list` and `resolvers`", outside),
        ("Proxies", proxies),
    ] {
        _ = write!(
            text,
            "### {title}\n\n| keyword | in | meaning | default | example |\n|---|---|---|---|---|\n"
        );
        for Entry { home, doc, .. } in entries {
            let (mark, sections) = match home {
                Home::Sections(sections) => ("", sections.join(", ")),
                Home::Line(_) => ("— ", String::new()),
            };
            let [syntax, example] = [doc.syntax, doc.example].map(|code| code.replace('|', "\\|"));
            _ = writeln!(
                text,
                "| {mark}`{syntax}` | {sections} | {} | {} | `{example}` |",
                doc.meaning, doc.default
            );
        }
        text.push('\n');
    }
    text
}
