//! `maxconn` of a frontend.

use crate::lower::args::Args;
use crate::lower::draft::{Draft, Side};
use crate::lower::settings::set;
use crate::lower::sink::Sink;
use crate::lower::table::{Directive, Heredity};
use crate::reference::Doc;

pub(in crate::lower) static ROW: Directive = Directive {
    name: "maxconn",
    side: Side::Client,
    heredity: Heredity::Setting,
    apply: maxconn,
    doc: Some(Doc {
        syntax: "maxconn N",
        default: "that of `global`",
        meaning: "Most sessions of this frontend at a time. More wait in the kernel's backlog. 0: no limit of its own.",
        example: "maxconn 2000",
    }),
    parts: Vec::new,
};

fn maxconn(draft: &mut Draft, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let Some(value) = args.need_number("maxconn", &(0..=u32::MAX), sink) else {
        return;
    };
    set(
        draft,
        |settings| &mut settings.maxconn,
        value,
        ("maxconn", args.span()),
        args,
        sink,
    );
}
