//! The options of `server` lines that are about the name of a host.

use std::net::IpAddr;

use super::server::Options;
use crate::lower::args::{Args, Opt};
use crate::lower::draft::Draft;
use crate::lower::sink::{Sink, shown};
use crate::model::{Family, Host, InitAddr, Network, ServerNetns};
use crate::reference::Doc;
use crate::report::Diagnostic;
use crate::source::Span;
use crate::syntax::Word;

/// What a line says about the lookup of its host.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    resolvers: Option<(String, Span)>,
    prefer: Option<Family>,
    networks: Vec<Network>,
    allow_dup_ip: bool,
    init_addr: Vec<InitAddr>,
    /// The first of them on the line itself.
    first: Option<(&'static str, Span)>,
}

pub(super) static OPTIONS: &[Opt<Options>] = &[
    Opt {
        name: "resolvers",
        apply: resolvers,
        doc: Doc {
            syntax: "resolvers NAME",
            default: "the files of the namespace",
            meaning: "Look the host up by the name servers of that section, again and again. `default`, unless there is such a section, stands for those of `resolv.conf`. Without the word: by `hosts` and `resolv.conf`, every 10 seconds.",
            example: "server a db.example:5432 resolvers default",
        },
    },
    Opt {
        name: "resolve-prefer",
        apply: resolve_prefer,
        doc: Doc {
            syntax: "resolve-prefer ipv4|ipv6",
            default: "ipv6",
            meaning: "The family that is taken when the host has addresses of both. One that the namespace has no route to is not taken while there is another.",
            example: "server a db.example:5432 resolve-prefer ipv4",
        },
    },
    Opt {
        name: "resolve-net",
        apply: resolve_net,
        doc: Doc {
            syntax: "resolve-net NET[,NET...]",
            default: "none",
            meaning: "Of several addresses of the host, rather take one in these networks.",
            example: "server a db.example:5432 resolve-net 10.0.0.0/8",
        },
    },
    Opt {
        name: "resolve-opts",
        apply: resolve_opts,
        doc: Doc {
            syntax: "resolve-opts allow-dup-ip|prevent-dup-ip",
            default: "prevent-dup-ip",
            meaning: "Whether servers of one backend with the same host may have the same address. Otherwise each has another one, and a server for which none is left is down.",
            example: "server a db.example:5432 resolve-opts allow-dup-ip",
        },
    },
    Opt {
        name: "init-addr",
        apply: init_addr,
        doc: Doc {
            syntax: "init-addr last|libc|none|IP[,...]",
            default: "last,libc,none",
            meaning: "Where the first address of the host comes from, each in turn: the one before a reload, a lookup by the files of the namespace, an address, or none: the server is down until there is one. When no word has led to an address or is `none`, the start fails.",
            example: "server a db.example:5432 init-addr libc,none",
        },
    },
];

impl Names {
    /// What another line begins with. What `default-server` says is for the servers that it suits.
    pub(super) fn inherited(&self) -> Self {
        Self {
            first: None,
            ..self.clone()
        }
    }

    /// For what this option says.
    fn note(&mut self, name: &'static str, option: &Word<'_>) -> &mut Self {
        self.first.get_or_insert((name, option.span));
        self
    }

    /// The lookup of this host.
    pub(super) fn finish(
        &self,
        host: &mut Host,
        netns: &ServerNetns,
        word: &Word<'_>,
        draft: &mut Draft,
        sink: &mut Sink<'_>,
    ) {
        if *netns == ServerNetns::Client {
            let message = format!(
                "`{}` cannot be looked up: with `namespace *`, its namespace is that of each client",
                shown(word)
            );
            let help = "write an address, or a server for each namespace";
            sink.push(Diagnostic::error(word.span, message).with_help(help));
        }
        if let Some((name, span)) = &self.resolvers {
            host.resolvers = Some(name.clone());
            draft.resolvers.push((name.clone(), *span));
        }
        host.prefer = self.prefer.unwrap_or_default();
        host.networks.clone_from(&self.networks);
        host.allow_dup_ip = self.allow_dup_ip;
        if !self.init_addr.is_empty() {
            host.init_addr.clone_from(&self.init_addr);
        }
    }

    /// For a server whose address is no host name.
    pub(super) fn warn_without_host(&self, sink: &mut Sink<'_>) {
        if let Some((name, span)) = self.first {
            let message =
                format!("`{name}` does nothing: the address of this server is not the name of a host");
            sink.push(Diagnostic::warning(span, message));
        }
    }
}

