//! `default-server`: options for the `server` lines below.

use super::server;
use crate::keywords;
use crate::lower::args::{Args, options};
use crate::lower::draft::{Draft, Side};
use crate::lower::sink::Sink;
use crate::lower::table::{Directive, Heredity};
use crate::reference::Doc;

pub(in crate::lower) static ROW: Directive = Directive {
    name: "default-server",
    side: Side::Server,
    heredity: Heredity::Setting,
    apply: default_server,
    doc: Some(Doc {
        syntax: "default-server OPTION...",
        default: "none",
        meaning: "Options of `server` for the `server` lines below, in the section or in those that inherit it. A line can override \
                  them; what it cannot take back otherwise it takes back with `no-check`, `no-backup`, `enabled` and the like. Several lines add up.",
        example: "default-server check inter 5s maxconn 100",
    }),
    parts: Vec::new,
};

fn default_server(draft: &mut Draft, args: &mut Args<'_, '_>, sink: &mut Sink<'_>) {
    let mut line = draft.settings.default_server.inherited();
    options(
        &mut line,
        args,
        server::TABLES,
        &keywords::SERVER_OPTIONS,
        "default-server",
        sink,
    );
    draft.settings_mut().default_server = line.into();
}
