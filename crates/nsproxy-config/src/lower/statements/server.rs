//! `server` lines.

use crate::keywords;
use crate::lower::args::{Args, Opt, entries, options};
use crate::lower::draft::{Draft, Side};
use crate::lower::namespaces;
use crate::lower::sink::{Sink, report_address, shown};
use crate::lower::table::Directive;
use crate::model::{ProxyVersion, Server, ServerNetns};
use crate::reference::Doc;
use crate::report::Diagnostic;
use crate::source::Span;
use crate::syntax::Word;
use crate::values::{address, name};

pub(in crate::lower) static ROW: Directive = Directive {
    name: "server",
    side: Side::Server,
    is_item: true,
    apply: server,
    doc: Some(Doc {
        syntax: "server NAME ADDR[:PORT] [OPTION...]",
        default: "",
        meaning: "Connect there: an IP address, the path of a unix socket, or `*` (also `0.0.0.0`): the client's destination, by its \
                  PROXY header or its connection. Without a port: the port that the client connected to.",
        example: "server a 10.0.0.5:80 namespace services",
    }),
    parts: || entries("server", OPTIONS),
};

#[derive(Default)]
struct Options {
    netns: ServerNetns,
    send_proxy: Option<(ProxyVersion, Span)>,
}

static OPTIONS: &[Opt<Options>] = &[
    Opt {
        name: "namespace",
        apply: namespace,
        doc: Doc {
            syntax: "namespace NETNS|*",
            default: "the namespace that nsproxy runs in",
            meaning: "Connect in that namespace, as its name is understood at that moment. `*`: in that of the client's connection, or the default one if it has none.",
            example: "server a * namespace *",
        },
    },
    Opt {
        name: "send-proxy",
        apply: |options, word, _, sink| send_proxy(options, ProxyVersion::V1, word, sink),
        doc: Doc {
            syntax: "send-proxy",
            default: "off",
            meaning: "Begin each connection with a PROXY v1 header.",
            example: "server a 10.0.0.5:80 send-proxy",
        },
    },
    Opt {
        name: "send-proxy-v2",
        apply: |options, word, _, sink| send_proxy(options, ProxyVersion::V2, word, sink),
        doc: Doc {
            syntax: "send-proxy-v2",
            default: "off",
            meaning: "Begin each connection with a PROXY v2 header, with the namespace of the client's connection in it.",
            example: "server a 10.0.0.5:80 send-proxy-v2",
        },
    },
];

fn server(draft: &mut Draft, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let Some(name_word) = args.need("server", "a name and an address", sink) else {
        return;
    };
    let name = check_name(draft, name_word, sink);
    let Some(word) = args.need("server", "an address behind its name", sink) else {
        return;
    };
    let address = address::parse_server(&word.text).map_err(|error| report_address(word, 0, &error, sink));
    let mut line = Options::default();
    options(
        &mut line,
        args,
        OPTIONS,
        &keywords::SERVER_OPTIONS,
        "server",
        sink,
    );
    draft.server_lines += 1;
    let (Some(name), Ok(address)) = (name, address) else {
        return;
    };
    draft.servers.push(Server {
        name,
        place: sink.place(name_word.span),
        address,
        netns: line.netns,
        send_proxy: line.send_proxy.map(|(version, _)| version),
    });
}

/// The server's name, if it may have it.
fn check_name(draft: &mut Draft, word: &Word<'_>, sink: &mut Sink<'_>) -> Option<String> {
    if let Some((at, c)) = name::forbidden_char(&word.text) {
        let span = word.part(at..at + c.len_utf8());
        let error = Diagnostic::error(
            span,
            format!("`{}` cannot stand in the name of a server", c.escape_default()),
        );
        sink.push(error.with_help(name::RULE));
        return None;
    }
    let name = word.text.clone().into_owned();
    if let Some(&first) = draft.server_names.get(&name) {
        let message = format!("a second server `{}` in {}", shown(word), draft.shown());
        sink.push(Diagnostic::error(word.span, message).with_related(first, "the first one"));
        return None;
    }
    draft.server_names.insert(name.clone(), word.span);
    Some(name)
}

fn namespace<'a, 's>(options: &mut Options, _: &'a Word<'s>, args: &mut Args<'a, 's>, sink: &mut Sink<'_>) {
    let Some(word) = args.need("namespace", "a name or `*`", sink) else {
        return;
    };
    if word.text == "*" {
        options.netns = ServerNetns::Client;
    } else if let Some(spec) = namespaces::spec(word, sink) {
        options.netns = ServerNetns::Named(spec);
    }
}

fn send_proxy(options: &mut Options, version: ProxyVersion, word: &Word<'_>, sink: &mut Sink<'_>) {
    if let Some((_, first)) = options.send_proxy {
        let error = Diagnostic::error(word.span, "a connection begins with one PROXY header, not two");
        sink.push(
            error
                .with_related(first, "already chosen here")
                .with_help("remove `send-proxy` or `send-proxy-v2`"),
        );
    }
    options.send_proxy = Some((version, word.span));
}
