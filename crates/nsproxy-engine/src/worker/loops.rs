//! Whether a connection to a server would lead back to where it comes from.
//!
//! Most addresses are none that this engine listens at, in whatever namespace; that is known before there is a socket
//! ([`is_suspect`]). What remains is judged with the socket in hand, since a namespace is its cookie and not its name
//! ([`judge`]).

use std::net::SocketAddr;

use netns_core::NetnsId;
use socket2::Socket;

use super::entry::Entry;
use super::resources::Resources;
use crate::core::side::Side;
use crate::own::Trail;
use crate::places::{OwnPlaces, meant};
use crate::plan::Endpoint;

/// What becomes of a suspect connection.
pub(super) enum Verdict {
    /// It goes elsewhere.
    Elsewhere,
    /// It goes to a listener of ours, or may: to be remembered.
    Ours(Trail),
    /// It leads back.
    Loop,
}

/// Whether a connection has to be looked at more closely. `is_fixed`: the address is a server's own, and not the client's
/// destination; then only what certainly leads to a listener counts, for servers at a port that a listener has at all
/// addresses are nothing special.
pub(super) fn is_suspect(to: &SocketAddr, is_fixed: bool, entry: &Entry, places: &OwnPlaces) -> bool {
    if is_fixed {
        places.is_bound(to) || is_own_wildcard(to, entry)
    } else {
        places.may_take(to)
    }
}

/// Whether an address is this host's own, and the session's listener takes what goes there.
fn is_own_wildcard(to: &SocketAddr, entry: &Entry) -> bool {
    let Endpoint::Ip(listener) = &entry.route.address else {
        return false;
    };
    let ip = meant(to.ip());
    listener.port() == to.port()
        && listener.ip().is_unspecified()
        && (ip.is_loopback() || entry.local().map(|local| local.ip().to_canonical()) == Some(ip))
}

/// Judges a connection that is about to be made with this socket.
pub(super) fn judge(entry: &Entry, socket: &Socket, to: &SocketAddr, resources: &Resources) -> Verdict {
    let (own, places) = (&resources.own, &resources.places);
    let taker = NetnsId::of_socket(socket)
        .ok()
        .and_then(|netns| places.taker(netns, to));
    let Some(taker) = taker else {
        return Verdict::Elsewhere;
    };
    let client = entry.socket(Side::Downstream);
    let trail = client.and_then(|client| own.trail(client, entry.peer));
    let trail = trail.as_deref().unwrap_or_default();
    let here = entry.route.listener;
    // A transparent one may have what is meant for others; then the connection goes to them.
    let is_certain = !taker.is_transparent && (!taker.is_wildcard() || is_own_wildcard(to, entry));
    if trail.contains(&taker.listener) || is_certain && taker.listener == here {
        return Verdict::Loop;
    }
    let with_this_one = trail
        .iter()
        .copied()
        .chain((!trail.contains(&here)).then_some(here));
    Verdict::Ours(with_this_one.collect())
}
