//! `netns-tlv` on a `bind` line: what a received NETNS TLV may do there.
//!
//! Whether there can be a header is checked once the rules of the section are known, in `check_headers`; whether the names are in
//! `namespace_list` once the whole configuration is, in `check_names`.

use std::collections::BTreeSet;
use std::sync::Arc;

use netns_core::{NetnsName, NetnsPattern};

use crate::lower::args::Args;
use crate::lower::draft::Draft;
use crate::lower::sink::{Sink, shown};
use crate::model::{Config, NetnsTlv};
use crate::report::Diagnostic;
use crate::source::Span;
use crate::syntax::Word;
use crate::values::number::shorten;

/// What the option of one line says.
pub(super) struct Narrowed {
    pub(super) policy: NetnsTlv,
    /// The option's own word.
    pub(super) span: Span,
    /// The names, each with its place.
    pub(super) names: Vec<(NetnsName, Span)>,
}

const FORMS: &str = "`allow NAME[,NAME...]`, `require` or `ignore`";

/// `allow NAME[,NAME...] [require]`, `require` or `ignore`. `None` after an error.
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
            let only: BTreeSet<_> = names.iter().map(|(name, _)| name.clone()).collect();
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

/// The names of a comma-separated list, each with its place.
fn names(word: &Word<'_>, sink: &mut Sink<'_>) -> Option<Vec<(NetnsName, Span)>> {
    let mut names = Vec::new();
    let mut at = 0;
    for text in word.text.split(',') {
        let span = word.part(at..at + text.len());
        at += text.len() + 1;
        if NetnsPattern::is_pattern(text) {
            let message = format!(
                "`netns-tlv allow` takes names, and `{}` is a pattern",
                shorten(text)
            );
            let help = "name those that may be selected here; patterns stand in `namespace_list`";
            sink.push(Diagnostic::error(span, message).with_help(help));
            return None;
        }
        match text.parse::<NetnsName>() {
            Ok(name) => names.push((name, span)),
            Err(error) => {
                let note =
                    "a PROXY header selects a namespace by its name; it carries no path and no `pid:N`";
                sink.push(Diagnostic::error(span, error.to_string()).with_note(note));
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

/// Names that `namespace_list` lacks: the option narrows that list and adds nothing to it.
pub(in crate::lower) fn check_names(drafts: &[Draft], config: &Config, sink: &mut Sink<'_>) {
    let list = &config.namespace_list;
    let listed: Vec<String> = list.iter().map(ToString::to_string).collect();
    for (name, span) in drafts.iter().flat_map(|draft| &draft.narrowed) {
        let matches = |pattern: &NetnsPattern| pattern.matches(name);
        if list.contains(name) || config.namespace_patterns.iter().any(matches) {
            continue;
        }
        let shown = shorten(&name.to_string());
        let error = Diagnostic::error(*span, format!("`namespace_list` does not have `{shown}`"))
            .with_note("`netns-tlv allow` narrows what `namespace_list` allows, and adds nothing to it");
        let near = sink.nearest(&shown, listed.iter().map(String::as_str));
        sink.push(match near {
            Some(near) => error.with_help(format!("did you mean `{near}`?")),
            None => error.with_help(format!("add `namespace {shown}` to a `namespace_list` section")),
        });
    }
}
