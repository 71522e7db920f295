//! `bind` lines.

use netns_core::NetnsSpec;

use super::args::{Args, Opt, options};
use super::draft::Draft;
use super::namespaces;
use super::settings::report_address;
use super::sink::Sink;
use crate::keywords;
use crate::model::{Bind, BindAddress};
use crate::report::Diagnostic;
use crate::source::Span;
use crate::syntax::Word;
use crate::values::address;

/// What the options of one line say of all its addresses.
#[derive(Default)]
struct Options {
    netns: Option<NetnsSpec>,
    accept_proxy: bool,
    transparent: Option<Span>,
    name: Option<String>,
}

static OPTIONS: &[Opt<Options>] = &[
    Opt {
        name: "namespace",
        apply: namespace,
    },
    Opt {
        name: "accept-proxy",
        apply: |options, _, _, _| options.accept_proxy = true,
    },
    Opt {
        name: "transparent",
        apply: |options, word, _, _| options.transparent = Some(word.span),
    },
    Opt {
        name: "name",
        apply: name,
    },
];

pub(super) fn bind(draft: &mut Draft, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let Some(word) = args.need("bind", "an address", sink) else {
        return;
    };
    let addresses = addresses(word, sink);
    let mut line = Options::default();
    options(&mut line, args, OPTIONS, &keywords::BIND_OPTIONS, "bind", sink);
    for (address, span) in addresses {
        if let (BindAddress::Unix(_), Some(transparent)) = (&address, line.transparent) {
            let error = Diagnostic::error(transparent, "a unix socket cannot be `transparent`");
            sink.push(error.with_related(span, "the unix socket"));
            return;
        }
        let bind = Bind {
            address,
            netns: line.netns.clone(),
            accept_proxy: line.accept_proxy,
            transparent: line.transparent.is_some(),
            name: line.name.clone(),
            place: sink.place(span),
        };
        draft.binds.push((bind, span));
    }
}

/// The addresses of a comma-separated list, each with its place.
fn addresses(word: &Word<'_>, sink: &mut Sink<'_>) -> Vec<(BindAddress, Span)> {
    let mut found = Vec::new();
    let mut offset = 0;
    for text in word.text.split(',') {
        match address::parse_bind(text) {
            Ok(address) => found.push((address, word.part(offset..offset + text.len()))),
            Err(error) => {
                report_address(word, offset, &error, sink);
                // One message for a list: behind a slip the rest is often shifted.
                return Vec::new();
            }
        }
        offset += text.len() + 1;
    }
    found
}

fn namespace<'a, 's>(options: &mut Options, _: &'a Word<'s>, args: &mut Args<'a, 's>, sink: &mut Sink<'_>) {
    if let Some(word) = args.need("namespace", "a name", sink) {
        options.netns = namespaces::spec(word, sink);
    }
}

fn name<'a, 's>(options: &mut Options, _: &'a Word<'s>, args: &mut Args<'a, 's>, sink: &mut Sink<'_>) {
    options.name = args
        .need("name", "a name", sink)
        .map(|word| word.text.clone().into_owned());
}
