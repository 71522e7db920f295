//! `balance`.

use crate::keywords;
use crate::lower::args::Args;
use crate::lower::draft::{Draft, Side};
use crate::lower::rules::{self, DraftRules};
use crate::lower::settings::set;
use crate::lower::sink::{Choice, Sink, shown};
use crate::lower::table::{Directive, Heredity};
use crate::model::Balance;
use crate::reference::Doc;
use crate::report::Diagnostic;
use crate::syntax::Word;
use crate::values::number;

pub(in crate::lower) static ROW: Directive = Directive {
    name: "balance",
    side: Side::Server,
    heredity: Heredity::Setting,
    apply: balance,
    doc: Some(Doc {
        syntax: "balance roundrobin|static-rr|leastconn|first|source|hash EXPRESSION|random[(N)]",
        default: "random",
        meaning: "How a server is chosen, over all workers and by `weight`: each in turn; the same in a fixed order; the one with the fewest sessions; the first one with room; by the client's address; by a value such as `src,ipmask(24)` or `req.ssl_sni`, which has to be there when the server is chosen; the least busy one of N drawn by lot (2).",
        example: "balance leastconn",
    }),
    parts: Vec::new,
};

fn balance(draft: &mut Draft, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let Some(word) = args.need("balance", "an algorithm", sink) else {
        return;
    };
    let value = if word.text == "hash" {
        hash(draft, args, sink)
    } else {
        algorithm(word, sink)
    };
    if let Some(value) = value {
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

/// What stands behind `hash`.
fn hash(draft: &Draft, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) -> Option<Balance> {
    let word = args.need("balance hash", "what is hashed", sink)?;
    let mut rules = DraftRules::default();
    let own = draft.own_backend();
    let read = rules::expression(word, &mut rules, own.as_deref(), sink)?;
    if let Some(asked) = rules.asked.first() {
        let error = Diagnostic::error(asked.span, "a server is chosen by what is known of the client");
        sink.push(error.with_help("write a value such as `src` or `req.ssl_sni`"));
        return None;
    }
    Some(Balance::Hash(read.expression))
}

/// The algorithms that have no argument.
static PLAIN: [Balance; 6] = [
    Balance::RoundRobin,
    Balance::StaticRoundRobin,
    Balance::LeastConn,
    Balance::First,
    Balance::Source,
    Balance::Random(Balance::DRAWS),
];

/// More draws than this make no difference.
const MOST_DRAWS: u32 = 256;

fn algorithm(word: &Word<'_>, sink: &mut Sink<'_>) -> Option<Balance> {
    if let Some(balance) = PLAIN.iter().find(|balance| balance.name() == word.text) {
        return Some(balance.clone());
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
        supported: &PLAIN.each_ref().map(Balance::name),
        known: &keywords::BALANCE,
    };
    sink.not_supported(word, &format!("`balance {}`", shown(word)), &choice);
    None
}
