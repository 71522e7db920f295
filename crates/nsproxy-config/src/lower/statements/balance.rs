//! `balance`.

use crate::keywords;
use crate::lower::args::Args;
use crate::lower::draft::{Draft, Side};
use crate::lower::settings::set;
use crate::lower::sink::{Choice, Sink, shown};
use crate::lower::table::Directive;
use crate::model::Balance;
use crate::reference::Doc;
use crate::syntax::Word;
use crate::values::number;

pub(in crate::lower) static ROW: Directive = Directive {
    name: "balance",
    side: Side::Server,
    is_item: false,
    apply: balance,
    doc: Some(Doc {
        syntax: "balance roundrobin|static-rr|leastconn|first|source|random[(N)]",
        default: "roundrobin",
        meaning: "How a server is chosen, over all workers and by `weight`: each in turn; the same in a fixed order; the one with the fewest sessions; the first one with room; by the client's address; the least busy one of N drawn by lot (2).",
        example: "balance leastconn",
    }),
    parts: Vec::new,
};

fn balance(draft: &mut Draft, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let Some(word) = args.need("balance", "an algorithm", sink) else {
        return;
    };
    if let Some(value) = algorithm(word, sink) {
        set(
            draft,
            |settings| &mut settings.balance,
            value,
            ("balance", args.span()),
            args,
            sink,
        );
    }
}

/// The algorithms that have no argument.
static PLAIN: [(&str, Balance); 6] = [
    ("roundrobin", Balance::RoundRobin),
    ("static-rr", Balance::StaticRoundRobin),
    ("leastconn", Balance::LeastConn),
    ("first", Balance::First),
    ("source", Balance::Source),
    ("random", Balance::Random(DRAWS)),
];

/// More draws than this make no difference.
const MOST_DRAWS: u32 = 256;
/// How many servers `random` draws when it does not say.
const DRAWS: u32 = 2;

fn algorithm(word: &Word<'_>, sink: &mut Sink<'_>) -> Option<Balance> {
    if let Some((_, balance)) = PLAIN.iter().find(|(name, _)| *name == word.text) {
        return Some(*balance);
    }
    let draws = word
        .text
        .strip_prefix("random(")
        .and_then(|rest| rest.strip_suffix(')'));
    if let Some(draws) = draws {
        let parsed = number::parse(draws, &(1..=MOST_DRAWS));
        return parsed
            .map(Balance::Random)
            .map_err(|error| sink.error(word.span, error.to_string()))
            .ok();
    }
    // `random(2)` and `hdr(name)` are known by what stands before the parenthesis.
    let name = word.text.split('(').next().unwrap_or_default();
    if name.len() < word.text.len()
        && let Some(known) = keywords::BALANCE.find(name)
    {
        sink.refuse(word.span, &format!("`balance {name}`"), known.why);
        return None;
    }
    let choice = Choice {
        what: "algorithm",
        section: None,
        supported: &PLAIN.map(|(name, _)| name),
        known: &keywords::BALANCE,
    };
    sink.not_supported(word, &format!("`balance {}`", shown(word)), &choice);
    None
}
