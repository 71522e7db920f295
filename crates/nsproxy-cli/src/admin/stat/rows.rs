//! The value of each column of `show stat` in the row of a frontend, a backend or a server.

use std::time::Duration;

use nsproxy_engine::{Admin, CheckReport, Down, PoolStatus, RelayStatus, ServerStatus, Totals};

use super::columns::Column;
use crate::admin::directory::{Back, Front, Proxy, ServerEntry};
use crate::admin::servers::{is_stopped, level};
use crate::admin::typed::Value;
use crate::admin::whereabouts::Whereabouts;

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Frontend,
    Backend,
    Server,
}

impl Kind {
    /// HAProxy's bit in the filter of `show stat`.
    pub(super) const fn bit(self) -> i64 {
        match self {
            Self::Frontend => 1,
            Self::Backend => 2,
            Self::Server => 4,
        }
    }

    /// As typed lines begin.
    pub(super) const fn letter(self) -> char {
        match self {
            Self::Frontend => 'F',
            Self::Backend => 'B',
            Self::Server => 'S',
        }
    }

    /// As JSON has it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Frontend => "Frontend",
            Self::Backend => "Backend",
            Self::Server => "Server",
        }
    }

    /// The value of the column `type`.
    const fn number(self) -> u64 {
        match self {
            Self::Frontend => 0,
            Self::Backend => 1,
            Self::Server => 2,
        }
    }
}

/// The same, with what is known of it.
pub(super) enum Subject<'s> {
    Front(&'s Front, &'s RelayStatus),
    /// With the weight of all servers that are used.
    Back(&'s Back, &'s PoolStatus, u64),
    Server(&'s ServerEntry, &'s ServerStatus),
}

/// One row.
pub(super) struct Row<'s> {
    pub(super) proxy: &'s Proxy,
    /// The server's number; 0 of others.
    pub(super) number: usize,
    pub(super) subject: Subject<'s>,
    /// Addresses and algorithms are told.
    pub(super) with_places: bool,
}

impl Row<'_> {
    pub(super) const fn kind(&self) -> Kind {
        match self.subject {
            Subject::Front(..) => Kind::Frontend,
            Subject::Back(..) => Kind::Backend,
            Subject::Server(..) => Kind::Server,
        }
    }

    pub(super) fn tags(&self, column: &Column) -> &'static str {
        match self.kind() {
            Kind::Backend => column.tags_of_backend(),
            Kind::Frontend | Kind::Server => column.tags,
        }
    }

    pub(super) fn is_up(&self) -> bool {
        match &self.subject {
            Subject::Front(..) => true,
            Subject::Back(_, pool, _) => is_pool_up(self.proxy, pool),
            Subject::Server(_, server) => !is_stopped(server),
        }
    }

    /// Whether it is a server in maintenance.
    pub(super) fn is_out(&self) -> bool {
        matches!(&self.subject, Subject::Server(_, server) if server.down.contains(Down::MAINTENANCE))
    }

    /// The value of a column; `None` where it is left empty.
    pub(super) fn value(&self, column: &str) -> Option<Value> {
        let value = match column {
            "pxname" => Value::text(&self.proxy.name),
            "pid" => Value::Number(1),
            "iid" => Value::Number(u64::from(self.proxy.id)),
            "sid" => Value::Number(self.number as u64),
            "type" => Value::Number(self.kind().number()),
            "mode" => Value::text("tcp"),
            // What nsproxy does not do, or does not see: it has happened to nobody.
            "wrew" | "eint" | "ssl_sess" | "ssl_reused_sess" | "ssl_failed_handshake" => Value::Number(0),
            _ => {
                return match &self.subject {
                    Subject::Front(front, status) => frontend(column, front, status),
                    Subject::Back(back, status, weight) => backend(column, self, (back, *weight), status),
                    Subject::Server(entry, status) => server(column, self.with_places, entry, status),
                };
            }
        };
        Some(value)
    }
}

