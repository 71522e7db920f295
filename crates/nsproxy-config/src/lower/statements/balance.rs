//! `balance`.

use crate::keywords;
use crate::lower::args::Args;
use crate::lower::draft::{Draft, Side};
use crate::lower::settings::set;
use crate::lower::sink::{Choice, Sink, shown};
use crate::lower::table::Directive;
use crate::model::Balance;
use crate::reference::Doc;

pub(in crate::lower) static ROW: Directive = Directive {
    name: "balance",
    side: Side::Server,
    is_item: false,
    apply: balance,
    doc: Some(Doc {
        syntax: "balance roundrobin",
        default: "roundrobin",
        meaning: "How a server is chosen: each in turn, over all workers.",
        example: "balance roundrobin",
    }),
    parts: Vec::new,
};

fn balance(draft: &mut Draft, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let Some(word) = args.need("balance", "an algorithm", sink) else {
        return;
    };
    if word.text == "roundrobin" {
        set(
            draft,
            |settings| &mut settings.balance,
            Balance::RoundRobin,
            ("balance", args.span()),
            args,
            sink,
        );
        return;
    }
    // `random(2)` and `hdr(name)` are known by what stands before the parenthesis.
    let name = word.text.split('(').next().unwrap_or_default();
    if name.len() < word.text.len()
        && let Some(known) = keywords::BALANCE.find(name)
    {
        sink.refuse(word.span, &format!("`balance {name}`"), known.why);
        return;
    }
    let choice = Choice {
        what: "algorithm",
        section: None,
        supported: &["roundrobin"],
        known: &keywords::BALANCE,
    };
    sink.not_supported(word, &format!("`balance {}`", shown(word)), &choice);
}
