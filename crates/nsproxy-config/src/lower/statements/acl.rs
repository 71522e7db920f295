//! `acl`.

use crate::lower::args::Args;
use crate::lower::draft::{Draft, Side};
use crate::lower::rules::{DraftAcl, test};
use crate::lower::sink::{Sink, shown};
use crate::lower::table::{Directive, Heredity};
use crate::model::Acl;
use crate::reference::Doc;
use crate::report::Diagnostic;
use crate::values::name;

pub(in crate::lower) static ROW: Directive = Directive {
    name: "acl",
    side: Side::Both,
    heredity: Heredity::Rule,
    apply: acl,
    doc: Some(Doc {
        syntax: "acl NAME FETCH[,CONVERTER...] [-i] [-m METHOD] [-f FILE] [--] [PATTERN...]",
        default: "none",
        meaning: "A name for conditions below: it holds when the value matches one of the patterns. Several lines of one name: when one of them does. See [Conditions](#conditions).",
        example: "acl internal src 10.0.0.0/8 fd00::/8",
    }),
    parts: Vec::new,
};

/// Words that conditions use themselves.
const RESERVED: [&str; 5] = ["or", "||", "{", "}", "!"];

fn acl(draft: &mut Draft, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let Some(word) = args.need("acl", "a name and what to compare", sink) else {
        return;
    };
    if let Some((at, c)) = name::forbidden_char(&word.text) {
        let span = word.part(at..at + c.len_utf8());
        let error = Diagnostic::error(
            span,
            format!("`{}` cannot stand in the name of an `acl`", c.escape_default()),
        );
        sink.push(error.with_help(name::RULE));
        return;
    }
    if RESERVED.contains(&&*word.text) {
        sink.error(
            word.span,
            format!(
                "an `acl` cannot be called `{}`: conditions use that word",
                shown(word)
            ),
        );
        return;
    }
    if args
        .need("acl", "a fetch such as `src` behind its name", sink)
        .is_none()
    {
        return;
    }
    let words = args.rest_with_last();
    let own = draft.own_backend();
    let Some((test, needs)) = test(words, &mut draft.rules, own.as_deref(), sink) else {
        // Conditions with this name are no mistakes of their own.
        draft.rules.broken.insert(word.text.clone().into_owned());
        return;
    };
    let rules = &mut draft.rules;
    if let Some(&index) = rules.names.get(&*word.text) {
        let known = &mut rules.acls[index];
        if known.acl.name.is_some() {
            known.acl.tests.push(test);
            known.needs = known.needs.and(needs);
            return;
        }
    }
    rules
        .names
        .insert(word.text.clone().into_owned(), rules.acls.len());
    rules.acls.push(DraftAcl {
        acl: Acl {
            name: Some(word.text.clone().into_owned()),
            tests: vec![test],
        },
        span: word.span,
        is_used: false,
        needs,
    });
}
