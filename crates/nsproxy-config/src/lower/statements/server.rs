//! `server` lines.

use std::num::NonZeroU32;

use super::default_namespace::Chosen;
use super::proxy_header::{HeaderOptions, Version};
use super::server_checks::{self, Health};
use super::server_names::{self, Names};
use super::source;
use crate::keywords;
use crate::lower::args::{Args, Opt, entries, options};
use crate::lower::draft::{Draft, Side};
use crate::lower::namespaces;
use crate::lower::sink::{Sink, report_address, shown};
use crate::lower::table::{Directive, Heredity};
use crate::model::{self, Server, ServerAddress, ServerNetns, SourceAddress};
use crate::reference::Doc;
use crate::report::Diagnostic;
use crate::syntax::Word;
use crate::values::{address, name};

pub(in crate::lower) static ROW: Directive = Directive {
    name: "server",
    side: Side::Server,
    heredity: Heredity::Item,
    apply: server,
    doc: Some(Doc {
        syntax: "server NAME ADDR[:[+|-]PORT] [OPTION...]",
        default: "none",
        meaning: "Connect there: an IP address, the name of a host, the path of a unix socket, `abns@NAME`, or `*` (also `0.0.0.0`): the client's destination, by its \
                  PROXY header or its connection. Without a port: the port that the client connected to; `+N` or `-N`: so far from that.",
        example: "server a 10.0.0.5:80 namespace services",
    }),
    parts: || TABLES.iter().flat_map(|table| entries("server", table)).collect(),
};

/// What a line says, on top of what it inherits.
#[derive(Debug, Clone, Default)]
pub(in crate::lower) struct Options {
    netns: Chosen<ServerNetns>,
    /// The line says so itself: only then is the other word a contradiction.
    chose_netns: bool,
    header: HeaderOptions,
    weight: Option<u16>,
    backup: bool,
    disabled: bool,
    maxconn: Option<NonZeroU32>,
    minconn: Option<NonZeroU32>,
    maxqueue: Option<NonZeroU32>,
    source: Option<SourceAddress>,
    pub(super) names: Names,
    pub(super) health: Health,
}

impl Options {
    /// What another line begins with that comes after this one.
    pub(super) fn inherited(&self) -> Self {
        Self {
            chose_netns: false,
            header: self.header.inherited(),
            names: self.names.inherited(),
            ..self.clone()
        }
    }
}

