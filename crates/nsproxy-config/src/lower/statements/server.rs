//! `server` lines.

use std::num::NonZeroU32;

use super::default_namespace::Chosen;
use super::server_names::{self, Names};
use crate::keywords;
use crate::lower::args::{Args, Opt, entries, options};
use crate::lower::draft::{Draft, Side};
use crate::lower::namespaces;
use crate::lower::sink::{Sink, report_address, shown};
use crate::lower::table::Directive;
use crate::model::{ProxyHeader, Server, ServerAddress, ServerNetns};
use crate::reference::Doc;
use crate::report::Diagnostic;
use crate::source::Span;
use crate::syntax::Word;
use crate::values::{address, name, number};

pub(in crate::lower) static ROW: Directive = Directive {
    name: "server",
    side: Side::Server,
    is_item: true,
    apply: server,
    doc: Some(Doc {
        syntax: "server NAME ADDR[:[+|-]PORT] [OPTION...]",
        default: "",
        meaning: "Connect there: an IP address, the name of a host, the path of a unix socket, `abns@NAME`, or `*` (also `0.0.0.0`): the client's destination, by its \
                  PROXY header or its connection. Without a port: the port that the client connected to; `+N` or `-N`: so far from that.",
        example: "server a 10.0.0.5:80 namespace services",
    }),
    parts: || TABLES.iter().flat_map(|table| entries("server", table)).collect(),
};

