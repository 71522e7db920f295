//! `show stat`: a row for each frontend, backend and server, in the order of the configuration.
//!
//! | file | what is in it |
//! |---|---|
//! | `columns.rs` | the columns |
//! | `rows.rs` | the value of each column in each row |

mod columns;
mod rows;

use std::collections::HashMap;
use std::io;

use nsproxy_config::model::AdminLevel;
use serde_json::json;

use self::columns::{BEFORE_DASH, COLUMNS};
use self::rows::{Kind, Row, Subject};
use super::Context;
use super::command::Out;
use super::directory::Proxy;
use super::servers::{self, Servers};
use super::typed::Format;

/// What is asked for.
#[derive(Debug)]
struct Wanted {
    /// Only the proxy with this number.
    proxy: Option<u32>,
    /// HAProxy's bits of the kinds of rows; -1 has all of them.
    kinds: i64,
    /// Only the server with this number.
    server: Option<usize>,
    /// Only what is up.
    up: bool,
    /// Only what is not in maintenance.
    no_maint: bool,
    format: Format,
}

pub(in crate::admin) fn show(
    words: &[String],
    level: AdminLevel,
    context: &Context,
    out: &mut Out<'_>,
) -> io::Result<()> {
    let directory = context.directory();
    let Some(wanted) = wanted(words, &directory.proxies) else {
        return writeln!(out, "No such proxy.");
    };
    let statuses = Statuses::of(context);
    let rows = directory
        .proxies
        .iter()
        .filter(|proxy| wanted.proxy.is_none_or(|id| id == proxy.id))
        .flat_map(|proxy| rows_of(proxy, &statuses, level > AdminLevel::User))
        .filter(|row| wanted.has(row));
    match wanted.format {
        Format::Plain => csv(rows, out),
        Format::Typed => typed(rows, out),
        Format::Json => json_rows(rows, out),
    }
}

/// `[PROXY KINDS SERVER] [WORD...]`. `None`: there is no such proxy.
fn wanted(words: &[String], proxies: &[Proxy]) -> Option<Wanted> {
    let mut wanted = Wanted::EVERYTHING;
    let mut words = words;
    if let [proxy, kinds, server, rest @ ..] = words
        && !Wanted::is_known(proxy)
    {
        let number = |word: &str| word.parse::<i64>().unwrap_or(0);
        wanted.proxy = match number(proxy) {
            0 => Some(proxies.iter().find(|known| known.name == *proxy)?.id),
            id => u32::try_from(id).ok(),
        };
        // -1 is all of them.
        wanted.kinds = number(kinds);
        wanted.server = usize::try_from(number(server)).ok().filter(|server| *server > 0);
        words = rest;
    }
    for word in words {
        // Others mean nothing, as in HAProxy.
        wanted.take(word);
    }
    Some(wanted)
}

impl Wanted {
    const EVERYTHING: Self = Self {
        proxy: None,
        kinds: -1,
        server: None,
        up: false,
        no_maint: false,
        format: Format::Plain,
    };

    /// Whether a word says what is wanted.
    fn is_known(word: &str) -> bool {
        let mut everything = Self::EVERYTHING;
        everything.take(word)
    }

    /// Takes a word that says what is wanted; `false` for any other.
    fn take(&mut self, word: &str) -> bool {
        match (word, Format::of(word)) {
            ("up", _) => self.up = true,
            ("no-maint", _) => self.no_maint = true,
            (_, Some(format)) => self.format = format,
            (_, None) => return false,
        }
        true
    }

    fn has(&self, row: &Row<'_>) -> bool {
        let is_of_kind = self.kinds & row.kind().bit() != 0;
        let is_server = row.kind() == Kind::Server;
        let is_meant = self
            .server
            .is_none_or(|server| !is_server || server == row.number);
        let is_up = !self.up || row.is_up();
        let is_in = !self.no_maint || !row.is_out();
        is_of_kind && is_meant && is_up && is_in
    }
}

