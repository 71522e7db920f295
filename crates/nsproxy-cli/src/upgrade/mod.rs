//! From one process to the next, without a connection refused: the old one starts a new one with the same command line, and
//! gives it its listening sockets; the new one says when it relays, and the old one drains then.
//!
//! They talk over a socket that keeps messages apart, which the new process is started with ([`CHANNEL`]):
//!
//! | from | message | when |
//! |---|---|---|
//! | old | [`VERSION`] | first |
//! | old | [`SOCKETS`], with up to 64 of them | as often as needed |
//! | old | [`ALL`] | behind the last one |
//! | new | [`READY`] | it listens and relays |
//! | new | [`FAILED`] and why | it will not |
//! | old | the end | it has let go of its listeners, or is gone |
//!
//! | file | which end |
//! |---|---|
//! | `successor.rs` | the old process: its successor |
//! | `predecessor.rs` | the new process: its predecessor |

mod predecessor;
mod successor;

pub(crate) use predecessor::Predecessor;
pub(crate) use successor::{Invocation, Succession, Successor};

/// The environment variable that has the number of the channel.
const CHANNEL: &str = "NSPROXY_PREDECESSOR";
/// What this is, and of which kind: another version of nsproxy may have another.
const VERSION: &[u8] = b"nsproxy upgrade 1";
const SOCKETS: &[u8] = b"sockets";
const ALL: &[u8] = b"all";
const READY: &[u8] = b"ready";
const FAILED: &[u8] = b"failed: ";
