//! Formats of logs, identifiers and TLVs: text with variables and expressions in it.

use std::collections::HashSet;

use nsproxy_log::Template;

use super::draft::Draft;
use super::rules::{Asked, DraftRules, Needed, WAIT_HELP, check_asked, expression};
use super::sink::Sink;
use crate::model::Format;
use crate::report::Diagnostic;
use crate::source::Span;
use crate::syntax::Word;

/// A format that was read.
#[derive(Debug, Clone)]
pub(super) struct DraftFormat {
    pub(super) format: Format,
    /// Backends and servers that its expressions ask about.
    pub(super) asked: Vec<Asked>,
    pub(super) needs: Needed,
}

/// Takes a format. `own` is the name of the section, if it has servers.
pub(super) fn format(word: &Word<'_>, own: Option<&str>, sink: &mut Sink<'_>) -> Option<DraftFormat> {
    let template = match word.text.parse::<Template>() {
        Ok(template) => template,
        Err(error) => {
            let part = &word.text[error.at.clone()];
            let candidates = error.candidates();
            let near = sink.nearest(part, candidates.iter().map(String::as_str));
            let diagnostic = Diagnostic::error(word.part(error.at.clone()), error.to_string());
            sink.push(match near {
                Some(near) => diagnostic.with_help(format!("did you mean `{near}`?")),
                None => diagnostic,
            });
            return None;
        }
    };
    let mut rules = DraftRules::default();
    let mut needs = Needed::default();
    let mut expressions = Vec::new();
    for at in template.expressions() {
        let part = word.sub(at.clone());
        let read = expression(&part, &mut rules, own, sink)?;
        if let Some(fetch) = read.needs.server_bytes {
            let message = format!("`{fetch}` has no value here: what a server sends is not kept");
            sink.push(
                Diagnostic::error(part.span, message)
                    .with_help("decide by it in `tcp-response content` rules; `%B` is how much it was"),
            );
            return None;
        }
        needs = needs.and(read.needs);
        expressions.push(read.expression);
    }
    Some(DraftFormat {
        format: Format::new(template, expressions),
        asked: rules.asked,
        needs,
    })
}

/// What the formats of frontends ask about, and whether it will be there. A `defaults` that many use is reported once.
pub(super) fn check<'d>(drafts: &[Draft], find: impl Fn(&str) -> Option<&'d Draft>, sink: &mut Sink<'_>) {
    let mut seen: HashSet<Span> = HashSet::new();
    for draft in drafts.iter().filter(|draft| draft.is_frontend()) {
        for set in draft.settings.formats() {
            if !seen.insert(set.span) {
                continue;
            }
            check_asked(&set.value.asked, &find, sink);
            if let Some(fetch) = set.value.needs.client_bytes
                && draft.rules.content.is_empty()
                && set.section == draft.section
            {
                let message = format!(
                    "`{fetch}` has no value here but by chance: nothing waits for what the client sends"
                );
                sink.push(Diagnostic::warning(set.span, message).with_help(WAIT_HELP));
            }
        }
    }
}
