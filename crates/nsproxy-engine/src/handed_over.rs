//! Listeners on their way to another process: closing them here must not end them there.

use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::Arc;

use crate::handle::Handle;
use crate::inbox::Command;
use crate::listeners::Listener;

/// Listeners that another process gets, or has got; made by [`Handle::hand_over`].
///
/// While they are handed over, the engine closes them without ending them, and leaves the files of those at a path.
#[derive(Debug)]
pub struct HandedOver {
    listeners: Vec<Arc<Listener>>,
    engine: Handle,
}

impl Handle {
    /// Has the engine share its listeners with another process, which is given their sockets, and takes over from this one. The
    /// engine goes on accepting; when it is drained or stopped, connections that wait are left to the other process. That has to
    /// be told then, for its [`Handle::succeed`].
    ///
    /// Inherited listeners ([`Endpoint::Inherited`](crate::Endpoint::Inherited)) are not among them: the other process inherits them as this one has.
    ///
    /// From now on listeners in namespaces that come are left to the other process, until it is known not to come about
    /// ([`HandedOver::take_back`]): two cannot listen at one address, and the other process would not get what this one opens.
    pub fn hand_over(&self) -> HandedOver {
        let mut state = self.state();
        state.is_handed_over = true;
        let own = state.listeners.all().filter(|listener| listener.is_own());
        HandedOver::new(own.cloned().collect(), self.clone())
    }

    /// The process that this engine has listeners from ([`Adopting`](crate::Adopting)) has let go of them. Connections of which
    /// that one was told, and which it has not accepted, are found; the files of listeners at a path go with these from now on.
    pub fn succeed(&self) {
        for listener in self.state().listeners.all().filter(|listener| listener.is_own()) {
            listener.take_over();
        }
        self.tell(|| Command::LookAgain);
    }
}

impl HandedOver {
    pub(crate) fn new(listeners: Vec<Arc<Listener>>, engine: Handle) -> Self {
        for listener in &listeners {
            listener.set_shared(true);
        }
        Self { listeners, engine }
    }

    /// Their sockets, which tell where they are bound, and in which namespace (`SO_NETNS_COOKIE`).
    pub fn sockets(&self) -> impl ExactSizeIterator<Item = BorrowedFd<'_>> {
        self.listeners.iter().map(|listener| listener.as_fd())
    }

    /// The other process has not taken them, and has ended: they are the engine's own again, with the options that they had. What
    /// was left to the other process is opened.
    pub fn take_back(&self) {
        for listener in &self.listeners {
            listener.take_back();
        }
        self.engine.open_left();
    }
}
