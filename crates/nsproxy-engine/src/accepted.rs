//! A connection between its accept and its session: what one worker hands to another.

use std::net::SocketAddr;
use std::sync::Arc;

use socket2::Socket;

use crate::route::Route;

/// A connection that was accepted, counted at every gate, and belongs to no worker yet.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) socket: Socket,
    /// `None` on a unix socket.
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) route: Arc<Route>,
}
