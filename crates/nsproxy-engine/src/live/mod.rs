//! Namespaces that come, go, and are replaced while the engine runs: its listeners follow their names.
//!
//! | file | what it does |
//! |---|---|
//! | `current.rs` | what the plan in force says of listeners, for those that are opened later |
//! | `follow.rs` | from what was told to what is closed, opened and tried again |
//! | `thread.rs` | the thread that is told by a [`NetnsWatcher`](crate::NetnsWatcher) |
//! | `told.rs` | what an observer is told of it |
//! | `status.rs` | how namespaces stand, for whoever asks |
//!
//! What a change means is decided in `core/namespaces`. Everything here happens under the lock under which plans are applied,
//! so that a change and a plan come one after the other.

mod current;
mod follow;
mod status;
mod thread;
mod told;

use std::collections::HashMap;

use netns_core::{NetnsId, NetnsSpec};

pub(crate) use self::current::{Current, Place};
pub use self::status::{NetnsState, NetnsStatus};
pub(crate) use self::thread::Watching;
pub(crate) use self::told::Told;

/// A namespace that no name leads to any more.
#[derive(Debug)]
pub(crate) struct LeftNetns {
    pub(crate) id: NetnsId,
    /// The names that have led there.
    pub(crate) names: Vec<NetnsSpec>,
}

/// What a worker has in namespaces: sessions with a connection there, and sockets for connections to come.
#[derive(Debug, Default)]
pub(crate) struct Census {
    pub(crate) sessions: HashMap<(NetnsSpec, NetnsId), usize>,
    pub(crate) stock: HashMap<NetnsSpec, usize>,
}
