//! What the engine is to do about the health of servers.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use netns_core::NetnsSpec;

use crate::core::health::{Rules, Script};

/// How it is found out whether a server can be reached, and what follows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HealthPlan {
    /// How it is found out.
    pub source: HealthSource,
    /// Whether its sessions end when it goes down.
    pub ends_sessions: bool,
    /// Whether the sessions of the pool's backup servers end when it comes up. Only where it is no backup itself.
    pub ends_backup_sessions: bool,
}

/// Where the health of a server comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum HealthSource {
    /// It counts as up, whatever happens.
    #[default]
    Assumed,
    /// It is checked.
    Checked(Box<CheckPlan>),
    /// It is that of another server, which is checked.
    Tracked {
        /// The pool of that server.
        pool: String,
        /// Its name.
        server: String,
    },
}

/// How a server is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckPlan {
    /// The namespace that checks are made in, as its name is understood each time; `None` is the one that the engine was
    /// started in.
    pub netns: Option<NetnsSpec>,
    /// The address that checks come from, where their family is its own; `None` leaves it to the kernel.
    pub source: Option<SocketAddr>,
    /// The link that they leave by (`SO_BINDTODEVICE`).
    pub interface: Option<Arc<str>>,
    /// What a check does.
    pub script: Script,
    /// What its results mean, and when the next one is made.
    pub rules: Rules,
    /// For the connection to be established, where [`CheckPlan::answer_timeout`] is set; [`Rules::interval`] applies besides.
    pub connect_timeout: Option<Duration>,
    /// For everything behind the connection. `None`: [`Rules::interval`] is for the connection and all that follows.
    pub answer_timeout: Option<Duration>,
    /// What the connections of sessions say about the server.
    pub observe: Option<ObservePlan>,
    /// Whether the observer is told of each result that is news.
    pub reports: bool,
}

impl CheckPlan {
    /// In the namespace that the engine was started in, from an address of the kernel's choice; nobody is told of results, and
    /// sessions are no witnesses.
    pub const fn new(script: Script, rules: Rules) -> Self {
        Self {
            netns: None,
            source: None,
            interface: None,
            script,
            rules,
            connect_timeout: None,
            answer_timeout: None,
            observe: None,
            reports: false,
        }
    }
}

/// Sessions as witnesses of a server's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObservePlan {
    /// Connections that have to fail one after the other before [`Rules::on_error`] applies.
    pub error_limit: NonZeroU32,
}
