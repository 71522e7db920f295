//! `source`: what connections to servers are bound to.

use std::net::SocketAddr;

use super::bind_socket::interface_name;
use crate::keywords;
use crate::lower::args::{Args, Opt, entries, options};
use crate::lower::draft::{Draft, Side};
use crate::lower::settings::set;
use crate::lower::sink::{Sink, report_address, shown};
use crate::lower::table::{Directive, Heredity};
use crate::model::{PortRange, SourceAddress, UseSource};
use crate::reference::Doc;
use crate::report::Diagnostic;
use crate::source::Span;
use crate::syntax::Word;
use crate::values::address;

pub(in crate::lower) static ROW: Directive = Directive {
    name: "source",
    side: Side::Server,
    heredity: Heredity::Setting,
    apply: source,
    doc: Some(Doc {
        syntax: "source ADDR[:PORT] [OPTION...]",
        default: "the kernel's choice",
        meaning: "What connections to servers are bound to, in the server's namespace.",
        example: "source 192.0.2.7",
    }),
    parts: || entries("source", OPTIONS),
};

/// What stands behind the address.
#[derive(Default)]
struct Behind {
    usesrc: Option<(UseSource, Span)>,
    interface: Option<String>,
}

static OPTIONS: &[Opt<Behind>] = &[
    Opt {
        name: "usesrc",
        apply: |behind, word, args, sink| {
            behind.usesrc = usesrc(args, sink).map(|source| (source, word.span));
        },
        doc: Doc {
            syntax: "usesrc clientip|client|ADDR[:PORT]",
            default: "off",
            meaning: "Connect from the client's address: `clientip` with any port, `client` with the client's port; or from an \
                      address that this host need not have. Replies have to be routed back to nsproxy.",
            example: "source 0.0.0.0 usesrc clientip",
        },
    },
    Opt {
        name: "interface",
        apply: |behind, _, args, sink| behind.interface = interface_name("interface", args, sink),
        doc: Doc {
            syntax: "interface NAME",
            default: "any",
            meaning: "Connect by that link of the server's namespace (`SO_BINDTODEVICE`).",
            example: "source 0.0.0.0 interface eth1",
        },
    },
];

fn source(draft: &mut Draft, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let Some(word) = args.need("source", "an address", sink) else {
        return;
    };
    let address = address::parse_source(&word.text).map_err(|error| report_address(word, 0, &error, sink));
    let mut behind = Behind::default();
    options(
        &mut behind,
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
            with(address, None, behind),
            ("source", args.span()),
            args,
            sink,
        );
    }
}

/// What follows the word `source` on a `server` line: the address, and what belongs to it.
pub(super) fn on_a_line(args: &mut Args<'_, '_>, sink: &mut Sink<'_>) -> Option<SourceAddress> {
    let word = args.need("source", "an address", sink)?;
    let address =
        address::parse_source_of_server(&word.text).map_err(|error| report_address(word, 0, &error, sink));
    let mut behind = Behind::default();
    while let Some(word) = args.peek()
        && let Some(option) = OPTIONS.iter().find(|option| option.name == word.text)
    {
        args.next();
        (option.apply)(&mut behind, word, args, sink);
    }
    let (address, ports) = address.ok()?;
    if let (Some(_), Some((_, usesrc))) = (ports, behind.usesrc) {
        refuse_both(word, usesrc, sink);
        return None;
    }
    Some(with(address, ports, behind))
}

/// HAProxy takes both, sets a port of the range aside for each connection, and does not use it.
fn refuse_both(range: &Word<'_>, usesrc: Span, sink: &mut Sink<'_>) {
    let error = Diagnostic::error(
        usesrc,
        "`usesrc` takes another address, which does not have the range of ports",
    );
    sink.push(
        error
            .with_related(range.span, "the range of ports")
            .with_help("remove the ports, or `usesrc`"),
    );
}

fn with(address: SocketAddr, ports: Option<PortRange>, behind: Behind) -> SourceAddress {
    SourceAddress {
        address,
        ports,
        usesrc: behind.usesrc.map(|(source, _)| source),
        interface: behind.interface,
    }
}

fn usesrc(args: &mut Args<'_, '_>, sink: &mut Sink<'_>) -> Option<UseSource> {
    let word = args.need("usesrc", "`clientip`, `client` or an address", sink)?;
    let help =
        "write `usesrc clientip` (the client's address), `usesrc client` (and its port), or an address";
    match &*word.text {
        "clientip" => Some(UseSource::ClientIp),
        "client" => Some(UseSource::Client),
        text if text.starts_with("hdr_ip") => {
            let message = format!("nsproxy does not support `usesrc {}`", shown(word));
            sink.push(Diagnostic::error(word.span, message).with_help(help));
            None
        }
        text => match address::parse_source(text) {
            Ok(address) if !address.ip().is_unspecified() => Some(UseSource::Address(address)),
            _ => {
                let error =
                    Diagnostic::error(word.span, format!("unknown `usesrc` address `{}`", shown(word)));
                sink.push(error.with_help(help));
                None
            }
        },
    }
}
