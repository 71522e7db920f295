//! Connections of our own that may come back to a listener of our own.
//!
//! A `server *` connects to wherever the client wanted to go. When that is the listener itself, the relay would connect to
//! itself over and over. Mostly that can be told from the addresses; behind a transparent listener on all addresses it
//! cannot, since only the routing knows which destinations are this host's own. So the local address of each connection that
//! might come back is remembered while it lives, and a client that *is* such a connection is refused: the loop ends after its
//! first round. Nothing else pays for it.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use netns_core::NetnsId;
use socket2::{SockAddr, Socket};

/// A TCP address means something only in its namespace.
type Place = (NetnsId, SocketAddr);

/// Shared by all workers: a connection that comes back may come to any of them.
#[derive(Debug, Default)]
pub(crate) struct OwnConnections(Mutex<HashSet<Place>>);

impl OwnConnections {
    /// Connects, and remembers the connection. Under the lock, so that nobody can accept it before it is known.
    pub(crate) fn connect(&self, socket: &Socket, to: &SockAddr) -> io::Result<()> {
        let mut own = self.lock();
        let result = socket.connect(to);
        own.extend(place(socket, socket.local_addr().ok()));
        result
    }

    /// Whether the other end of an accepted connection is one of ours.
    pub(crate) fn made(&self, accepted: &Socket, peer: Option<SocketAddr>) -> bool {
        place(accepted, peer.map(SockAddr::from)).is_some_and(|place| self.lock().contains(&place))
    }

    /// Forgets a connection.
    pub(crate) fn forget(&self, socket: &Socket) {
        if let Some(place) = place(socket, socket.local_addr().ok()) {
            self.lock().remove(&place);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Place>> {
        // A set stays whole whoever panics beside it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place(socket: &Socket, address: Option<SockAddr>) -> Option<Place> {
    let address = address?.as_socket()?;
    let canonical = SocketAddr::new(address.ip().to_canonical(), address.port());
    Some((NetnsId::of_socket(socket).ok()?, canonical))
}
