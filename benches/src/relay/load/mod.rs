//! The load generator: closed loops on one client thread, answered by one server thread.
//!
//! It has to cost less than what it measures: nothing is allocated for an operation, sockets are registered once, and an
//! answer is compared in the buffer in which it arrived. It knows addresses, not relays.

mod answer;
mod bulk;
mod connect;
mod meter;
mod pattern;
mod request;
mod server;
mod stream;

use std::time::Duration;

pub(super) use self::bulk::{Bulk, BulkDirection};
pub(super) use self::connect::{Connect, HEADER, Place};
pub(super) use self::meter::{Measured, Meter, Snapshot};
pub(super) use self::request::Requests;
pub(super) use self::server::{Counters, Server, Service};

/// After this long without any progress a run has failed.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
