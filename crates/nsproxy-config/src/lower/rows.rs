//! All rows of all tables, for the reference.

use super::statements::{bind, server, source, timeout};
use super::{args::Opt, global, namespaces, table};
use crate::reference::{Entry, Home};

/// Every keyword that nsproxy understands.
pub(crate) fn rows() -> Vec<Entry> {
    let mut rows = Vec::new();
    let global = global::STATEMENTS.iter();
    rows.extend(global.map(|row| Entry::new(row.name, Home::Sections(&["global"]), &row.doc)));
    rows.push(Entry::new(
        "namespace",
        Home::Sections(&["namespace_list"]),
        &namespaces::DOC,
    ));
    for row in table::STATEMENTS {
        let home = Home::Sections(row.side.sections(row.is_item));
        rows.extend(row.doc.iter().map(|doc| Entry::new(row.name, home, doc)));
        match row.name {
            "bind" => options(&mut rows, "bind", bind::OPTIONS),
            "server" => options(&mut rows, "server", server::OPTIONS),
            "source" => options(&mut rows, "source", source::OPTIONS),
            "timeout" => rows.extend(timeout::TIMEOUTS.iter().map(|row| {
                let home = Home::Sections(row.side.sections(false));
                Entry::new(row.name, home, &row.doc)
            })),
            _ => {}
        }
    }
    rows
}

fn options<T>(rows: &mut Vec<Entry>, line: &'static str, table: &'static [Opt<T>]) {
    rows.extend(
        table
            .iter()
            .map(|option| Entry::new(option.name, Home::Line(line), &option.doc)),
    );
}
