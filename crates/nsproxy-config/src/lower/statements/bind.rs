//! `bind` lines.

use super::bind_socket::{self, Socket};
use super::default_namespace::Chosen;
use super::netns_tlv::{self, Narrowed};
use crate::keywords;
use crate::lower::args::{Args, Opt, entries, options};
use crate::lower::draft::{Draft, Side};
use crate::lower::namespaces;
use crate::lower::sink::{Sink, report_address};
use crate::lower::table::{Directive, Heredity};
use crate::model::{Bind, BindAddress, BindNetns, BindSocket, NetnsTlv};
use crate::reference::Doc;
use crate::report::Diagnostic;
use crate::source::Span;
use crate::syntax::Word;
use crate::values::address;

pub(in crate::lower) static ROW: Directive = Directive {
    name: "bind",
    side: Side::Client,
    heredity: Heredity::Item,
    apply: bind,
    doc: Some(Doc {
        syntax: "bind ADDR[,ADDR...] [OPTION...]",
        default: "none",
        meaning: "Listen there. An address is `IP:PORT`, `IP:FIRST-LAST` (a socket for each port), `*:PORT`, `:PORT`, \
                  `[IPv6]:PORT`, with `ipv4@` or `ipv6@` before it if wanted, the path of a unix socket (`unix@` before \
                  one that does not begin with `/`), or `abns@NAME` (filled up with zeros, as HAProxy has it) and `abnsz@NAME` for one \
                  without a file, which is of the line's namespace. `fd@N` is the bound socket that nsproxy was started with at that \
                  descriptor, which it shares with whoever has it too: it is never shut down. Its namespace is its own; `namespace` tells \
                  which one that is. `fd@NAME` are the sockets that systemd has started nsproxy with under that name.",
        example: "bind 192.0.2.1:80,[2001:db8::1]:8000-8003 namespace blue",
    }),
    parts: || TABLES.iter().flat_map(|table| entries("bind", table)).collect(),
};

/// What the options of one line say of all its addresses.
#[derive(Default)]
pub(super) struct Options {
    netns: Chosen<BindNetns>,
    accept_proxy: bool,
    narrowed: Option<Narrowed>,
    transparent: Option<Span>,
    v4v6: bool,
    v6only: bool,
    name: Option<String>,
    pub(super) socket: Socket,
}

/// All options of the line.
static TABLES: &[&[Opt<Options>]] = &[OPTIONS, bind_socket::OPTIONS];

static OPTIONS: &[Opt<Options>] = &[
    Opt {
        name: "namespace",
        apply: namespace,
        doc: Doc {
            syntax: "namespace NETNS|PATTERN",
            default: "`default_namespace`",
            meaning: "Listen in that namespace: a name as in `ip netns list`, an absolute path, or `pid:N`. With `*` (any text) or `?` (one byte) in a name: in each namespace whose name matches, now and later. One that is missing is waited for.",
            example: "bind 192.0.2.1:80 namespace blue",
        },
    },
    Opt {
        name: "no-namespace",
        apply: |options, word, _, sink| no_namespace(options, word, sink),
        doc: Doc {
            syntax: "no-namespace",
            default: "off",
            meaning: "Listen in the namespace that nsproxy runs in, whatever `default_namespace` says. Only in nsproxy.",
            example: "bind 192.0.2.1:80 no-namespace",
        },
    },
    Opt {
        name: "accept-proxy",
        apply: |options, _, _, _| options.accept_proxy = true,
        doc: Doc {
            syntax: "accept-proxy",
            default: "off",
            meaning: "Each connection begins with a PROXY header, v1 or v2.",
            example: "bind :8080 accept-proxy",
        },
    },
    Opt {
        name: "netns-tlv",
        apply: |options, word, args, sink| options.narrowed = netns_tlv::parse(word, args, sink),
        doc: Doc {
            syntax: "netns-tlv allow NAME|PATTERN[,...] [require]|require|ignore",
            default: "all of `namespace_list`",
            meaning: "With `accept-proxy`, or where a rule says `expect-proxy layer4`: which namespaces a header may select here. `allow`: of `namespace_list`, only these names, and those that match these patterns. `require`: a header has to select one, or its connection is closed. `ignore`: none; the listener's namespace applies. A connection for which no rule expects a header has none, and is not concerned. Only in nsproxy.",
            example: "bind :8080 accept-proxy netns-tlv require",
        },
    },
    Opt {
        name: "transparent",
        apply: |options, word, _, _| options.transparent = Some(word.span),
        doc: Doc {
            syntax: "transparent",
            default: "off",
            meaning: "Accept connections to addresses that this host does not have (`IP_TRANSPARENT`, for TPROXY). Not for unix sockets.",
            example: "bind :8080 transparent",
        },
    },
    Opt {
        name: "v4v6",
        apply: |options, _, _, _| options.v4v6 = true,
        doc: Doc {
            syntax: "v4v6",
            default: "as `net.ipv6.bindv6only` of the namespace says",
            meaning: "All addresses of IPv6 (`:::80`) include those of IPv4. Without effect on others.",
            example: "bind :::80 v4v6",
        },
    },
    Opt {
        name: "v6only",
        apply: |options, _, _, _| options.v6only = true,
        doc: Doc {
            syntax: "v6only",
            default: "as `net.ipv6.bindv6only` of the namespace says",
            meaning: "All addresses of IPv6 (`:::80`) do not include those of IPv4, whatever `v4v6` says. Without effect on others.",
            example: "bind :::80 v6only",
        },
    },
    Opt {
        name: "name",
        apply: name,
        doc: Doc {
            syntax: "name TEXT",
            default: "none",
            meaning: "A label.",
            example: "bind :80 name public",
        },
    },
];

