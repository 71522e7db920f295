//! `rate-limit sessions`.

use crate::lower::args::Args;
use crate::lower::draft::{Draft, Side};
use crate::lower::settings::set;
use crate::lower::sink::{Sink, shown};
use crate::lower::table::{Directive, Heredity};
use crate::reference::Doc;
use crate::report::Diagnostic;

pub(in crate::lower) static ROW: Directive = Directive {
    name: "rate-limit",
    side: Side::Client,
    heredity: Heredity::Setting,
    apply: rate_limit,
    doc: Some(Doc {
        syntax: "rate-limit sessions N",
        default: "no limit",
        meaning: "Most sessions of this frontend that begin in a second. More wait in the kernel's backlog. 0: no limit.",
        example: "rate-limit sessions 100",
    }),
    parts: Vec::new,
};

fn rate_limit(draft: &mut Draft, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let Some(what) = args.need("rate-limit", "`sessions` and a number", sink) else {
        return;
    };
    if what.text != "sessions" {
        let error = Diagnostic::error(what.span, format!("there is no `rate-limit {}`", shown(what)));
        sink.push(error.with_help("write `rate-limit sessions N`"));
        return;
    }
    let Some(value) = args.need_number("rate-limit sessions", &(0..=u32::MAX), sink) else {
        return;
    };
    set(
        draft,
        |settings| &mut settings.session_rate,
        value,
        ("rate-limit", args.span()),
        args,
        sink,
    );
}
