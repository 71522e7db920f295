//! All rows of all tables, for the reference.

use super::{admin, global, namespaces, resolvers, table};
use crate::reference::{Entry, Home};

/// Every keyword that nsproxy understands.
pub(crate) fn rows() -> Vec<Entry> {
    let mut rows = Vec::new();
    let global = global::statements();
    rows.extend(global.map(|row| Entry::new(row.name, Home::Sections(&["global"]), &row.doc)));
    // The last of them has options.
    rows.extend(admin::parts());
    let list = Home::Sections(&["namespace_list"]);
    rows.push(Entry::new("namespace", list, &namespaces::DOC));
    let home = Home::Sections(&["resolvers"]);
    let lines = resolvers::STATEMENTS.iter();
    rows.extend(lines.map(|row| Entry::new(row.name, home, &row.doc)));
    for row in table::STATEMENTS {
        let home = Home::Sections(row.side.sections(row.heredity));
        rows.extend(row.doc.iter().map(|doc| Entry::new(row.name, home, doc)));
        rows.extend((row.parts)());
    }
    rows
}
