//! `netns-tlv` on a `bind` line: what a received NETNS TLV may do there.
//!
//! Whether there can be a header is checked once the rules of the section are known, in `check_headers`; whether the names are in
//! `namespace_list` once the whole configuration is, in `check_names`.

use std::sync::Arc;

use netns_core::{NetnsName, NetnsPattern};

use crate::lower::args::Args;
use crate::lower::draft::Draft;
use crate::lower::namespaces::Listed;
use crate::lower::sink::{Sink, shown};
use crate::model::{Config, NetnsNames, NetnsTlv};
use crate::report::Diagnostic;
use crate::source::Span;
use crate::syntax::Word;
use crate::values::number::shorten;

/// What the option of one line says.
pub(super) struct Narrowed {
    pub(super) policy: NetnsTlv,
    /// The option's own word.
    pub(super) span: Span,
    /// The names and patterns, each with its place.
    pub(super) names: Vec<(Listed, Span)>,
}

const FORMS: &str = "`allow NAME|PATTERN[,...]`, `require` or `ignore`";

/// `allow NAME|PATTERN[,...] [require]`, `require` or `ignore`. `None` after an error.
pub(super) fn parse(option: &Word<'_>, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) -> Option<Narrowed> {
    let mode = args.need("netns-tlv", FORMS, sink)?;
    let narrowed = |policy, names| Narrowed {
        policy,
        span: option.span,
        names,
    };
    match &*mode.text {
        "ignore" => Some(narrowed(NetnsTlv::Ignore, Vec::new())),
        "require" => {
            let policy = NetnsTlv::Select {
                only: None,
                required: true,
            };
            Some(narrowed(policy, Vec::new()))
        }
        "allow" => {
            let names = names(args.need("netns-tlv allow", "a list of namespaces", sink)?, sink)?;
            let required = args.peek().is_some_and(|word| word.text == "require");
            if required {
                args.next();
            }
            let mut only = NetnsNames::default();
            for (listed, _) in &names {
                match listed {
                    Listed::Name(name) => only.names.insert(name.clone()),
                    Listed::Pattern(pattern) => only.patterns.insert(pattern.clone()),
                };
            }
            let policy = NetnsTlv::Select {
                only: Some(Arc::new(only)),
                required,
            };
            Some(narrowed(policy, names))
        }
        _ => {
            let message = format!("`netns-tlv` cannot be `{}`", shown(mode));
            sink.push(Diagnostic::error(mode.span, message).with_help(format!("write {FORMS}")));
            None
        }
    }
}

/// The names and patterns of a comma-separated list, each with its place.
fn names(word: &Word<'_>, sink: &mut Sink<'_>) -> Option<Vec<(Listed, Span)>> {
    let mut names = Vec::new();
    let mut at = 0;
    for text in word.text.split(',') {
        let span = word.part(at..at + text.len());
        at += text.len() + 1;
        match listed(text) {
            Ok(listed) => names.push((listed, span)),
            Err(error) => {
                let note =
                    "a PROXY header selects a namespace by its name; it carries no path and no `pid:N`";
                sink.push(Diagnostic::error(span, error).with_note(note));
                return None;
            }
        }
    }
    Some(names)
}

/// Options on lines whose connections never begin with a header.
pub(in crate::lower) fn check_headers(drafts: &[Draft], sink: &mut Sink<'_>) {
    for draft in drafts.iter().filter(|draft| !draft.rules.expect_headers()) {
        for span in &draft.narrowed_by_rule {
            let message =
                "`netns-tlv` needs a PROXY header, and nothing says that connections begin with one";
            let help = "add `accept-proxy` to the line, or a rule such as `tcp-request connection expect-proxy layer4 if { src 10.0.0.0/8 }`";
            sink.push(Diagnostic::error(*span, message).with_help(help));
        }
    }
}

fn listed(text: &str) -> Result<Listed, String> {
    if NetnsPattern::is_pattern(text) {
        let pattern = text.parse::<NetnsPattern>().map_err(|error| error.to_string());
        return pattern.map(Listed::Pattern);
    }
    let name = text.parse::<NetnsName>().map_err(|error| error.to_string());
    name.map(Listed::Name)
}

/// Names that `namespace_list` lacks, and patterns that match none of it: the option narrows that list and adds nothing to it.
pub(in crate::lower) fn check_names(drafts: &[Draft], config: &Config, sink: &mut Sink<'_>) {
    let (names, patterns) = (&config.namespace_list, &config.namespace_patterns);
    for (listed, span) in drafts.iter().flat_map(|draft| &draft.narrowed) {
        let is_in_it = match listed {
            Listed::Name(name) => {
                names.contains(name) || patterns.iter().any(|pattern| pattern.matches(name))
            }
            Listed::Pattern(pattern) => {
                names.iter().any(|name| pattern.matches(name))
                    || patterns.iter().any(|other| other.overlaps(pattern))
            }
        };
        if is_in_it {
            continue;
        }
        let shown = shorten(&listed.to_string());
        let error = Diagnostic::error(*span, lacks(listed, &shown))
            .with_note("`netns-tlv allow` narrows what `namespace_list` allows, and adds nothing to it");
        let texts: Vec<String> = names.iter().map(ToString::to_string).collect();
        let near = sink.nearest(&shown, texts.iter().map(String::as_str));
        sink.push(match near {
            Some(near) => error.with_help(format!("did you mean `{near}`?")),
            None => error.with_help(format!("add `namespace {shown}` to a `namespace_list` section")),
        });
    }
}

fn lacks(listed: &Listed, shown: &str) -> String {
    match listed {
        Listed::Name(_) => format!("`namespace_list` does not have `{shown}`"),
        Listed::Pattern(_) => format!("`namespace_list` has nothing that `{shown}` matches"),
    }
}