fn bind(draft: &mut Draft, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let Some(word) = args.need("bind", "an address", sink) else {
        return;
    };
    let addresses = addresses(word, sink);
    let mut line = Options::default();
    options(&mut line, args, TABLES, &keywords::BIND_OPTIONS, "bind", sink);
    let (netns, is_default) = match line.netns {
        Chosen::Default => (None, true),
        Chosen::Home => (None, false),
        Chosen::Named(ref netns) => (Some(netns.clone()), false),
    };
    let netns_tlv = narrow(draft, &mut line);
    let id = line.socket.id.map(|(id, span)| {
        if addresses
            .iter()
            .map(|(address, _)| address.sockets())
            .sum::<usize>()
            > 1
        {
            sink.error(span, "several sockets cannot have one `id`");
        }
        id
    });
    for (address, span) in addresses {
        if let (BindAddress::Unix(_) | BindAddress::Abstract(_), Some(transparent)) =
            (&address, line.transparent)
        {
            let error = Diagnostic::error(transparent, "a unix socket cannot be `transparent`");
            sink.push(error.with_related(span, "the unix socket"));
            return;
        }
        if let (BindAddress::Unix(_) | BindAddress::Abstract(_), Some((_, interface))) =
            (&address, &line.socket.interface)
        {
            let error = Diagnostic::error(*interface, "nothing comes to a unix socket by a link");
            sink.push(error.with_related(span, "the unix socket"));
            return;
        }
        let bind = Bind {
            address,
            netns: netns.clone(),
            accept_proxy: line.accept_proxy,
            netns_tlv: netns_tlv.clone(),
            transparent: line.transparent.is_some(),
            // `v6only` wins.
            only_v6: (line.v6only || line.v4v6).then_some(line.v6only),
            name: line.name.clone(),
            id,
            socket: BindSocket {
                interface: line.socket.interface.as_ref().map(|(name, _)| name.clone()),
                ..line.socket.model.clone()
            },
            place: sink.place(span),
        };
        if is_default {
            draft.unplaced_binds.push(draft.binds.len());
        }
        draft.binds.push((bind, span));
    }
}

/// What `netns-tlv` says. Whether it can have an effect is known once the rules of the section are.
fn narrow(draft: &mut Draft, line: &mut Options) -> NetnsTlv {
    let Some(Narrowed { policy, span, names }) = line.narrowed.take() else {
        return NetnsTlv::default();
    };
    if !line.accept_proxy {
        draft.narrowed_by_rule.push(span);
    }
    draft.narrowed.extend(names);
    policy
}

/// The most addresses of one line, and bytes of a label: each address has a copy of the line's options, so a short
/// text must not ask for many long ones.
const MOST_ADDRESSES: usize = 1024;
const LONGEST_NAME: usize = 255;

/// The addresses of a comma-separated list, each with its place.
pub(in crate::lower) fn addresses(word: &Word<'_>, sink: &mut Sink<'_>) -> Vec<(BindAddress, Span)> {
    let mut found = Vec::new();
    let mut offset = 0;
    for text in word.text.split(',') {
        if found.len() == MOST_ADDRESSES {
            let rest = word.part(offset..word.text.len());
            let message = format!("more than {MOST_ADDRESSES} addresses on one line");
            sink.push(Diagnostic::error(rest, message).with_help("write several `bind` lines"));
            return Vec::new();
        }
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
        if let Chosen::Home = options.netns {
            return namespaces::refuse_both(word.span, sink);
        }
        options.netns = namespaces::of_bind(word, sink).map_or(Chosen::Home, Chosen::Named);
    }
}

fn no_namespace(options: &mut Options, word: &Word<'_>, sink: &mut Sink<'_>) {
    if let Chosen::Named(_) = options.netns {
        return namespaces::refuse_both(word.span, sink);
    }
    options.netns = Chosen::Home;
}

fn name<'a, 's>(options: &mut Options, _: &'a Word<'s>, args: &mut Args<'a, 's>, sink: &mut Sink<'_>) {
    let Some(word) = args.need("name", "a name", sink) else {
        return;
    };
    if word.text.len() > LONGEST_NAME {
        sink.error(
            word.span,
            format!(
                "a label has at most {LONGEST_NAME} bytes, this one has {}",
                word.text.len()
            ),
        );
        return;
    }
    options.name = Some(word.text.clone().into_owned());
}
