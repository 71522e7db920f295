//! Sessions and namespaces: `show sess`, `shutdown session`, `show netns`.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use netns_core::NetnsId;
use nsproxy_engine::{NetnsState, SessionId, SessionStatus};

use super::Context;
use super::command::Out;

pub(super) fn show(words: &[String], context: &Context, out: &mut Out<'_>) -> io::Result<()> {
    match words.first().map(String::as_str) {
        None => context
            .engine
            .session_list()
            .try_for_each(|session| line(&session, out)),
        Some("all") => context
            .engine
            .session_list()
            .try_for_each(|session| details(&session, out)),
        Some(word) => match id(word).and_then(|id| context.engine.session(id)) {
            Some(session) => details(&session, out),
            None => writeln!(out, "Session not found."),
        },
    }
}

pub(super) fn shutdown(words: &[String], context: &Context, out: &mut Out<'_>) -> io::Result<()> {
    let Some(word) = words.first() else {
        return writeln!(out, "Session pointer expected (use 'show sess').");
    };
    if id(word).is_some_and(|id| context.engine.end_session(id)) {
        Ok(())
    } else {
        writeln!(out, "No such session (use 'show sess').")
    }
}

/// What `show sess` begins a line with.
fn id(word: &str) -> Option<SessionId> {
    let digits = word.strip_prefix("0x").unwrap_or(word);
    u64::from_str_radix(digits, 16).ok().map(SessionId::from_number)
}

/// A session on one line: HAProxy's words first, as far as they mean something here.
fn line(session: &SessionStatus, out: &mut Out<'_>) -> io::Result<()> {
    let [up, down] = session.bytes;
    write!(
        out,
        "{:#x}: proto={} src={} fe={} be={} srv={} age={} state={} netns={} to={} to_netns={} bin={up} bout={down}",
        session.id.number(),
        protocol(session),
        address(session.client),
        session.relay,
        session.pool.as_deref().unwrap_or("<NONE>"),
        session.server.as_deref().unwrap_or("<none>"),
        human(session.age),
        session.stage.name(),
        netns(session.client_netns.as_deref()),
        address(session.upstream),
        netns(session.upstream_netns.as_deref()),
    )?;
    if let Some([client, server]) = session.idle {
        write!(out, " idle=[{},{}]", human(client), human(server))?;
    }
    writeln!(
        out,
        " exp={} rc={}",
        session.expires.map(human).unwrap_or_default(),
        session.retries
    )
}

/// A session on several lines.
fn details(session: &SessionStatus, out: &mut Out<'_>) -> io::Result<()> {
    let number = session.id.number();
    let [up, down] = session.bytes;
    let never = |time: Option<Duration>| time.map_or_else(|| "<NEVER>".to_owned(), human);
    writeln!(
        out,
        "{number:#x}: proto={} source={} netns={} age={} state={}",
        protocol(session),
        address(session.client),
        netns(session.client_netns.as_deref()),
        human(session.age),
        session.stage.name(),
    )?;
    let (listener, listener_netns) = &session.listener;
    writeln!(
        out,
        "  frontend={} listener={listener} netns={}",
        session.relay,
        netns(listener_netns.as_deref())
    )?;
    writeln!(
        out,
        "  backend={} addr={}",
        session.pool.as_deref().unwrap_or("<NONE>"),
        address(session.source)
    )?;
    writeln!(
        out,
        "  server={} addr={} netns={} conn_retries={}",
        session.server.as_deref().unwrap_or("<NONE>"),
        address(session.upstream),
        netns(session.upstream_netns.as_deref()),
        session.retries,
    )?;
    let idle = |side: usize| never(session.idle.map(|idle| idle[side]));
    writeln!(out, "  req=(total={up} idle={})", idle(0))?;
    writeln!(out, "  res=(total={down} idle={})", idle(1))?;
    writeln!(out, "  exp={}", never(session.expires))
}

/// Network namespaces of the configuration, and those that sessions are still in. A cookie is the kernel's number of one, and
/// never used again; 0 while it is not there.
pub(super) fn show_netns(context: &Context, out: &mut Out<'_>) -> io::Result<()> {
    writeln!(out, "# name cookie state listeners pending sessions stock")?;
    for netns in context.engine.namespaces() {
        let state = match netns.state {
            NetnsState::Pending => "pending",
            NetnsState::Live => "live",
            NetnsState::Removed => "removed",
        };
        writeln!(
            out,
            "{} {} {state} {} {} {} {}",
            netns.netns,
            netns.id.map_or(0, NetnsId::as_u64),
            netns.listeners,
            netns.listeners_pending,
            netns.sessions,
            netns.sockets_in_stock,
        )?;
    }
    Ok(())
}

/// A namespace by its name; `-` is the default one.
fn netns(netns: Option<&netns_core::NetnsSpec>) -> String {
    netns.map_or_else(|| "-".to_owned(), ToString::to_string)
}

fn protocol(session: &SessionStatus) -> &'static str {
    match session.client {
        Some(SocketAddr::V4(_)) => "tcpv4",
        Some(SocketAddr::V6(_)) => "tcpv6",
        None => "unix_stream",
    }
}

fn address(address: Option<SocketAddr>) -> String {
    address.map_or_else(|| "unix".to_owned(), |address| address.to_string())
}

/// A time in its two greatest units, as HAProxy has it: `1h12m`, `0s`.
fn human(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m{}s", seconds % 60),
        (0, ..) => format!("{hours}h{minutes}m"),
        _ => format!("{days}d{hours}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_its_two_greatest_units() {
        let human = |seconds| human(Duration::from_secs(seconds));
        assert_eq!([human(0), human(59), human(61)], ["0s", "59s", "1m1s"]);
        assert_eq!([human(3_660), human(90_000)], ["1h1m", "1d1h"]);
    }

    #[test]
    fn an_identifier_is_what_the_list_shows() {
        assert!(id("0x100000001").is_some_and(|id| id.number() == 0x1_0000_0001));
        assert!(id("zz").is_none());
        assert!(id("").is_none());
        assert!(id("0x10000000000000000").is_none());
    }
}