#[derive(Debug, Clone, Default)]
pub(super) struct Options {
    netns: Chosen<ServerNetns>,
    /// The version, and where it is chosen.
    send_proxy: Option<(Version, Span)>,
    /// `proxy-v2-options crc32c`.
    crc32c: Option<Span>,
    pass_proxy: Option<Span>,
    weight: Option<u16>,
    backup: bool,
    disabled: bool,
    maxconn: Option<NonZeroU32>,
    minconn: Option<NonZeroU32>,
    maxqueue: Option<NonZeroU32>,
    pub(super) names: Names,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

/// All options of the line.
static TABLES: &[&[Opt<Options>]] = &[OPTIONS, server_names::OPTIONS];

static OPTIONS: &[Opt<Options>] = &[
    Opt {
        name: "namespace",
        apply: namespace,
        doc: Doc {
            syntax: "namespace NETNS|*",
            default: "`default_namespace`",
            meaning: "Connect in that namespace, as its name is understood at that moment. `*`: in that of the client's connection, or the default one if it has none.",
            example: "server a * namespace *",
        },
    },
    Opt {
        name: "no-namespace",
        apply: |options, word, _, sink| no_namespace(options, word, sink),
        doc: Doc {
            syntax: "no-namespace",
            default: "off",
            meaning: "Connect in the namespace that nsproxy runs in, whatever `default_namespace` says. Only in nsproxy.",
            example: "server a 10.0.0.5:80 no-namespace",
        },
    },
    Opt {
        name: "send-proxy",
        apply: |options, word, _, sink| send_proxy(options, Version::V1, word, sink),
        doc: Doc {
            syntax: "send-proxy",
            default: "off",
            meaning: "Begin each connection with a PROXY v1 header.",
            example: "server a 10.0.0.5:80 send-proxy",
        },
    },
    Opt {
        name: "send-proxy-v2",
        apply: |options, word, _, sink| send_proxy(options, Version::V2, word, sink),
        doc: Doc {
            syntax: "send-proxy-v2",
            default: "off",
            meaning: "Begin each connection with a PROXY v2 header, with the namespace of the client's connection in it.",
            example: "server a 10.0.0.5:80 send-proxy-v2",
        },
    },
    Opt {
        name: "proxy-v2-options",
        apply: proxy_v2_options,
        doc: Doc {
            syntax: "proxy-v2-options crc32c",
            default: "none",
            meaning: "With `send-proxy-v2`: put a checksum into the header.",
            example: "server a 10.0.0.5:80 send-proxy-v2 proxy-v2-options crc32c",
        },
    },
    Opt {
        name: "pass-proxy",
        apply: |options, word, _, _| options.pass_proxy = Some(word.span),
        doc: Doc {
            syntax: "pass-proxy",
            default: "off",
            meaning: "With `send-proxy-v2`: put the TLVs of the client's own PROXY header into the header, byte for byte. Which namespace it names is still what `namespace_list` allows. Only in nsproxy.",
            example: "server a 10.0.0.5:80 send-proxy-v2 pass-proxy",
        },
    },
    Opt {
        name: "weight",
        apply: weight,
        doc: Doc {
            syntax: "weight N",
            default: "1",
            meaning: "Its share of the sessions, in proportion to the other servers' weights: 0 to 256. 0: none.",
            example: "server a 10.0.0.5:80 weight 10",
        },
    },
    Opt {
        name: "backup",
        apply: |options, _, _, _| options.backup = true,
        doc: Doc {
            syntax: "backup",
            default: "off",
            meaning: "Use it only while no other server can be used; with several, the first one, unless `option allbackups`.",
            example: "server a 10.0.0.5:80 backup",
        },
    },
    Opt {
        name: "disabled",
        apply: |options, _, _, _| options.disabled = true,
        doc: Doc {
            syntax: "disabled",
            default: "off",
            meaning: "Do not use it.",
            example: "server a 10.0.0.5:80 disabled",
        },
    },
    Opt {
        name: "maxconn",
        apply: |options, _, args, sink| {
            number(&mut options.maxconn, "maxconn", args, sink);
        },
        doc: Doc {
            syntax: "maxconn N",
            default: "0: no limit",
            meaning: "Most sessions on it at a time. Others wait, first come first served, for as long as `timeout queue` allows.",
            example: "server a 10.0.0.5:80 maxconn 100",
        },
    },
    Opt {
        name: "minconn",
        apply: |options, _, args, sink| {
            number(&mut options.minconn, "minconn", args, sink);
        },
        doc: Doc {
            syntax: "minconn N",
            default: "`maxconn`",
            meaning: "That limit while the backend has little to do: it grows with the backend's sessions, up to `maxconn` at `fullconn`.",
            example: "server a 10.0.0.5:80 minconn 10 maxconn 100",
        },
    },
    Opt {
        name: "maxqueue",
        apply: |options, _, args, sink| {
            number(&mut options.maxqueue, "maxqueue", args, sink);
        },
        doc: Doc {
            syntax: "maxqueue N",
            default: "0: no limit",
            meaning: "Most sessions that wait for this server and no other, as with `balance source`; further ones are closed.",
            example: "server a 10.0.0.5:80 maxconn 100 maxqueue 50",
        },
    },
];

/// What `proxy-v2-options` may list in HAProxy.
static PROXY_V2_OPTIONS: [&str; 8] = [
    "authority",
    "cert-cn",
    "cert-key",
    "cert-sig",
    "crc32c",
    "ssl",
    "ssl-cipher",
    "unique-id",
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
    options(&mut line, args, TABLES, &keywords::SERVER_OPTIONS, "server", sink);
    draft.server_lines += 1;
    let (Some(name), Ok(mut address)) = (name, address) else {
        return;
    };
    let send_proxy = header(&line, sink);
    let netns = match line.netns {
        Chosen::Default => {
            draft.unplaced_servers.push(draft.servers.len());
            ServerNetns::Home
        }
        Chosen::Home => ServerNetns::Home,
        Chosen::Named(netns) => netns,
    };
    match &mut address {
        ServerAddress::Host(host) => line.names.finish(host, &netns, word, draft, sink),
        _ => line.names.warn_without_host(sink),
    }
    draft.servers.push(Server {
        name,
        place: sink.place(name_word.span),
        address,
        netns,
        send_proxy,
        weight: line.weight.unwrap_or(1),
        backup: line.backup,
        disabled: line.disabled,
        maxconn: line.maxconn,
        minconn: line.minconn,
        maxqueue: line.maxqueue,
    });
}

/// The header that the options of the line ask for together.
fn header(line: &Options, sink: &mut Sink<'_>) -> Option<ProxyHeader> {
    if let Some((Version::V2, _)) = line.send_proxy {
        return Some(ProxyHeader::V2 {
            crc32c: line.crc32c.is_some(),
            pass_proxy: line.pass_proxy.is_some(),
        });
    }
    if let Some(span) = line.crc32c {
        // HAProxy takes it without a word.
        let warning = Diagnostic::warning(span, "`proxy-v2-options` does nothing without `send-proxy-v2`");
        sink.push(warning.with_help("add `send-proxy-v2` to the line, or remove this"));
    }
    if let Some(span) = line.pass_proxy {
        let error = Diagnostic::error(
            span,
            "`pass-proxy` needs `send-proxy-v2`: only that header has TLVs",
        );
        sink.push(error.with_help("add `send-proxy-v2` to the line"));
    }
    line.send_proxy.map(|_| ProxyHeader::V1)
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
    if let Chosen::Home = options.netns {
        return namespaces::refuse_both(word.span, sink);
    }
    if word.text == "*" {
        options.netns = Chosen::Named(ServerNetns::Client);
    } else if let Some(spec) = namespaces::spec(word, sink) {
        options.netns = Chosen::Named(ServerNetns::Named(spec));
    }
}

fn no_namespace(options: &mut Options, word: &Word<'_>, sink: &mut Sink<'_>) {
    if let Chosen::Named(_) = options.netns {
        return namespaces::refuse_both(word.span, sink);
    }
    options.netns = Chosen::Home;
}

fn weight<'a, 's>(options: &mut Options, _: &'a Word<'s>, args: &mut Args<'a, 's>, sink: &mut Sink<'_>) {
    let Some(word) = args.need("weight", "a number", sink) else {
        return;
    };
    match number::parse(&word.text, &(0..=256)) {
        Ok(value) => options.weight = u16::try_from(value).ok(),
        Err(error) => sink.error(word.span, error.to_string()),
    }
}

/// A limit; 0 is none.
fn number(target: &mut Option<NonZeroU32>, name: &str, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let Some(word) = args.need(name, "a number", sink) else {
        return;
    };
    match number::parse(&word.text, &(0..=u32::MAX)) {
        Ok(value) => *target = NonZeroU32::new(value),
        Err(error) => sink.error(word.span, error.to_string()),
    }
}

fn send_proxy(options: &mut Options, version: Version, word: &Word<'_>, sink: &mut Sink<'_>) {
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

fn proxy_v2_options<'a, 's>(
    options: &mut Options,
    option: &'a Word<'s>,
    args: &mut Args<'a, 's>,
    sink: &mut Sink<'_>,
) {
    let Some(word) = args.need("proxy-v2-options", "a list such as `crc32c`", sink) else {
        return;
    };
    let mut at = 0;
    for item in word.text.split(',') {
        let span = word.part(at..at + item.len());
        at += item.len() + 1;
        if item == "crc32c" {
            options.crc32c = Some(option.span.to(word.span));
        } else if PROXY_V2_OPTIONS.contains(&item) {
            let error = Diagnostic::error(
                span,
                format!("nsproxy does not support `{item}` in `proxy-v2-options`"),
            );
            sink.push(error.with_help(
                "to hand on what the client's own PROXY header says of this, use `pass-proxy` instead",
            ));
        } else {
            let error = Diagnostic::error(span, format!("there is no `{item}` in `proxy-v2-options`"));
            sink.push(error.with_help("the one that nsproxy supports is `crc32c`"));
        }
    }
}