fn frontend(column: &str, front: &Front, status: &RelayStatus) -> Option<Value> {
    let counts = &status.counts;
    let number = match column {
        "svname" => return Some(Value::text("FRONTEND")),
        "status" => return Some(Value::text("OPEN")),
        "scur" => u64::from(status.sessions),
        "smax" => u64::from(status.most_sessions),
        "slim" => front.limit,
        "stot" => counts.sessions,
        "bin" => counts.bytes_up,
        "bout" => counts.bytes_down,
        "dreq" => counts.rejected_contents,
        "dresp" => counts.rejected_responses,
        "ereq" => counts.header_refused,
        "rate" => u64::from(status.rate),
        "rate_lim" => front.rate_limit,
        "rate_max" => u64::from(status.most_rate),
        "conn_rate" => u64::from(status.connection_rate),
        "conn_rate_max" => u64::from(status.most_connection_rate),
        "conn_tot" => counts.connections,
        "dcon" => counts.rejected_connections,
        "dses" => counts.rejected_sessions,
        "req_rate" | "req_rate_max" | "req_tot" => 0,
        _ => return of_modules(column),
    };
    Some(Value::Number(number))
}

fn backend(column: &str, row: &Row<'_>, (back, weight): (&Back, u64), status: &PoolStatus) -> Option<Value> {
    let number = match column {
        "svname" => return Some(Value::text("BACKEND")),
        "status" if is_pool_up(row.proxy, status) => return Some(Value::text("UP")),
        "status" => return Some(Value::text("DOWN")),
        "algo" => return row.with_places.then(|| Value::text(back.algorithm)),
        "lastsess" => return Some(ago(status.totals.last_session)),
        "qcur" => status.waiting_for_any as u64,
        "qmax" => status.most_waiting_for_any as u64,
        "scur" => u64::from(status.sessions),
        "smax" => u64::from(status.most_sessions),
        "slim" => back.fullconn,
        "stot" => status.totals.counts.sessions,
        "weight" | "uweight" => weight,
        "act" => status.active as u64,
        "bck" => status.backups as u64,
        "chkdown" => status.availability.downs,
        "lastchg" => status.availability.unchanged_for.as_secs(),
        "downtime" => status.availability.down_for.as_secs(),
        "rate" => u64::from(status.rate),
        "rate_max" => u64::from(status.most_rate),
        "dreq" | "agg_server_status" | "agg_server_check_status" | "agg_check_status" => 0,
        _ => {
            return on_the_way(column, &status.totals)
                .map(Value::Number)
                .or_else(|| of_modules(column));
        }
    };
    Some(Value::Number(number))
}

fn server(column: &str, with_places: bool, entry: &ServerEntry, status: &ServerStatus) -> Option<Value> {
    let is_out = status.down.contains(Down::MAINTENANCE);
    // What is known of checks is told while they are made.
    let health = status.health.as_ref().filter(|_| entry.check.is_some());
    let last = health.filter(|_| !is_out).and_then(|health| health.last.as_ref());
    let number = match column {
        "svname" => return Some(Value::text(&entry.name)),
        "status" => return Some(Value::Text(state(entry, status))),
        "addr" => return with_places.then(|| Value::Text(Whereabouts(status).shown())),
        "tracked" => {
            let (pool, server) = status.tracked.as_ref()?;
            return Some(Value::Text(format!("{pool}/{server}")));
        }
        "lastsess" => return Some(ago(status.totals.last_session)),
        "check_status" => return last.map(|last| Value::text(last.result.code())),
        "last_chk" => return last.map(|last| Value::text(&last.info)),
        "check_desc" => return last.map(|last| Value::Text(last.result.to_string())),
        "qcur" => status.waiting as u64,
        "qmax" => status.most_waiting as u64,
        "scur" | "used_conn_cur" => status.sessions as u64,
        "smax" | "need_conn_est" => u64::from(status.most_sessions),
        "slim" => u64::from(status.max_sessions?.get()),
        "stot" => status.totals.counts.sessions,
        "weight" | "uweight" => u64::from(status.weight),
        "act" => u64::from(!status.backup),
        "bck" => u64::from(status.backup),
        "chkfail" => health?.failed_checks,
        "chkdown" => health.map(|_| status.availability.downs)?,
        "lastchg" => status.availability.unchanged_for.as_secs(),
        "downtime" => health.map(|_| status.availability.down_for.as_secs())?,
        "rate" => u64::from(status.rate),
        "rate_max" => u64::from(status.most_rate),
        "check_duration" => millis(last?.duration?),
        "check_rise" => u64::from(entry.check.filter(|_| last.is_some())?.0),
        "check_fall" => u64::from(entry.check.filter(|_| last.is_some())?.1),
        "check_health" => last.map(|_: &CheckReport| u64::from(level(entry, status)))?,
        "srv_icur" | "idle_conn_cur" | "safe_conn_cur" => 0,
        _ => return on_the_way(column, &status.totals).map(Value::Number),
    };
    Some(Value::Number(number))
}

