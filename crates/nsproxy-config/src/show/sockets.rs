//! What the sockets of frontends and backends are like, as configuration text.

use std::fmt::Write as _;

use super::Time;
use crate::model::{Bind, KeepAlive};
use crate::quote;

/// The options of a `bind` line about its sockets.
pub(super) fn options(bind: &Bind, line: &mut String) {
    let socket = &bind.socket;
    let numbers = [
        ("id", bind.id.map(u32::from)),
        ("maxconn", socket.maxconn.map(u32::from)),
        ("backlog", socket.backlog.map(u32::from)),
        ("mss", socket.mss.map(|mss| mss.get().into())),
    ];
    for (name, value) in numbers {
        if let Some(value) = value {
            _ = write!(line, " {name} {value}");
        }
    }
    if let Some(interface) = &socket.interface {
        _ = write!(line, " interface {}", quote(interface));
    }
    if let Some(time) = socket.tcp_ut {
        _ = write!(line, " tcp-ut {}", Time(time));
    }
    for (name, is_on) in [("defer-accept", socket.defer_accept), ("tfo", socket.tfo)] {
        if is_on {
            _ = write!(line, " {name}");
        }
    }
}

/// The statements about probes; `side` is how their names begin.
pub(super) fn keep_alive(side: &str, keep_alive: Option<&KeepAlive>) -> Vec<String> {
    let Some(keep_alive) = keep_alive else {
        return Vec::new();
    };
    let numbers = [
        ("cnt", keep_alive.count),
        ("idle", keep_alive.idle),
        ("intvl", keep_alive.interval),
    ];
    let numbers = numbers
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{side}tcpka-{name} {}", value?)));
    std::iter::once(format!("option {side}tcpka"))
        .chain(numbers)
        .collect()
}