fn resolvers<'a, 's>(
    options: &mut Options,
    option: &'a Word<'s>,
    args: &mut Args<'a, 's>,
    sink: &mut Sink<'_>,
) {
    let names = options.names.note("resolvers", option);
    if let Some(name) = args.need("resolvers", "the name of a section", sink) {
        names.resolvers = Some((name.text.clone().into_owned(), name.span));
    }
}

fn resolve_prefer<'a, 's>(
    options: &mut Options,
    option: &'a Word<'s>,
    args: &mut Args<'a, 's>,
    sink: &mut Sink<'_>,
) {
    let names = options.names.note("resolve-prefer", option);
    let Some(word) = args.need("resolve-prefer", "`ipv4` or `ipv6`", sink) else {
        return;
    };
    names.prefer = match &*word.text {
        "ipv4" => Some(Family::Ipv4),
        "ipv6" => Some(Family::Ipv6),
        _ => {
            let error = Diagnostic::error(
                word.span,
                format!("`{}` is not a family of addresses", shown(word)),
            );
            sink.push(error.with_help("write `ipv4` or `ipv6`"));
            None
        }
    };
}

fn resolve_net<'a, 's>(
    options: &mut Options,
    option: &'a Word<'s>,
    args: &mut Args<'a, 's>,
    sink: &mut Sink<'_>,
) {
    let names = options.names.note("resolve-net", option);
    let Some(word) = args.need("resolve-net", "a network", sink) else {
        return;
    };
    for (item, span) in items(word) {
        if let Some(network) = network(item) {
            names.networks.push(network);
        } else {
            let error = Diagnostic::error(span, format!("`{}` is not a network", item.escape_debug()));
            sink.push(error.with_help("write an address and the number of bits, for example `10.0.0.0/8`"));
        }
    }
}

fn network(text: &str) -> Option<Network> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = match bits {
        Some(bits) if bits.bytes().all(|b| b.is_ascii_digit()) => bits.parse().ok()?,
        Some(_) => return None,
        None => most,
    };
    (bits <= most).then_some(Network { address, bits })
}

fn resolve_opts<'a, 's>(
    options: &mut Options,
    option: &'a Word<'s>,
    args: &mut Args<'a, 's>,
    sink: &mut Sink<'_>,
) {
    let names = options.names.note("resolve-opts", option);
    let Some(word) = args.need("resolve-opts", "`allow-dup-ip` or `prevent-dup-ip`", sink) else {
        return;
    };
    for (item, span) in items(word) {
        match item {
            "allow-dup-ip" => names.allow_dup_ip = true,
            "prevent-dup-ip" => names.allow_dup_ip = false,
            "ignore-weight" => {
                let error = Diagnostic::error(span, "nsproxy does not support `resolve-opts ignore-weight`");
                sink.push(error.with_help("it concerns SRV records, which are not looked up; remove it"));
            }
            _ => {
                let message = format!("there is no `{}` in `resolve-opts`", item.escape_debug());
                let error = Diagnostic::error(span, message);
                sink.push(error.with_help("write `allow-dup-ip` or `prevent-dup-ip`"));
            }
        }
    }
}

fn init_addr<'a, 's>(
    options: &mut Options,
    option: &'a Word<'s>,
    args: &mut Args<'a, 's>,
    sink: &mut Sink<'_>,
) {
    let names = options.names.note("init-addr", option);
    let Some(word) = args.need("init-addr", "a list such as `last,libc,none`", sink) else {
        return;
    };
    names.init_addr.clear();
    for (item, span) in items(word) {
        let address = || item.parse().ok().filter(|ip: &IpAddr| !ip.is_unspecified());
        let init = match item {
            "last" => Some(InitAddr::Last),
            "libc" => Some(InitAddr::Libc),
            "none" => Some(InitAddr::None),
            _ => address().map(InitAddr::Ip),
        };
        if let Some(init) = init {
            names.init_addr.push(init);
        } else {
            let error = Diagnostic::error(span, format!("`{}` is no way to an address", item.escape_debug()));
            sink.push(error.with_help("write `last`, `libc`, `none` or an IP address"));
        }
    }
}

/// What is between commas, with its place.
fn items<'w>(word: &'w Word<'_>) -> impl Iterator<Item = (&'w str, Span)> {
    let mut at = 0;
    word.text.split(',').map(move |item| {
        let span = word.part(at..at + item.len());
        at += item.len() + 1;
        (item, span)
    })
}
