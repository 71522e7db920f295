//! The `global` section: what concerns the process.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::{Account, Admin, Capability, LogTarget, SocketBuffers};
use crate::json;

/// The `global` section.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Global {
    /// `maxconn`: the most connections of the whole process, at least 1. `None`: not limited here, or written
    /// as 0.
    pub maxconn: Option<u32>,
    /// `nbthread`: how many workers, 1 to 1024. `None`: one per CPU.
    pub nbthread: Option<u32>,
    /// `daemon`: whether to go into the background.
    pub daemon: bool,
    /// `strict-namespaces`: whether every namespace that is named has to be there at the start.
    pub strict_namespaces: bool,
    /// `pidfile`: where to write the number of the process.
    pub pidfile: Option<PathBuf>,
    /// `hard-stop-after`: how long sessions may take to finish when the process is to end; never 0.
    #[serde(serialize_with = "json::milliseconds")]
    pub hard_stop_after: Option<Duration>,
    /// `spread-checks`: by how many per cent an interval between checks may vary, 0 to 50.
    pub spread_checks: u8,
    /// `max-spread-checks`: how long the first checks of all servers may take; never 0.
    #[serde(serialize_with = "json::milliseconds")]
    pub max_spread_checks: Option<Duration>,
    /// `log` lines.
    #[serde(serialize_with = "json::texts")]
    pub logs: Vec<LogTarget>,
    /// `log-tag`: the name of the program in messages. `None`: `nsproxy`.
    pub log_tag: Option<String>,
    /// `log-send-hostname`: the name of the host in messages.
    pub log_host: Option<HostName>,
    /// `user`, `uid`: who to become once everything listens.
    pub user: Option<Account>,
    /// `group`, `gid`: the one group to be in then.
    pub group: Option<Account>,
    /// `setcap`: capabilities to keep besides those that the configuration needs.
    pub setcap: BTreeSet<Capability>,
    /// `chroot`: the root directory then.
    pub chroot: Option<PathBuf>,
    /// `ulimit-n`: the limit of open files, at least 1. `None`: the hard limit.
    pub open_files: Option<u32>,
    /// `tune.rcvbuf.client`, `tune.sndbuf.client`
    pub client_buffers: SocketBuffers,
    /// `tune.rcvbuf.server`, `tune.sndbuf.server`
    pub server_buffers: SocketBuffers,
    /// `stats`: the admin socket.
    pub admin: Admin,
}

/// A host's name in messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HostName {
    /// The one that the system has.
    System,
    /// This one.
    Named(String),
}
