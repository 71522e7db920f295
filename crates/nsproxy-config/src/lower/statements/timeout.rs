//! `timeout` and its names.

use std::time::Duration;

use crate::keywords;
use crate::lower::args::Args;
use crate::lower::draft::{Draft, Side, keyword_of};
use crate::lower::settings::{Set, Settings, set};
use crate::lower::sink::{Choice, Sink, shown};
use crate::lower::table::{Directive, Heredity};
use crate::reference::{Doc, Entry, Home};

pub(in crate::lower) static ROW: Directive = Directive {
    name: "timeout",
    side: Side::Both,
    heredity: Heredity::Setting,
    apply: timeout,
    doc: None,
    parts: || TIMEOUTS.iter().map(Timeout::entry).collect(),
};

/// A timeout and where it is kept.
struct Timeout {
    /// With the word `timeout`, as messages and the reference have it.
    name: &'static str,
    side: Side,
    slot: fn(&mut Settings) -> &mut Option<Set<Duration>>,
    doc: Doc,
}

static TIMEOUTS: &[Timeout] = &[
    Timeout {
        name: "timeout check",
        side: Side::Server,
        slot: |settings| &mut settings.check,
        doc: Doc {
            syntax: "timeout check TIME",
            default: "what is left of `inter`",
            meaning: "How long a check may take once it is connected. With it, connecting may take as long as `timeout connect` and `inter` allow.",
            example: "timeout check 2s",
        },
    },
    Timeout {
        name: "timeout client",
        side: Side::Client,
        slot: |settings| &mut settings.client,
        doc: Doc {
            syntax: "timeout client TIME",
            default: "never, with a warning",
            meaning: "How long the client may be inactive while the session waits for it.",
            example: "timeout client 1m",
        },
    },
    Timeout {
        name: "timeout client-fin",
        side: Side::Client,
        slot: |settings| &mut settings.client_fin,
        doc: Doc {
            syntax: "timeout client-fin TIME",
            default: "as before",
            meaning: "How long the client may be inactive once one direction has ended: the client's own, or the server's, which the client was told of. It begins then.",
            example: "timeout client-fin 30s",
        },
    },
    Timeout {
        name: "timeout client-hs",
        side: Side::Client,
        slot: |settings| &mut settings.client_hs,
        doc: Doc {
            syntax: "timeout client-hs TIME",
            default: "that of `timeout client`",
            meaning: "How long a client may take to send its whole PROXY header.",
            example: "timeout client-hs 5s",
        },
    },
    Timeout {
        name: "timeout connect",
        side: Side::Server,
        slot: |settings| &mut settings.connect,
        doc: Doc {
            syntax: "timeout connect TIME",
            default: "never, with a warning",
            meaning: "How long the connection to a server may take, its socket included.",
            example: "timeout connect 5s",
        },
    },
    Timeout {
        name: "timeout netns-removed",
        side: Side::Both,
        slot: |settings| &mut settings.netns_removed,
        doc: Doc {
            syntax: "timeout netns-removed TIME",
            default: "5s",
            meaning: "How long a session may go on once the namespace of its client or server was removed: in a frontend that of the listener, in a backend that of the server. Then both sides are reset, so that the namespace can die. 0: as long as it likes, and so the namespace and its links stay. Only in nsproxy.",
            example: "timeout netns-removed 30s",
        },
    },
    Timeout {
        name: "timeout queue",
        side: Side::Server,
        slot: |settings| &mut settings.queue,
        doc: Doc {
            syntax: "timeout queue TIME",
            default: "that of `timeout connect`",
            meaning: "How long a session may wait for a server to have room.",
            example: "timeout queue 30s",
        },
    },
    Timeout {
        name: "timeout server",
        side: Side::Server,
        slot: |settings| &mut settings.server,
        doc: Doc {
            syntax: "timeout server TIME",
            default: "never, with a warning",
            meaning: "How long the server may be inactive while the session waits for it.",
            example: "timeout server 1m",
        },
    },
    Timeout {
        name: "timeout server-fin",
        side: Side::Server,
        slot: |settings| &mut settings.server_fin,
        doc: Doc {
            syntax: "timeout server-fin TIME",
            default: "as before",
            meaning: "The same for the server.",
            example: "timeout server-fin 30s",
        },
    },
    Timeout {
        name: "timeout tunnel",
        side: Side::Server,
        slot: |settings| &mut settings.tunnel,
        doc: Doc {
            syntax: "timeout tunnel TIME",
            default: "none: `timeout client` and `timeout server` count",
            meaning: "How long either side may be inactive once bytes are relayed, in the place of `timeout client` and `timeout server`. `client-fin` and `server-fin` come before it.",
            example: "timeout tunnel 1h",
        },
    },
];

impl Timeout {
    fn entry(&'static self) -> Entry {
        Entry::new(
            self.name,
            Home::Sections(self.side.sections(Heredity::Setting)),
            &self.doc,
        )
    }

    /// The word behind `timeout`.
    fn word(&self) -> &'static str {
        self.name.strip_prefix("timeout ").unwrap_or(self.name)
    }
}

fn timeout(draft: &mut Draft, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let names: Vec<&str> = TIMEOUTS.iter().map(Timeout::word).collect();
    let Some(name) = args.need("timeout", "the name of a timeout", sink) else {
        return;
    };
    let Some(row) = TIMEOUTS.iter().find(|timeout| timeout.word() == name.text) else {
        let shown = format!("`timeout {}`", shown(name));
        if let Some(known) = keywords::TIMEOUTS.find(&name.text) {
            sink.refuse_or_leave_out(name.span, &shown, known.why, keyword_of(draft.kind));
            return;
        }
        let choice = Choice {
            what: "timeout",
            section: None,
            supported: &names,
            known: &keywords::TIMEOUTS,
        };
        sink.not_supported(name, &shown, &choice);
        return;
    };
    let Some((value, _)) = args.need_time(row.name, sink) else {
        return;
    };
    if !draft.has_side(row.side) {
        draft.warn_without_effect(args.span(), row.name, sink);
    }
    set(draft, row.slot, value, (row.name, args.span()), args, sink);
}
