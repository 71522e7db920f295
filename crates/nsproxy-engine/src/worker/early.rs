//! What the client has said before its server's connection stands goes out with that connection's first segment.
//!
//! A handshake ends with an acknowledgement that carries nothing. Where something is to be said, it is left out, and the first bytes
//! acknowledge in its place: a packet less, and a server that is woken once, with the request there. Whoever says nothing must not do so: a server
//! that speaks first would wait until the kernel's timer for delayed acknowledgements fires.

use std::io::{ErrorKind, Read as _};

use socket2::Socket;

use super::entry::{Address, Entry, Holding};
use super::resources::Resources;
use crate::core::close::{CloseReason, Errno};
use crate::core::side::{Direction, Side};

/// Bytes that are taken from a client early: a request, or the hello of TLS. They wait in memory until the server answers.
const EARLY: usize = 4 * 1024;
/// Buffers of a worker that may be out for it: with more, servers are slow to answer, and what clients say waits in the kernel.
const BUFFERS: usize = 256;

/// Takes what the client has said, and says whether there is something to be sent as soon as the connection stands.
///
/// # Errors
///
/// The client's connection has failed.
pub(super) fn gather(entry: &mut Entry, resources: &mut Resources) -> Result<bool, CloseReason> {
    let Some(chosen) = entry.server.as_ref() else {
        return Ok(false);
    };
    if let Address::Unix = chosen.address {
        return Ok(false);
    }
    let has_header = chosen.server.send_header.is_some();
    if let Holding::Buffer(_) = entry.holdings[Direction::Up.index()] {
        return Ok(true);
    }
    if resources.buffers.out() >= BUFFERS {
        return Ok(has_header);
    }
    let Some(mut downstream) = entry.socket(Side::Downstream) else {
        return Ok(has_header);
    };
    match downstream.read(&mut resources.scratch[..EARLY]) {
        Ok(bytes @ 1..) => {
            let said = resources.buffers.hold(&resources.scratch[..bytes]);
            *entry.holding(Direction::Up) = Holding::Buffer(said);
            Ok(true)
        }
        // The end stays where it is until relaying has begun.
        Ok(0) => Ok(has_header),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            Ok(has_header)
        }
        Err(error) => Err(super::header::reset_or_failed(
            Side::Downstream,
            Errno::from(&error),
        )),
    }
}

/// Leaves the handshake's last acknowledgement to the first bytes. Should it fail, a packet more is sent.
pub(super) fn hold_acknowledgement_back(upstream: &Socket) {
    let _ = upstream.set_tcp_quickack(false);
}

/// Whether a connection that is under way stands already, as one to this host does: its packets have gone both ways before `connect`
/// returns. An error is left for the poller to report.
pub(super) fn is_established(upstream: &Socket) -> bool {
    upstream.peer_addr().is_ok()
}
