//! What the sockets of frontends and backends are like, as configuration text.

use std::fmt::Write as _;
use std::net::SocketAddr;

use super::{Host, Time};
use crate::model::{Bind, Global, KeepAlive, SourceAddress, UseSource};
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

/// The statements of `global` about the kernel's buffers.
pub(super) fn buffers(global: &Global) -> impl Iterator<Item = String> + use<> {
    let sides = [
        ("client", global.client_buffers),
        ("server", global.server_buffers),
    ];
    let sizes = sides.into_iter().flat_map(|(side, buffers)| {
        [("rcvbuf", buffers.receive), ("sndbuf", buffers.send)].map(|(name, size)| (name, side, size))
    });
    sizes.filter_map(|(name, side, size)| Some(format!("tune.{name}.{side} {}", size?)))
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

/// What connections to servers are bound to.
pub(super) fn source(source: &SourceAddress) -> String {
    let mut text = match source.ports {
        None => format!("source {}", place(&source.address)),
        Some(ports) => {
            let host = place(&source.address);
            format!("source {host}:{}-{}", ports.first(), ports.last())
        }
    };
    match &source.usesrc {
        None => {}
        Some(UseSource::ClientIp) => text.push_str(" usesrc clientip"),
        Some(UseSource::Client) => text.push_str(" usesrc client"),
        Some(UseSource::Address(address)) => _ = write!(text, " usesrc {}", place(address)),
    }
    if let Some(interface) = &source.interface {
        _ = write!(text, " interface {}", quote(interface));
    }
    text
}

/// An address with its port, unless that is left to the kernel.
fn place(address: &SocketAddr) -> String {
    match address.port() {
        0 => Host(address.ip()).to_string(),
        _ => address.to_string(),
    }
}
