//! `backlog` of a frontend.

use std::num::NonZeroU32;

use crate::lower::args::Args;
use crate::lower::draft::{Draft, Side};
use crate::lower::settings::set;
use crate::lower::sink::Sink;
use crate::lower::table::{Directive, Heredity};
use crate::reference::Doc;

pub(in crate::lower) static ROW: Directive = Directive {
    name: "backlog",
    side: Side::Client,
    heredity: Heredity::Setting,
    apply: backlog,
    doc: Some(Doc {
        syntax: "backlog N",
        default: "65535",
        meaning: "How many connections may wait in the kernel's backlog of each socket; no more than `net.core.somaxconn` of the namespace allows. 0: the default.",
        example: "backlog 10000",
    }),
    parts: Vec::new,
};

fn backlog(draft: &mut Draft, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let Some(value) = args.need_number("backlog", &(0..=i32::MAX.unsigned_abs()), sink) else {
        return;
    };
    set(
        draft,
        |settings| &mut settings.backlog,
        NonZeroU32::new(value),
        ("backlog", args.span()),
        args,
        sink,
    );
}
