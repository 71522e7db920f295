//! `default_backend`.

use std::rc::Rc;

use crate::lower::args::Args;
use crate::lower::draft::{Draft, Side};
use crate::lower::settings::set;
use crate::lower::sink::Sink;
use crate::lower::table::{Directive, Heredity};
use crate::reference::Doc;

pub(in crate::lower) static ROW: Directive = Directive {
    name: "default_backend",
    side: Side::Client,
    heredity: Heredity::Setting,
    apply: default_backend,
    doc: Some(Doc {
        syntax: "default_backend NAME",
        default: "in `listen` the section's own servers; in `frontend` none: connections are closed, and a warning says so",
        meaning: "The `backend` or `listen` whose servers the connections go to.",
        example: "default_backend pool",
    }),
    parts: Vec::new,
};

fn default_backend(draft: &mut Draft, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let Some(word) = args.need("default_backend", "the name of a backend", sink) else {
        return;
    };
    set(
        draft,
        |settings| &mut settings.default_backend,
        Rc::from(&*word.text),
        ("default_backend", word.span),
        args,
        sink,
    );
}
