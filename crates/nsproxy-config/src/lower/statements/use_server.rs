//! `use-server`.

use crate::keywords::Why;
use crate::lower::args::Args;
use crate::lower::draft::{Draft, Side};
use crate::lower::rules::{DraftUse, condition};
use crate::lower::sink::Sink;
use crate::lower::table::{Directive, Heredity};
use crate::reference::Doc;
use crate::report::Diagnostic;

pub(in crate::lower) static ROW: Directive = Directive {
    name: "use-server",
    side: Side::Server,
    heredity: Heredity::Item,
    apply: use_server,
    doc: Some(Doc {
        syntax: "use-server NAME if|unless CONDITION",
        default: "that of `balance`",
        meaning: "The server of this backend that a connection goes to. The first such line is followed whose condition holds and whose server is up; one without weight is, too. A connection waits for it when it has no room, and once an attempt there has failed, `option redispatch` has it balanced as any other. See [Conditions](#conditions).",
        example: "use-server pool1 if { src 10.0.0.0/8 }",
    }),
    parts: Vec::new,
};

fn use_server(draft: &mut Draft, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let Some(word) = args.need("use-server", "the name of a server", sink) else {
        return;
    };
    if word.text.contains("%[") {
        sink.refuse(word.span, "a server whose name is computed", Why::NotYet);
        return;
    }
    let own = draft.own_backend();
    let Some(read) = condition(args, &mut draft.rules, own.as_deref(), sink) else {
        return;
    };
    if read.condition.is_none() {
        let error = Diagnostic::error(
            word.span.after(),
            "`use-server` needs a condition behind the name",
        );
        sink.push(error.with_help("write `if` or `unless` and a condition"));
        return;
    }
    if let Some(fetch) = read.needs.server.or(read.needs.server_bytes) {
        let message = format!("`{fetch}` has no value here: there is no server yet");
        sink.push(Diagnostic::warning(args.span(), message));
    }
    draft.rules.use_servers.push(DraftUse {
        target: word.text.clone().into_owned(),
        span: word.span,
        condition: read.condition,
        needs: read.needs,
    });
}
