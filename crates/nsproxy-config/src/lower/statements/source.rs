//! `source`: what connections to servers are bound to.

use crate::keywords;
use crate::lower::args::{Args, Opt, entries, options};
use crate::lower::draft::{Draft, Side};
use crate::lower::settings::set;
use crate::lower::sink::{Sink, report_address, shown};
use crate::lower::table::Directive;
use crate::model::{SourceAddress, UseSource};
use crate::reference::Doc;
use crate::report::Diagnostic;
use crate::syntax::Word;
use crate::values::address;

pub(in crate::lower) static ROW: Directive = Directive {
    name: "source",
    side: Side::Server,
    is_item: false,
    apply: source,
    doc: Some(Doc {
        syntax: "source ADDR[:PORT] [OPTION...]",
        default: "the kernel's choice",
        meaning: "What connections to servers are bound to, in the server's namespace.",
        example: "source 192.0.2.7",
    }),
    parts: || entries("source", OPTIONS),
};

static OPTIONS: &[Opt<Option<UseSource>>] = &[Opt {
    name: "usesrc",
    apply: usesrc,
    doc: Doc {
        syntax: "usesrc clientip|client",
        default: "off",
        meaning: "Connect from the client's address: `clientip` with any port, `client` with the client's port. Replies \
                  have to be routed back to nsproxy.",
        example: "source 0.0.0.0 usesrc clientip",
    },
}];

fn source(draft: &mut Draft, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let Some(word) = args.need("source", "an address", sink) else {
        return;
    };
    let address = address::parse_source(&word.text).map_err(|error| report_address(word, 0, &error, sink));
    let mut usesrc = None;
    options(
        &mut usesrc,
        args,
        &[OPTIONS],
        &keywords::SOURCE_OPTIONS,
        "source",
        sink,
    );
    if let Ok(address) = address {
        set(
            draft,
            |settings| &mut settings.source,
            SourceAddress { address, usesrc },
            ("source", args.span()),
            args,
            sink,
        );
    }
}

fn usesrc(target: &mut Option<UseSource>, _: &Word<'_>, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let Some(word) = args.need("usesrc", "`clientip` or `client`", sink) else {
        return;
    };
    *target = match &*word.text {
        "clientip" => Some(UseSource::ClientIp),
        "client" => Some(UseSource::Client),
        text => {
            let error = if address::parse_source(text).is_ok() || text.starts_with("hdr_ip") {
                Diagnostic::error(
                    word.span,
                    format!("nsproxy does not support `usesrc {}` yet", shown(word)),
                )
            } else {
                Diagnostic::error(word.span, format!("unknown `usesrc` address `{}`", shown(word)))
            };
            sink.push(error.with_help(
                "write `usesrc clientip` (the client's address) or `usesrc client` (and its port)",
            ));
            return;
        }
    };
}
