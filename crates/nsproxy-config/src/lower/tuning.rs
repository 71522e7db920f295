//! The statements of `global` about the kernel's buffers: `tune.rcvbuf` and `tune.sndbuf`, of clients and of servers.

use std::num::NonZeroU32;

use super::args::Args;
use super::global::GlobalDirective;
use super::sink::Sink;
use crate::reference::Doc;
use crate::report::Diagnostic;
use crate::values::size;

/// What applies without a size.
const DEFAULT: &str = "0: the kernel's choice, which follows the connection";

pub(super) static STATEMENTS: &[GlobalDirective] = &[
    GlobalDirective {
        name: "tune.rcvbuf.client",
        repeats: false,
        apply: |global, args, sink| global.client_buffers.receive = size(args, sink),
        doc: Doc {
            syntax: "tune.rcvbuf.client SIZE",
            default: DEFAULT,
            meaning: "What the kernel holds at most of what one client has sent (`SO_RCVBUF`, up to `net.core.rmem_max`). A reload sets a new size, \
                      and does not take one back from sockets that listen.",
            example: "tune.rcvbuf.client 64k",
        },
    },
    GlobalDirective {
        name: "tune.rcvbuf.server",
        repeats: false,
        apply: |global, args, sink| global.server_buffers.receive = size(args, sink),
        doc: Doc {
            syntax: "tune.rcvbuf.server SIZE",
            default: DEFAULT,
            meaning: "The same of what one server has sent.",
            example: "tune.rcvbuf.server 256k",
        },
    },
    GlobalDirective {
        name: "tune.sndbuf.client",
        repeats: false,
        apply: |global, args, sink| global.client_buffers.send = size(args, sink),
        doc: Doc {
            syntax: "tune.sndbuf.client SIZE",
            default: DEFAULT,
            meaning: "What the kernel holds at most of what one client is to be sent (`SO_SNDBUF`, up to `net.core.wmem_max`).",
            example: "tune.sndbuf.client 1m",
        },
    },
    GlobalDirective {
        name: "tune.sndbuf.server",
        repeats: false,
        apply: |global, args, sink| global.server_buffers.send = size(args, sink),
        doc: Doc {
            syntax: "tune.sndbuf.server SIZE",
            default: DEFAULT,
            meaning: "The same of what one server is to be sent.",
            example: "tune.sndbuf.server 65536",
        },
    },
];

/// The one size that a statement has; 0 is none.
fn size(args: &mut Args<'_, '_>, sink: &mut Sink<'_>) -> Option<NonZeroU32> {
    let name = args.keyword().text.clone();
    let word = args.need(&name, "a size", sink)?;
    let size = size::parse(&word.text)
        .map_err(|error| sink.push(Diagnostic::error(word.span, error.to_string()).with_help(size::HELP)));
    args.finish(sink);
    NonZeroU32::new(size.ok()?)
}
