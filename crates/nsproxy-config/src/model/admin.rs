//! The admin socket: where it listens, and what a client of it may do.

use std::time::Duration;

use serde::Serialize;

use super::{Account, BindAddress};
use crate::json;

/// What `stats` lines of `global` say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Admin {
    /// `stats socket` lines, in the order of the text: one for each address.
    pub sockets: Vec<AdminSocket>,
    /// `stats timeout`: how long a client may be inactive; never 0. `None`: 10 seconds.
    #[serde(serialize_with = "json::milliseconds")]
    pub timeout: Option<Duration>,
    /// `stats maxconn`: the most clients at a time, at least 1. `None`: 10.
    pub maxconn: Option<u32>,
}

/// One place where administrators are listened to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AdminSocket {
    /// Where it listens, in the namespace that the process is started in.
    pub address: BindAddress,
    /// `mode`: the permissions of the file. `None`: what the process's mask leaves.
    pub mode: Option<u32>,
    /// `user`, `uid`: who owns the file.
    pub user: Option<Account>,
    /// `group`, `gid`: the group of the file.
    pub group: Option<Account>,
    /// `level`: what a client may do.
    pub level: AdminLevel,
}

/// What a client of an admin socket may do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AdminLevel {
    /// Read what is not sensitive.
    User,
    /// Read everything. The default.
    #[default]
    Operator,
    /// Change servers and end sessions.
    Admin,
}

impl AdminLevel {
    /// Every one, from the least.
    pub const ALL: [Self; 3] = [Self::User, Self::Operator, Self::Admin];

    /// As the configuration has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}
