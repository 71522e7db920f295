//! Facts for tests: whatever a test says, and fixed answers to all else.

use std::cell::Cell;
use std::net::SocketAddr;

use super::{Facts, PoolLoad, ServerIndex, ServerLoad};
use crate::core::side::Side;

/// A connection that a test makes up.
#[derive(Default)]
pub(super) struct Made {
    pub(super) source: Option<SocketAddr>,
    pub(super) contents: Option<Vec<u8>>,
    pub(super) response: Option<Vec<u8>>,
    pub(super) has_ended: bool,
    pub(super) header: Option<Vec<u8>>,
    /// How often the header was asked for.
    pub(super) header_reads: Cell<usize>,
}

impl Facts for Made {
    fn source(&self) -> Option<SocketAddr> {
        self.source
    }
    fn destination(&self) -> Option<SocketAddr> {
        None
    }
    fn is_local(&self, ip: std::net::IpAddr) -> Option<bool> {
        Some(ip.is_loopback())
    }
    fn header(&self) -> Option<&[u8]> {
        self.header_reads.set(self.header_reads.get() + 1);
        self.header.as_deref()
    }
    fn has_header(&self) -> bool {
        self.header.is_some()
    }
    fn relay(&self) -> &'static str {
        "web"
    }
    fn netns(&self) -> Option<String> {
        Some("blue".to_owned())
    }
    fn contents(&self, side: Side) -> Option<&[u8]> {
        match side {
            Side::Downstream => self.contents.as_deref(),
            Side::Upstream => self.response.as_deref(),
        }
    }
    fn has_ended(&self) -> bool {
        self.has_ended
    }
    fn random(&self) -> u32 {
        7
    }
    fn sessions(&self) -> usize {
        3
    }
    fn pool(&self, index: usize) -> PoolLoad {
        PoolLoad {
            usable: index,
            sessions: 10,
            waiting: 5,
            slots: index.checked_sub(1),
        }
    }
    fn server(&self, index: ServerIndex) -> ServerLoad {
        ServerLoad {
            is_up: index.server == 0,
            sessions: index.pool,
            waiting: index.server,
        }
    }
    fn listener_number(&self) -> u32 {
        4
    }
    fn listener_name(&self) -> Option<&str> {
        Some("public")
    }
    fn server_source(&self) -> Option<SocketAddr> {
        Some(([127, 0, 0, 1], 40_000).into())
    }
    fn server_address(&self) -> Option<SocketAddr> {
        Some(([127, 0, 0, 2], 80).into())
    }
    fn server_netns(&self) -> Option<String> {
        Some("red".to_owned())
    }
    fn pool_name(&self) -> Option<&str> {
        Some("back")
    }
    fn server_name(&self) -> Option<&str> {
        Some("first")
    }
}
