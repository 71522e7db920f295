//! `show info`: the process, field by field, in HAProxy's order. What nsproxy has none of is 0, as it is in a HAProxy that does
//! not use it. `show counters`: what the engine counts beside that.

use std::io;
use std::process;
use std::sync::atomic::Ordering;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit};
use nsproxy_engine::RelayStatus;
use serde_json::Value as Json;

use super::Context;
use super::command::Out;
use super::typed::{Format, Value};
use super::usage::Lately;
use crate::log::system_host;

/// The version of this program.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// One field.
struct Field {
    position: u32,
    name: &'static str,
    tags: &'static str,
    kind: &'static str,
}

const fn field(position: u32, name: &'static str, tags: &'static str, kind: &'static str) -> Field {
    Field {
        position,
        name,
        tags,
        kind,
    }
}

#[rustfmt::skip]
static FIELDS: &[Field] = &[
    field(0, "Name", "POS", "str"),
    field(1, "Version", "POS", "str"),
    field(2, "Release_date", "POS", "str"),
    field(3, "Nbthread", "CGS", "u32"),
    field(4, "Nbproc", "CGS", "u32"),
    field(5, "Process_num", "KGP", "u32"),
    field(6, "Pid", "SGP", "u32"),
    field(7, "Uptime", "MDP", "str"),
    field(8, "Uptime_sec", "MDP", "u32"),
    field(9, "Memmax_MB", "CLP", "u32"),
    field(10, "PoolAlloc_MB", "MGP", "u32"),
    field(11, "PoolUsed_MB", "MGP", "u32"),
    field(12, "PoolFailed", "MCP", "u32"),
    field(13, "Ulimit-n", "CLP", "u32"),
    field(14, "Maxsock", "CLP", "u32"),
    field(15, "Maxconn", "CLP", "u32"),
    field(16, "Hard_maxconn", "CLP", "u32"),
    field(17, "CurrConns", "MGP", "u32"),
    field(18, "CumConns", "MCP", "u32"),
    field(19, "CumReq", "MCP", "u32"),
    field(20, "MaxSslConns", "MMP", "u32"),
    field(21, "CurrSslConns", "MGP", "u32"),
    field(22, "CumSslConns", "MCP", "u32"),
    field(23, "Maxpipes", "CLP", "u32"),
    field(24, "PipesUsed", "MGP", "u32"),
    field(25, "PipesFree", "MGP", "u32"),
    field(26, "ConnRate", "MRP", "u32"),
    field(27, "ConnRateLimit", "CLP", "u32"),
    field(28, "MaxConnRate", "MMP", "u32"),
    field(29, "SessRate", "MRP", "u32"),
    field(30, "SessRateLimit", "CLP", "u32"),
    field(31, "MaxSessRate", "MRP", "u32"),
    field(32, "SslRate", "MRP", "u32"),
    field(33, "SslRateLimit", "CLP", "u32"),
    field(34, "MaxSslRate", "MMP", "u32"),
    field(35, "SslFrontendKeyRate", "MGP", "u32"),
    field(36, "SslFrontendMaxKeyRate", "MMP", "u32"),
    field(37, "SslFrontendSessionReuse_pct", "MGP", "u32"),
    field(38, "SslBackendKeyRate", "MRP", "u32"),
    field(39, "SslBackendMaxKeyRate", "MMP", "u32"),
    field(40, "SslCacheLookups", "MCP", "u32"),
    field(41, "SslCacheMisses", "MCP", "u32"),
    field(42, "CompressBpsIn", "MRP", "u32"),
    field(43, "CompressBpsOut", "MRP", "u32"),
    field(44, "CompressBpsRateLim", "CLP", "u32"),
    field(47, "Tasks", "MGP", "u32"),
    field(48, "Run_queue", "MGP", "u32"),
    field(49, "Idle_pct", "MaP", "u32"),
    field(50, "node", "COS", "str"),
    field(52, "Stopping", "MGP", "u32"),
    field(53, "Jobs", "MGP", "u32"),
    field(54, "Unstoppable Jobs", "MGP", "u32"),
    field(55, "Listeners", "MGP", "u32"),
    field(56, "ActivePeers", "MGP", "u32"),
    field(57, "ConnectedPeers", "MGP", "u32"),
    field(58, "DroppedLogs", "MGP", "u32"),
    field(59, "BusyPolling", "MGP", "u32"),
    field(60, "FailedResolutions", "MGP", "u32"),
    field(61, "TotalBytesOut", "MGP", "u64"),
    field(62, "TotalSplicdedBytesOut", "MGP", "u64"),
    field(63, "BytesOutRate", "MRP", "u64"),
    field(64, "DebugCommandsIssued", "MGP", "u32"),
    field(65, "CumRecvLogs", "MCP", "u32"),
    field(66, "Build info", "POS", "str"),
    field(67, "Memmax_bytes", "CLP", "u32"),
    field(68, "PoolAlloc_bytes", "MGP", "u64"),
    field(69, "PoolUsed_bytes", "MGP", "u64"),
    field(70, "Start_time_sec", "MDP", "u32"),
    field(71, "Tainted", "SGP", "str"),
];

