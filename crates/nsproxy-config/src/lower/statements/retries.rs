//! `retries`: attempts to connect.

use crate::lower::args::Args;
use crate::lower::draft::{Draft, Side};
use crate::lower::settings::set;
use crate::lower::sink::Sink;
use crate::lower::table::{Directive, Heredity};
use crate::reference::Doc;

pub(in crate::lower) static ROW: Directive = Directive {
    name: "retries",
    side: Side::Server,
    heredity: Heredity::Setting,
    apply: retries,
    doc: Some(Doc {
        syntax: "retries N",
        default: "3",
        meaning: "Connection attempts after the first, each with a socket and a `timeout connect` of its own: at the same server, after a refusal with a pause of 1 s or `timeout connect` if that is shorter; elsewhere with `option redispatch`.",
        example: "retries 2",
    }),
    parts: Vec::new,
};

fn retries(draft: &mut Draft, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let Some(value) = args.need_number("retries", &(0..=u32::from(u16::MAX)), sink) else {
        return;
    };
    set(
        draft,
        |settings| &mut settings.retries,
        value,
        ("retries", args.span()),
        args,
        sink,
    );
}
