//! Listeners on their way to another process: closing them here must not end them there.

use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::Arc;

use crate::listeners::Listener;

/// Listeners that another process gets, or has got; made by [`Handle::hand_over`](crate::Handle::hand_over).
///
/// While they are handed over, the engine closes them without ending them, and leaves the files of those at a path.
#[derive(Debug)]
pub struct HandedOver {
    listeners: Vec<Arc<Listener>>,
}

impl HandedOver {
    pub(crate) fn new(listeners: Vec<Arc<Listener>>) -> Self {
        for listener in &listeners {
            listener.set_shared(true);
        }
        Self { listeners }
    }

    /// Their sockets, which tell where they are bound, and in which namespace (`SO_NETNS_COOKIE`).
    pub fn sockets(&self) -> impl ExactSizeIterator<Item = BorrowedFd<'_>> {
        self.listeners.iter().map(|listener| listener.as_fd())
    }

    /// Whether the engine has let go of all of them: no worker waits for connections there any more.
    pub fn are_released(&self) -> bool {
        self.listeners
            .iter()
            .all(|listener| Arc::strong_count(listener) == 1)
    }

    /// The other process has not taken them, and has ended: they are the engine's own again, with the options that they had.
    pub fn take_back(&self) {
        for listener in &self.listeners {
            listener.take_back();
        }
    }
}