pub(super) fn show(words: &[String], context: &Context, out: &mut Out<'_>) -> io::Result<()> {
    let asked = words.iter().rev().find_map(|word| Format::of(word));
    let facts = Facts::of(context);
    let mut fields = FIELDS.iter().map(|field| (field, facts.value(field.name)));
    match asked.unwrap_or_default() {
        Format::Plain => fields.try_for_each(|(field, value)| writeln!(out, "{}: {value}", field.name)),
        Format::Typed => fields.try_for_each(|(field, value)| {
            let Field {
                position,
                name,
                tags,
                kind,
            } = field;
            writeln!(out, "{position}.{name}.1:{tags}:{kind}:{value}")
        }),
        Format::Json => {
            let fields = fields.map(|(field, value)| {
                let place = (u64::from(field.position), field.name);
                Json::Object(value.json(place, field.tags, field.kind))
            });
            writeln!(out, "{}", Json::Array(fields.collect()))
        }
    }
}

/// What the engine counts, by its own names.
pub(super) fn counters(context: &Context, out: &mut Out<'_>) -> io::Result<()> {
    let stats = context.engine.stats();
    stats
        .each()
        .try_for_each(|(name, value)| writeln!(out, "{name}: {value}"))
}

/// What the fields are made from.
struct Facts {
    workers: usize,
    uptime: Duration,
    started: u64,
    open_files: u64,
    limit: usize,
    sessions: usize,
    listeners: u64,
    pipes: u64,
    connections: u64,
    relays: Vec<RelayStatus>,
    lately: Lately,
    losses: u64,
    is_ending: bool,
}

impl Facts {
    fn of(context: &Context) -> Self {
        let engine = &context.engine;
        let (stats, relays, workers) = (engine.stats(), engine.relays(), engine.workers());
        let sent = relays.iter().map(|relay| relay.counts.bytes_down).sum();
        Self {
            workers,
            lately: context.usage.lately(workers, sent),
            losses: context.losses.load(Ordering::Relaxed),
            uptime: context.started.elapsed(),
            started: context.started.date(),
            open_files: getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft),
            limit: engine.max_sessions(),
            sessions: engine.sessions(),
            listeners: stats.listeners,
            pipes: stats.pipes_in_use,
            connections: stats.accepted,
            relays,
            is_ending: engine.is_ending(),
        }
    }

    fn value(&self, name: &str) -> Value {
        let number = match name {
            "Name" => return Value::text("nsproxy"),
            "Version" | "Build info" => return Value::text(VERSION),
            "Release_date" => return Value::text("-"),
            "Uptime" => return Value::Text(uptime(self.uptime)),
            "node" => return Value::Text(system_host()),
            "Tainted" => return Value::text("0"),
            "Nbthread" => self.workers as u64,
            "Nbproc" | "Process_num" => 1,
            "Pid" => u64::from(process::id()),
            "Uptime_sec" => self.uptime.as_secs(),
            "Ulimit-n" | "Maxsock" => self.open_files,
            "Maxconn" | "Hard_maxconn" => self.limit as u64,
            "CurrConns" => self.sessions as u64,
            "CumConns" => self.connections,
            "CumReq" => self.sum(|relay| relay.counts.sessions),
            "PipesUsed" => self.pipes,
            "ConnRate" => self.sum(|relay| u64::from(relay.connection_rate)),
            "MaxConnRate" => self.most(|relay| [relay.connection_rate, relay.most_connection_rate]),
            "SessRate" => self.sum(|relay| u64::from(relay.rate)),
            "MaxSessRate" => self.most(|relay| [relay.rate, relay.most_rate]),
            "Idle_pct" => self.lately.idle,
            "BytesOutRate" => self.lately.bytes,
            "DroppedLogs" => self.losses,
            "Stopping" => u64::from(self.is_ending),
            "Jobs" => self.sessions as u64 + self.listeners,
            "Listeners" => self.listeners,
            "TotalBytesOut" => self.sum(|relay| relay.counts.bytes_down),
            "Start_time_sec" => self.started,
            _ => 0,
        };
        Value::Number(number)
    }

    fn sum(&self, of: impl Fn(&RelayStatus) -> u64) -> u64 {
        self.relays.iter().map(of).sum()
    }

    /// The most that is known of: of one relay ever, or of all together now.
    fn most(&self, rates: impl Fn(&RelayStatus) -> [u32; 2]) -> u64 {
        let now = self.sum(|relay| u64::from(rates(relay)[0]));
        let most = self.relays.iter().map(|relay| u64::from(rates(relay)[1])).max();
        now.max(most.unwrap_or(0))
    }
}

/// As HAProxy has it: `0d 0h00m01s`.
fn uptime(time: Duration) -> String {
    let seconds = time.as_secs();
    format!(
        "{}d {}h{:02}m{:02}s",
        seconds / 86_400,
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_uptime_is_written_as_haproxy_does() {
        assert_eq!(uptime(Duration::from_secs(1)), "0d 0h00m01s");
        assert_eq!(uptime(Duration::from_secs(90_061)), "1d 1h01m01s");
    }
}
