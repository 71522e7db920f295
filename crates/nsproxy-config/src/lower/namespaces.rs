//! The `namespace_list` section: which namespaces a received PROXY header may select.
//!
//! Unlike HAProxy, the list is independent of the namespaces on `bind` and `server` lines and may stand anywhere,
//! and an unknown word in it is an error.

use std::collections::HashMap;
use std::fmt;

use netns_core::{NetnsName, NetnsPattern, NetnsSpec};

use super::args::Args;
use super::sink::{Sink, shown};
use super::statement;
use crate::keywords::Table;
use crate::model::{BindNetns, Config};
use crate::reference::Doc;
use crate::report::Diagnostic;
use crate::source::Span;
use crate::syntax::{Section, Word};

/// What the reference says of the one statement here.
pub(super) static DOC: Doc = Doc {
    syntax: "namespace NAME|PATTERN...",
    default: "none",
    meaning: "A received PROXY header may select these, or each name that matches a pattern: `*` stands for any text, `?` for one byte. No path and no `pid:N`, since that is not what a header carries.",
    example: "namespace blue tenant-*",
};

/// The longest path that the kernel takes, in bytes: `PATH_MAX` without the final NUL.
const LONGEST: usize = 4095;

/// HAProxy knows no other statement here.
static NOTHING_ELSE: Table = Table(&[]);

pub(super) fn section(config: &mut Config, section: &Section<'_>, sink: &mut Sink<'_>) {
    super::bare_header(section, sink);
    let mut seen: HashMap<String, Span> = HashMap::new();
    for line in &section.statements {
        if line.keyword().text != "namespace" {
            statement::unknown(line, "namespace_list", &["namespace"], &NOTHING_ELSE, sink);
            continue;
        }
        let mut args = Args::new(line);
        let mut next = args.need("namespace", "a name", sink);
        while let Some(word) = next {
            if let Some(name) = listed(word, sink) {
                let text = name.to_string();
                let duplicate = Diagnostic::error(word.span, format!("namespace `{text}` is listed twice"));
                if let Some(&first) = seen.get(&text) {
                    sink.push(duplicate.with_related(first, "first listed here"));
                } else if !name.add_to(config) {
                    sink.push(duplicate.with_note("an earlier `namespace_list` has it"));
                } else {
                    seen.insert(text, word.span);
                }
            }
            next = args.next();
        }
    }
}

/// What a word of the list, or of `netns-tlv allow`, stands for.
#[derive(Debug)]
pub(super) enum Listed {
    Name(NetnsName),
    Pattern(NetnsPattern),
}

impl Listed {
    /// Answers `false` when it was there.
    fn add_to(self, config: &mut Config) -> bool {
        match self {
            Self::Name(name) => config.namespace_list.insert(name),
            Self::Pattern(pattern) => config.namespace_patterns.insert(pattern),
        }
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Pattern(pattern) => pattern.fmt(f),
        }
    }
}

fn listed(word: &Word<'_>, sink: &mut Sink<'_>) -> Option<Listed> {
    if is_pattern(word) {
        pattern(word, sink).map(Listed::Pattern)
    } else {
        name(word, sink).map(Listed::Name)
    }
}

/// Whether a word is meant to match names. A path and a process are what they are.
fn is_pattern(word: &Word<'_>) -> bool {
    let text = &*word.text;
    NetnsPattern::is_pattern(text) && text != "*" && !text.starts_with('/') && !text.starts_with("pid:")
}

fn pattern(word: &Word<'_>, sink: &mut Sink<'_>) -> Option<NetnsPattern> {
    match word.text.parse::<NetnsPattern>() {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            let help = "in a pattern, `*` stands for any text and `?` for one byte of a name";
            sink.push(Diagnostic::error(word.span, error.to_string()).with_help(help));
            None
        }
    }
}

/// Where a `bind` line listens.
pub(super) fn of_bind(word: &Word<'_>, sink: &mut Sink<'_>) -> Option<BindNetns> {
    if is_pattern(word) {
        pattern(word, sink).map(BindNetns::Matching)
    } else {
        spec(word, sink).map(BindNetns::Named)
    }
}

/// A namespace by name: a header carries a name, never a path or a process.
fn name(word: &Word<'_>, sink: &mut Sink<'_>) -> Option<NetnsName> {
    let spec = spec(word, sink)?;
    let name = spec.name().cloned();
    if name.is_none() {
        let message = format!("`namespace_list` holds names, and `{}` is not one", shown(word));
        let note = "a PROXY header selects a namespace by its name; paths and `pid:N` are for `bind` and `server` lines";
        sink.push(Diagnostic::error(word.span, message).with_note(note));
    }
    name
}

/// `namespace` and `no-namespace` on one line.
pub(super) fn refuse_both(span: Span, sink: &mut Sink<'_>) {
    sink.error(
        span,
        "`namespace` and `no-namespace` on one line contradict each other",
    );
}

/// A namespace by name, path or process. `*` is not one.
pub(super) fn spec(word: &Word<'_>, sink: &mut Sink<'_>) -> Option<NetnsSpec> {
    if word.text == "*" {
        let error = Diagnostic::error(word.span, "`namespace *` has a meaning only on a `server` line");
        sink.push(
            error
                .with_note("there it is the namespace of the client's connection")
                .with_help("name a namespace; for every one that has a name, write `?*` on a `bind` line or in `namespace_list`"),
        );
        return None;
    }
    if word.text.len() > LONGEST {
        let message = format!(
            "a namespace has at most {LONGEST} bytes, this one has {}",
            word.text.len()
        );
        sink.error(word.span, message);
        return None;
    }
    if is_pattern(word) {
        let message = format!("`{}` is a pattern, and one namespace is wanted here", shown(word));
        let note = "a `bind` line and `namespace_list` take patterns";
        sink.push(Diagnostic::error(word.span, message).with_note(note));
        return None;
    }
    match word.text.parse::<NetnsSpec>() {
        Ok(spec) => Some(spec),
        Err(error) => {
            let help = "write a name as in `ip netns list`, an absolute path, or `pid:N`";
            sink.push(Diagnostic::error(word.span, error.to_string()).with_help(help));
            None
        }
    }
}