/// What backends and servers have in common.
fn on_the_way(column: &str, totals: &Totals) -> Option<u64> {
    let counts = &totals.counts;
    Some(match column {
        "bin" => counts.bytes_up,
        "bout" => counts.bytes_down,
        "dresp" => counts.rejected_responses,
        "econ" => counts.failed,
        "wretr" => counts.retries,
        "wredis" => counts.redispatches,
        "lbtot" => counts.chosen,
        "connect" => counts.attempts,
        "cli_abrt" => counts.client_aborts,
        "srv_abrt" => counts.server_aborts,
        "qtime" => millis(totals.queue_time.average),
        "ctime" => millis(totals.connect_time.average),
        "ttime" => millis(totals.total_time.average),
        "qtime_max" => millis(totals.queue_time.longest),
        "ctime_max" => millis(totals.connect_time.longest),
        "ttime_max" => millis(totals.total_time.longest),
        // Of HTTP: answers that are no good, the time to an answer, connections that are used again.
        "eresp" | "reuse" | "rtime" | "rtime_max" => 0,
        _ => return None,
    })
}

/// What frontends and backends have of compression and HTTP.
fn of_modules(column: &str) -> Option<Value> {
    ["comp_", "h1_", "h2_"]
        .iter()
        .any(|prefix| column.starts_with(prefix))
        .then_some(Value::Number(0))
}

/// A backend without servers counts as up, as in HAProxy.
fn is_pool_up(proxy: &Proxy, pool: &PoolStatus) -> bool {
    let has_servers = proxy.back.as_ref().is_some_and(|back| !back.servers.is_empty());
    pool.active + pool.backups > 0 || !has_servers
}

/// A server's state, in HAProxy's words.
fn state(entry: &ServerEntry, status: &ServerStatus) -> String {
    let via = match &status.tracked {
        Some((pool, server))
            if status.inherited == Admin::Maintenance && status.admin != Admin::Maintenance =>
        {
            format!(" (via {pool}/{server})")
        }
        _ => String::new(),
    };
    if status.down.contains(Down::MAINTENANCE) {
        return format!("MAINT{via}");
    }
    if status.down.contains(Down::UNRESOLVED) {
        return "MAINT (resolution)".to_owned();
    }
    if status.down.contains(Down::UNHEALTHY) {
        // On its way up it tells how far it has come.
        return match (&status.health, entry.check) {
            (Some(health), Some(_)) if health.progress.0 > 0 => {
                format!("DOWN {}/{}", health.progress.0, health.progress.1)
            }
            _ => "DOWN".to_owned(),
        };
    }
    if status.admin.max(status.inherited) == Admin::Drain {
        return "DRAIN".to_owned();
    }
    match (&status.health, entry.check) {
        (Some(health), Some(_)) if health.progress.0 < health.progress.1 && health.last.is_some() => {
            format!("UP {}/{}", health.progress.0, health.progress.1)
        }
        (Some(_), _) => "UP".to_owned(),
        (None, _) => "no check".to_owned(),
    }
}

/// Seconds since then; -1 for never.
fn ago(since: Option<Duration>) -> Value {
    Value::Signed(since.map_or(-1, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX)))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
