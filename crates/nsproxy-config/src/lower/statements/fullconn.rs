//! `fullconn` of a backend.

use crate::lower::args::Args;
use crate::lower::draft::{Draft, Side};
use crate::lower::settings::set;
use crate::lower::sink::Sink;
use crate::lower::table::{Directive, Heredity};
use crate::reference::Doc;

pub(in crate::lower) static ROW: Directive = Directive {
    name: "fullconn",
    side: Side::Server,
    heredity: Heredity::Setting,
    apply: fullconn,
    doc: Some(Doc {
        syntax: "fullconn N",
        default: "a tenth of the `maxconn` of its frontends",
        meaning: "The sessions of the backend, waiting ones included, at which servers with `minconn` get up to their `maxconn`.",
        example: "fullconn 1000",
    }),
    parts: Vec::new,
};

fn fullconn(draft: &mut Draft, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let Some(value) = args.need_number("fullconn", &(0..=u32::MAX), sink) else {
        return;
    };
    set(
        draft,
        |settings| &mut settings.fullconn,
        value,
        ("fullconn", args.span()),
        args,
        sink,
    );
}
