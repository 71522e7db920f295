//! Connections of our own that may come back to a listener of our own.
//!
//! A `server *` connects to wherever the client wanted to go. When that is a listener of ours, the relay might connect to
//! itself over and over, perhaps by way of other listeners. Sometimes that can be told from the addresses; behind a
//! transparent listener on all addresses it cannot, since only the routing knows which destinations are this host's own. So
//! the local address of each connection that might come back is remembered while it lives, with the listeners on its way; a
//! session whose client *is* such a connection, and that would go to one of those once more, is refused. So a loop ends after
//! its first round, and a chain of relays that is none goes on. Nothing else pays for it.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use netns_core::NetnsId;
use socket2::{SockAddr, Socket};

use crate::listeners::ListenerId;

/// A TCP address means something only in its namespace.
type Place = (NetnsId, SocketAddr);

/// The listeners that a connection has come through, each of which is in here once at most.
pub(crate) type Trail = Arc<[ListenerId]>;

/// Shared by all workers: a connection that comes back may come to any of them.
#[derive(Debug, Default)]
pub(crate) struct OwnConnections(Mutex<HashMap<Place, Trail>>);

impl OwnConnections {
    /// Connects, and remembers the connection. Under the lock, so that nobody can accept it before it is known.
    pub(crate) fn connect(&self, socket: &Socket, to: &SockAddr, trail: Trail) -> io::Result<()> {
        let mut own = self.lock();
        let result = socket.connect(to);
        if let Some(place) = place(socket, socket.local_addr().ok()) {
            own.insert(place, trail);
        }
        result
    }

    /// Where the other end of an accepted connection has come through, if it is one of ours.
    pub(crate) fn trail(&self, accepted: &Socket, peer: Option<SocketAddr>) -> Option<Trail> {
        let place = place(accepted, peer.map(SockAddr::from))?;
        self.lock().get(&place).cloned()
    }

    /// Forgets a connection.
    pub(crate) fn forget(&self, socket: &Socket) {
        if let Some(place) = place(socket, socket.local_addr().ok()) {
            self.lock().remove(&place);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Place, Trail>> {
        // A map stays whole whoever panics beside it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place(socket: &Socket, address: Option<SockAddr>) -> Option<Place> {
    let address = address?.as_socket()?;
    let canonical = SocketAddr::new(address.ip().to_canonical(), address.port());
    Some((NetnsId::of_socket(socket).ok()?, canonical))
}
