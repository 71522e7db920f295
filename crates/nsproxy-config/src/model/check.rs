//! How servers are checked, in the model.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use netns_core::NetnsSpec;
use serde::Serialize;

use crate::json;

/// What decides whether a server can be used, and what follows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Health {
    /// Where that is known from.
    pub source: HealthSource,
    /// `on-marked-down shutdown-sessions`: its sessions end when it goes down.
    pub shutdown_sessions: bool,
    /// `on-marked-up shutdown-backup-sessions`: the sessions of backup servers end when it comes up.
    pub shutdown_backup_sessions: bool,
}

/// Where the health of a server is known from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthSource {
    /// From nowhere: it counts as up.
    #[default]
    Assumed,
    /// `check`: it is checked.
    Check(Check),
    /// `track`: from another server, which is checked. One that tracks a third is no longer in between.
    Track {
        /// The backend of that server.
        backend: String,
        /// Its name.
        server: String,
    },
}

/// How a server is checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// `check-namespace`: where checks are made. `None`: as `namespace` says, which is not `*` then.
    #[serde(serialize_with = "json::optional_text")]
    pub netns: Option<NetnsSpec>,
    /// `addr`: instead of the server's address.
    pub address: Option<IpAddr>,
    /// `port`: instead of the server's port; never 0.
    pub port: Option<u16>,
    /// `check-send-proxy`: with a PROXY header, whatever the server's sessions have.
    pub send_proxy: bool,
    /// `inter`, never 0.
    #[serde(serialize_with = "json::time")]
    pub inter: Duration,
    /// `fastinter`, never 0. `None`: that of `inter`.
    #[serde(serialize_with = "json::milliseconds")]
    pub fastinter: Option<Duration>,
    /// `downinter`, never 0. `None`: that of `inter`.
    #[serde(serialize_with = "json::milliseconds")]
    pub downinter: Option<Duration>,
    /// `rise`.
    pub rise: NonZeroU32,
    /// `fall`.
    pub fall: NonZeroU32,
    /// `observe layer4`, with `error-limit`. `None`: sessions say nothing about the server.
    pub observe: Option<NonZeroU32>,
    /// `on-error`.
    pub on_error: OnError,
}

impl Check {
    /// `inter` unless set.
    pub const INTER: Duration = Duration::from_secs(2);
    /// `rise` unless set.
    pub const RISE: NonZeroU32 = NonZeroU32::new(2).unwrap();
    /// `fall` unless set.
    pub const FALL: NonZeroU32 = NonZeroU32::new(3).unwrap();
    /// `error-limit` unless set.
    pub const ERROR_LIMIT: NonZeroU32 = NonZeroU32::new(10).unwrap();
}

/// What it means when too many connections of sessions fail.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnError {
    /// The next check is made sooner.
    Fastinter,
    /// A check has failed.
    #[default]
    FailCheck,
    /// All the checks have failed that have to, but one.
    SuddenDeath,
    /// The server is down.
    MarkDown,
}

impl OnError {
    pub(crate) const ALL: [(&'static str, Self); 4] = [
        ("fastinter", Self::Fastinter),
        ("fail-check", Self::FailCheck),
        ("sudden-death", Self::SuddenDeath),
        ("mark-down", Self::MarkDown),
    ];
}

/// One line of `tcp-check`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TcpCheckStep {
    /// What it does.
    pub action: TcpCheckAction,
    /// `comment`, also as an option: what to say when it fails.
    pub comment: Option<String>,
}

/// What a line of `tcp-check` does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TcpCheckAction {
    /// `connect`. Only the first step can be one that others follow without it; HAProxy has that rule.
    Connect(TcpCheckConnect),
    /// `send` or `send-binary`; never empty.
    Send(Vec<u8>),
    /// `expect`.
    Expect(TcpCheckExpect),
    /// `comment`, which does nothing itself: for the steps behind it that have none of their own.
    Comment,
}

/// Options of `tcp-check connect`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct TcpCheckConnect {
    /// `default`: with the PROXY header that checks of the server have.
    pub default: bool,
    /// `port`; never 0.
    pub port: Option<u16>,
    /// `addr`.
    pub address: Option<IpAddr>,
    /// `send-proxy`.
    pub send_proxy: bool,
    /// `linger`: close in an orderly way, instead of resetting the connection.
    pub linger: bool,
}

/// Options of `tcp-check expect`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TcpCheckExpect {
    /// `min-recv`. `None`: wait for more for as long as it is not found.
    pub min_recv: Option<u32>,
    /// `!`: it must not be found.
    pub negated: bool,
    /// What is looked for.
    pub pattern: TcpCheckPattern,
}

/// What `tcp-check expect` looks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TcpCheckPattern {
    /// `string`; never empty.
    String(String),
    /// `binary`; never empty.
    Binary(Vec<u8>),
    /// `rstring`: an expression that compiles.
    Rstring(String),
    /// `rbinary`: an expression that compiles, for the hexadecimal form.
    Rbinary(String),
}
