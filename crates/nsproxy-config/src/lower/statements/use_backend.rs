//! `use_backend`.

use crate::keywords::Why;
use crate::lower::args::Args;
use crate::lower::draft::{Draft, Side};
use crate::lower::rules::{DraftUse, condition};
use crate::lower::sink::Sink;
use crate::lower::table::{Directive, Heredity};
use crate::reference::Doc;

pub(in crate::lower) static ROW: Directive = Directive {
    name: "use_backend",
    side: Side::Client,
    heredity: Heredity::Item,
    apply: use_backend,
    doc: Some(Doc {
        syntax: "use_backend NAME [if|unless CONDITION]",
        default: "that of `default_backend`",
        meaning: "The `backend` or `listen` whose servers a connection goes to. The first such line whose condition holds is followed, once `tcp-request content` rules have been. See [Conditions](#conditions).",
        example: "use_backend pool if { dst_port 443 }",
    }),
    parts: Vec::new,
};

fn use_backend(draft: &mut Draft, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let Some(word) = args.need("use_backend", "the name of a backend", sink) else {
        return;
    };
    if word.text.contains("%[") {
        sink.refuse(word.span, "a backend whose name is computed", Why::NotYet);
        return;
    }
    let own = draft.own_backend();
    if let Some(read) = condition(args, &mut draft.rules, own.as_deref(), sink) {
        draft.rules.use_backends.push(DraftUse {
            target: word.text.clone().into_owned(),
            span: word.span,
            condition: read.condition,
            needs: read.needs,
        });
    }
}
