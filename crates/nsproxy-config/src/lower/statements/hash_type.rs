//! `hash-type`.

use crate::keywords::Table;
use crate::lower::args::Args;
use crate::lower::draft::{Draft, Side};
use crate::lower::settings::set;
use crate::lower::sink::{Choice, Sink, shown};
use crate::lower::table::{Directive, Heredity};
use crate::model::HashType;
use crate::reference::Doc;

pub(in crate::lower) static ROW: Directive = Directive {
    name: "hash-type",
    side: Side::Server,
    heredity: Heredity::Setting,
    apply: hash_type,
    doc: Some(Doc {
        syntax: "hash-type map-based|consistent",
        default: "map-based",
        meaning: "How `balance source` finds a server: by a map of all, or on a ring, where only the clients of a server that goes move. HAProxy's hash functions and modifiers behind it are not supported.",
        example: "hash-type consistent",
    }),
    parts: Vec::new,
};

fn hash_type(draft: &mut Draft, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let Some(word) = args.need("hash-type", "`map-based` or `consistent`", sink) else {
        return;
    };
    let value = match &*word.text {
        "map-based" => HashType::MapBased,
        "consistent" => HashType::Consistent,
        _ => {
            let choice = Choice {
                what: "type of hash",
                section: None,
                supported: &["map-based", "consistent"],
                known: &Table(&[]),
            };
            sink.not_supported(word, &format!("`hash-type {}`", shown(word)), &choice);
            return;
        }
    };
    set(
        draft,
        |settings| &mut settings.hash_type,
        value,
        ("hash-type", args.span()),
        args,
        sink,
    );
}