/// What the engine knows of everything, by name.
struct Statuses {
    relays: HashMap<String, nsproxy_engine::RelayStatus>,
    pools: HashMap<String, nsproxy_engine::PoolStatus>,
    servers: Servers,
}

impl Statuses {
    fn of(context: &Context) -> Self {
        let relays = context.engine.relays().into_iter();
        let pools = context.engine.pools().into_iter();
        Self {
            relays: relays.map(|status| (status.relay.clone(), status)).collect(),
            pools: pools.map(|status| (status.pool.clone(), status)).collect(),
            servers: servers::statuses(context),
        }
    }
}

/// A proxy's rows: the frontend, the servers, the backend.
fn rows_of<'s>(proxy: &'s Proxy, statuses: &'s Statuses, with_places: bool) -> Vec<Row<'s>> {
    let row = |number, subject| Row {
        proxy,
        number,
        subject,
        with_places,
    };
    let front = proxy
        .front
        .as_ref()
        .zip(statuses.relays.get(&proxy.name))
        .map(|(front, status)| row(0, Subject::Front(front, status)));
    let mut rows: Vec<_> = front.into_iter().collect();
    if let Some((back, pool)) = proxy.back.as_ref().zip(statuses.pools.get(&proxy.name)) {
        let mut weight = 0;
        for (number, entry) in (1..).zip(&back.servers) {
            let key = (proxy.name.clone(), entry.name.clone());
            if let Some(status) = statuses.servers.get(&key) {
                let is_used = status.down.is_empty() && status.backup == (pool.active == 0);
                weight += if is_used { u64::from(status.weight) } else { 0 };
                rows.push(row(number, Subject::Server(entry, status)));
            }
        }
        rows.push(row(0, Subject::Back(back, pool, weight)));
    }
    rows
}

fn csv<'s>(rows: impl Iterator<Item = Row<'s>>, out: &mut Out<'_>) -> io::Result<()> {
    write!(out, "# ")?;
    for column in COLUMNS {
        write!(out, "{},", column.name)?;
        dash(column.name, out)?;
    }
    writeln!(out)?;
    for row in rows {
        for column in COLUMNS {
            if let Some(value) = row.value(column.name) {
                value.write_csv(out)?;
            }
            write!(out, ",")?;
            dash(column.name, out)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// The column without a name, which has a dash in every row.
fn dash(column: &str, out: &mut Out<'_>) -> io::Result<()> {
    if column == BEFORE_DASH {
        write!(out, "-,")
    } else {
        Ok(())
    }
}

fn typed<'s>(rows: impl Iterator<Item = Row<'s>>, out: &mut Out<'_>) -> io::Result<()> {
    for row in rows {
        let kind = row.kind();
        for (position, column) in COLUMNS.iter().enumerate() {
            if let Some(value) = row.value(column.name) {
                writeln!(
                    out,
                    "{}.{}.{}.{position}.{}.1:{}:{}:{value}",
                    kind.letter(),
                    row.proxy.id,
                    row.number,
                    column.name,
                    row.tags(column),
                    column.kind
                )?;
            }
        }
    }
    Ok(())
}

fn json_rows<'s>(rows: impl Iterator<Item = Row<'s>>, out: &mut Out<'_>) -> io::Result<()> {
    write!(out, "[")?;
    for (index, row) in rows.enumerate() {
        let fields = COLUMNS.iter().enumerate().filter_map(|(position, column)| {
            let value = row.value(column.name)?;
            let mut field = value.json((position as u64, column.name), row.tags(column), column.kind);
            field.insert("objType".to_owned(), json!(row.kind().name()));
            field.insert("proxyId".to_owned(), json!(row.proxy.id));
            field.insert("id".to_owned(), json!(row.number));
            Some(field)
        });
        let fields: Vec<_> = fields.collect();
        let separator = if index == 0 { "" } else { "," };
        write!(out, "{separator}{}", json!(fields))?;
    }
    writeln!(out, "]")
}
