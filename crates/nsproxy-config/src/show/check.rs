//! Health checks as configuration text.

use std::fmt::{self, Display, Write as _};

use super::{Host, Time};
use crate::model::{
    Check, Health, HealthSource, OnError, TcpCheckAction, TcpCheckConnect, TcpCheckExpect, TcpCheckPattern,
    TcpCheckStep,
};
use crate::quote;

/// What a `server` line says about its health, with a blank before each word.
pub(super) fn health(health: &Health) -> String {
    let mut words = String::new();
    match &health.source {
        HealthSource::Assumed => {}
        HealthSource::Check(check) => options(check, &mut words),
        HealthSource::Track { backend, server } => _ = write!(words, " track {backend}/{server}"),
    }
    if health.shutdown_sessions {
        words.push_str(" on-marked-down shutdown-sessions");
    }
    if health.shutdown_backup_sessions {
        words.push_str(" on-marked-up shutdown-backup-sessions");
    }
    words
}

fn options(check: &Check, words: &mut String) {
    words.push_str(" check");
    if let Some(netns) = &check.netns {
        _ = write!(words, " check-namespace {}", quote(&netns.to_string()));
    }
    if let Some(address) = check.address {
        _ = write!(words, " addr {}", Host(address));
    }
    if let Some(port) = check.port {
        _ = write!(words, " port {port}");
    }
    if check.send_proxy {
        words.push_str(" check-send-proxy");
    }
    _ = write!(words, " inter {}", Time(check.inter));
    for (name, time) in [("fastinter", check.fastinter), ("downinter", check.downinter)] {
        if let Some(time) = time {
            _ = write!(words, " {name} {}", Time(time));
        }
    }
    _ = write!(words, " rise {} fall {}", check.rise, check.fall);
    if let Some(limit) = check.observe {
        _ = write!(words, " observe layer4 error-limit {limit}");
    }
    if check.on_error != OnError::default() {
        let name = OnError::ALL.into_iter().find(|(_, one)| *one == check.on_error);
        _ = write!(words, " on-error {}", name.map_or("fail-check", |(name, _)| name));
    }
}

/// One step, as a statement.
pub(super) struct Step<'s>(pub(super) &'s TcpCheckStep);

impl Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TcpCheckStep { action, comment } = self.0;
        f.write_str("tcp-check ")?;
        match action {
            TcpCheckAction::Connect(connect) => write_connect(*connect, f)?,
            TcpCheckAction::Send(bytes) => match printable(bytes) {
                Some(text) => write!(f, "send {}", quote(text))?,
                None => write!(f, "send-binary {}", Hex(bytes))?,
            },
            TcpCheckAction::Expect(expect) => write_expect(expect, f)?,
            TcpCheckAction::Comment => {
                return write!(f, "comment {}", quote(comment.as_deref().unwrap_or_default()));
            }
        }
        match comment {
            Some(comment) => write!(f, " comment {}", quote(comment)),
            None => Ok(()),
        }
    }
}

fn write_connect(connect: TcpCheckConnect, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("connect")?;
    if connect.default {
        f.write_str(" default")?;
    }
    if let Some(address) = connect.address {
        write!(f, " addr {}", Host(address))?;
    }
    if let Some(port) = connect.port {
        write!(f, " port {port}")?;
    }
    if connect.send_proxy {
        f.write_str(" send-proxy")?;
    }
    if connect.linger {
        f.write_str(" linger")?;
    }
    Ok(())
}

fn write_expect(expect: &TcpCheckExpect, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("expect ")?;
    if let Some(least) = expect.min_recv {
        write!(f, "min-recv {least} ")?;
    }
    if expect.negated {
        f.write_str("! ")?;
    }
    match &expect.pattern {
        TcpCheckPattern::String(text) => write!(f, "string {}", quote(text)),
        TcpCheckPattern::Binary(bytes) => write!(f, "binary {}", Hex(bytes)),
        TcpCheckPattern::Rstring(regex) => write!(f, "rstring {}", quote(regex)),
        TcpCheckPattern::Rbinary(regex) => write!(f, "rbinary {}", quote(regex)),
    }
}

/// The text that these bytes are, if a person can read it.
fn printable(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    text.chars()
        .all(|c| !c.is_control() || c.is_ascii_whitespace())
        .then_some(text)
}

struct Hex<'b>(&'b [u8]);

impl Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