/// All options of the line.
pub(super) static TABLES: &[&[Opt<Options>]] = &[OPTIONS, server_names::OPTIONS, server_checks::OPTIONS];

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
        apply: |options, word, _, sink| options.header.choose(Version::V1, word, sink),
        doc: Doc {
            syntax: "send-proxy",
            default: "off",
            meaning: "Begin each connection with a PROXY v1 header.",
            example: "server a 10.0.0.5:80 send-proxy",
        },
    },
    Opt {
        name: "send-proxy-v2",
        apply: |options, word, _, sink| options.header.choose(Version::V2, word, sink),
        doc: Doc {
            syntax: "send-proxy-v2",
            default: "off",
            meaning: "Begin each connection with a PROXY v2 header, with the namespace of the client's connection in it.",
            example: "server a 10.0.0.5:80 send-proxy-v2",
        },
    },
    Opt {
        name: "proxy-v2-options",
        apply: |options, word, args, sink| options.header.list(word, args, sink),
        doc: Doc {
            syntax: "proxy-v2-options LIST",
            default: "none",
            meaning: "With `send-proxy-v2`: what the header carries besides, separated by commas. `crc32c`: a checksum. `unique-id`: the identifier by `unique-id-format`, of 128 bytes at most. `authority`: the host name that the client's own PROXY header names, or else the server name of its TLS ClientHello, if that has come by then: `tcp-request inspect-delay` and a rule that asks for it wait for it.",
            example: "server a 10.0.0.5:80 send-proxy-v2 proxy-v2-options crc32c,unique-id",
        },
    },
    Opt {
        name: "set-proxy-v2-tlv-fmt",
        apply: |options, word, args, sink| options.header.add(word, args, sink),
        doc: Doc {
            syntax: "set-proxy-v2-tlv-fmt(TYPE) FORMAT",
            default: "none",
            meaning: "With `send-proxy-v2`: put a TLV of this type, a number of up to 255 or `0xff`, into the header, its value as with `log-format`. May be given once for each type. It stands for a TLV of this type from the client's own header.",
            example: "server a 10.0.0.5:80 send-proxy-v2 set-proxy-v2-tlv-fmt(0xe1) \"%ci %[fc_netns]\"",
        },
    },
    Opt {
        name: "pass-proxy",
        apply: |options, word, _, _| options.header.pass_proxy = Some(word.span),
        doc: Doc {
            syntax: "pass-proxy",
            default: "off",
            meaning: "With `send-proxy-v2`: put the TLVs of the client's own PROXY header into the header, byte for byte. Which namespace it names is still what `namespace_list` allows. Only in nsproxy.",
            example: "server a 10.0.0.5:80 send-proxy-v2 pass-proxy",
        },
    },
    Opt {
        name: "no-send-proxy",
        apply: |options, _, _, _| options.header.take_back(Version::V1),
        doc: Doc {
            syntax: "no-send-proxy",
            default: "as `default-server` says",
            meaning: "Take a `send-proxy` of `default-server` back.",
            example: "server a 10.0.0.5:80 no-send-proxy",
        },
    },
    Opt {
        name: "no-send-proxy-v2",
        apply: |options, _, _, _| options.header.take_back(Version::V2),
        doc: Doc {
            syntax: "no-send-proxy-v2",
            default: "as `default-server` says",
            meaning: "Take a `send-proxy-v2` of `default-server` back.",
            example: "server a 10.0.0.5:80 no-send-proxy-v2",
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
        name: "no-backup",
        apply: |options, _, _, _| options.backup = false,
        doc: Doc {
            syntax: "no-backup",
            default: "as `default-server` says",
            meaning: "Take a `backup` of `default-server` back.",
            example: "server a 10.0.0.5:80 no-backup",
        },
    },
    Opt {
        name: "enabled",
        apply: |options, _, _, _| options.disabled = false,
        doc: Doc {
            syntax: "enabled",
            default: "as `default-server` says",
            meaning: "Take a `disabled` of `default-server` back.",
            example: "server a 10.0.0.5:80 enabled",
        },
    },
    Opt {
        name: "disabled",
        apply: |options, _, _, _| options.disabled = true,
        doc: Doc {
            syntax: "disabled",
            default: "off",
            meaning: "Do not use it, and make no checks of it, until an administrator enables it.",
            example: "server a 10.0.0.5:80 disabled",
        },
    },
    Opt {
        name: "source",
        apply: |options, _, args, sink| options.source = source::on_a_line(args, sink),
        doc: Doc {
            syntax: "source ADDR[:PORT[-LAST]] [usesrc clientip|client|ADDR] [interface NAME]",
            default: "`source` of the backend",
            meaning: "What connections to it are bound to, as the statement `source` says. With a range of ports each connection has one to itself; while none is free, there can be none.",
            example: "server a 10.0.0.5:80 source 192.0.2.7:10000-19999 interface eth1 weight 3",
        },
    },
    Opt {
        name: "maxconn",
        apply: |options, _, args, sink| limit(&mut options.maxconn, "maxconn", args, sink),
        doc: Doc {
            syntax: "maxconn N",
            default: "0: no limit",
            meaning: "Most sessions on it at a time. Others wait, first come first served, for as long as `timeout queue` allows.",
            example: "server a 10.0.0.5:80 maxconn 100",
        },
    },
    Opt {
        name: "minconn",
        apply: |options, _, args, sink| limit(&mut options.minconn, "minconn", args, sink),
        doc: Doc {
            syntax: "minconn N",
            default: "`maxconn`",
            meaning: "That limit while the backend has little to do: it grows with the backend's sessions, up to `maxconn` at `fullconn`.",
            example: "server a 10.0.0.5:80 minconn 10 maxconn 100",
        },
    },
    Opt {
        name: "maxqueue",
        apply: |options, _, args, sink| limit(&mut options.maxqueue, "maxqueue", args, sink),
        doc: Doc {
            syntax: "maxqueue N",
            default: "0: no limit",
            meaning: "Most sessions that wait for this server and no other, as with `balance source`; further ones are closed.",
            example: "server a 10.0.0.5:80 maxconn 100 maxqueue 50",
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
    let mut line = draft.settings.default_server.inherited();
    options(&mut line, args, TABLES, &keywords::SERVER_OPTIONS, "server", sink);
    draft.server_lines += 1;
    let (Some(name), Ok(mut address)) = (name, address) else {
        return;
    };
    let send_proxy = line.header.header(&mut draft.rules.asked, sink);
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
    draft.healths.push((line.health, name_word.span));
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
        source: line.source,
        // What it says about its health depends on lines that may come later.
        health: model::Health::default(),
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
    if options.chose_netns
        && let Chosen::Home = options.netns
    {
        return namespaces::refuse_both(word.span, sink);
    }
    let netns = if word.text == "*" {
        Some(ServerNetns::Client)
    } else {
        namespaces::spec(word, sink).map(ServerNetns::Named)
    };
    if let Some(netns) = netns {
        options.netns = Chosen::Named(netns);
        options.chose_netns = true;
    }
}

fn no_namespace(options: &mut Options, word: &Word<'_>, sink: &mut Sink<'_>) {
    if options.chose_netns
        && let Chosen::Named(_) = options.netns
    {
        return namespaces::refuse_both(word.span, sink);
    }
    options.netns = Chosen::Home;
    options.chose_netns = true;
}

fn weight<'a, 's>(options: &mut Options, _: &'a Word<'s>, args: &mut Args<'a, 's>, sink: &mut Sink<'_>) {
    if let Some(value) = args.need_number("weight", &(0..=256), sink) {
        options.weight = u16::try_from(value).ok();
    }
}

/// A limit; 0 is none.
fn limit(target: &mut Option<NonZeroU32>, name: &str, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    if let Some(value) = args.need_number(name, &(0..=u32::MAX), sink) {
        *target = NonZeroU32::new(value);
    }
}
