//! Options of `bind` lines about the listening socket itself, and how many sessions it may have.

use std::num::{NonZeroU16, NonZeroU32};
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::lower::args::{Args, Opt};
use crate::lower::sink::Sink;
use crate::model::BindSocket;
use crate::reference::Doc;
use crate::source::Span;
use crate::syntax::Word;
use crate::values::interface;

use super::bind::Options;

/// What the kernel takes (tcp(7)).
const SEGMENTS: RangeInclusive<u32> = 88..=32_767;

/// What the options of one line say of all its sockets.
#[derive(Default)]
pub(super) struct Socket {
    /// But for the interface.
    pub(super) model: BindSocket,
    /// `interface`, and where it stands.
    pub(super) interface: Option<(String, Span)>,
    /// `id`, and where it stands.
    pub(super) id: Option<(NonZeroU32, Span)>,
}

pub(super) static OPTIONS: &[Opt<Options>] = &[
    Opt {
        name: "maxconn",
        apply: |options, _, args, sink| options.socket.model.maxconn = number("maxconn", args, sink),
        doc: Doc {
            syntax: "maxconn N",
            default: "that of the frontend",
            meaning: "Most sessions of each of the line's sockets at a time. More wait in the kernel's backlog. 0: no limit of its own.",
            example: "bind :80,:81 maxconn 100",
        },
    },
    Opt {
        name: "backlog",
        apply: |options, _, args, sink| options.socket.model.backlog = number("backlog", args, sink),
        doc: Doc {
            syntax: "backlog N",
            default: "`backlog` of the frontend",
            meaning: "How many connections may wait in the kernel's backlog.",
            example: "bind :80 backlog 1000",
        },
    },
    Opt {
        name: "interface",
        apply: |options, option, args, sink| {
            let name = interface_name("interface", args, sink);
            options.socket.interface = name.map(|name| (name, option.span));
        },
        doc: Doc {
            syntax: "interface NAME",
            default: "any",
            meaning: "Take only connections that come in by that link of the namespace (`SO_BINDTODEVICE`). Not for unix sockets.",
            example: "bind :80 interface eth0",
        },
    },
    Opt {
        name: "mss",
        apply: |options, _, args, sink| {
            let value = args.need_number("mss", &SEGMENTS, sink);
            let value = value.and_then(|value| u16::try_from(value).ok());
            options.socket.model.mss = value.and_then(NonZeroU16::new);
        },
        doc: Doc {
            syntax: "mss BYTES",
            default: "the kernel's",
            meaning: "The longest segment that clients are told to send, from 88 to 32767 bytes (`TCP_MAXSEG`).",
            example: "bind :80 mss 1400",
        },
    },
    Opt {
        name: "tcp-ut",
        apply: tcp_ut,
        doc: Doc {
            syntax: "tcp-ut TIME",
            default: "the kernel's",
            meaning: "How long bytes for a client may stay unacknowledged before its connection is given up (`TCP_USER_TIMEOUT`). 0: as the kernel has it.",
            example: "bind :80 tcp-ut 30s",
        },
    },
    Opt {
        name: "defer-accept",
        apply: |options, _, _, _| options.socket.model.defer_accept = true,
        doc: Doc {
            syntax: "defer-accept",
            default: "off",
            meaning: "Take a connection only once its client has sent something (`TCP_DEFER_ACCEPT`).",
            example: "bind :80 defer-accept",
        },
    },
    Opt {
        name: "tfo",
        apply: |options, _, _, _| options.socket.model.tfo = true,
        doc: Doc {
            syntax: "tfo",
            default: "off",
            meaning: "Take bytes that come with the request for the connection (`TCP_FASTOPEN`), where `net.ipv4.tcp_fastopen` of the namespace allows it.",
            example: "bind :80 tfo",
        },
    },
    Opt {
        name: "id",
        apply: id,
        doc: Doc {
            syntax: "id N",
            default: "its place among the sockets of the frontend, or the next number that is free",
            meaning: "A number for the socket, which `so_id` fetches. Only for a line with one address and port.",
            example: "bind :80 id 7",
        },
    },
];

/// A number; 0 is none.
fn number(name: &'static str, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) -> Option<NonZeroU32> {
    let value = args.need_number(name, &(0..=i32::MAX.unsigned_abs()), sink);
    value.and_then(NonZeroU32::new)
}

/// The name of a link.
pub(super) fn interface_name(name: &str, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) -> Option<String> {
    let word = args.need(name, "the name of a link", sink)?;
    interface::check(&word.text)
        .map_err(|error| sink.error(word.span, error.to_string()))
        .ok()?;
    Some(word.text.clone().into_owned())
}

fn tcp_ut<'a, 's>(options: &mut Options, _: &'a Word<'s>, args: &mut Args<'a, 's>, sink: &mut Sink<'_>) {
    if let Some((value, _)) = args.need_time("tcp-ut", sink) {
        options.socket.model.tcp_ut = Some(value).filter(|value| *value > Duration::ZERO);
    }
}

fn id<'a, 's>(options: &mut Options, option: &'a Word<'s>, args: &mut Args<'a, 's>, sink: &mut Sink<'_>) {
    let id = args.need_number("id", &(1..=i32::MAX.unsigned_abs()), sink);
    options.socket.id = id.and_then(NonZeroU32::new).map(|id| (id, option.span));
}
