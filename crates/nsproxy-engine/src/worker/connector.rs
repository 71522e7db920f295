//! From an accepted session to an upstream connection: which server, which address, which namespace, from where.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use socket2::SockAddr;

use super::early;
use super::entry::{Address, Chosen, Destined, Entry, Place, SourcePort};
use super::header::{self, Preface};
use super::loops::{self, Verdict};
use super::resources::Resources;
use super::rules;
use crate::core::balance::{Placed, hash_of_client};
use crate::core::close::{CloseReason, Errno};
use crate::core::session::Connect;
use crate::core::side::Side;
use crate::opener::{self, Family, OpenError, Operation, SocketKind, SocketRequest, SourceBind};
use crate::plan::{NetnsRef, SourceAddress, Target};
use crate::pool::Wish;
use crate::server::{Server, ServerNetns};

/// Chooses a server and says which socket its connection needs. `None`: no server has room, and the session waits.
///
/// # Errors
///
/// Why there can be no connection.
pub(super) fn choose(
    entry: &mut Entry,
    key: usize,
    resources: &mut Resources,
) -> Result<Option<SocketRequest>, CloseReason> {
    let counting = resources.counting();
    if !entry.is_in_pool() {
        entry.destined = Destined::Arrived;
        counting.enter_pool(&entry.route.pool);
    }
    if let (Place::Taken(_), Some(chosen)) = (&entry.place, &entry.server) {
        if chosen.server.is_up() {
            counting.retry(&entry.route.pool, &chosen.server);
            // Another attempt at the same server.
            return request(entry, 0).map(Some);
        }
        // It has gone down since.
        leave(entry, resources);
    }
    let mut called = false;
    let server = match std::mem::replace(&mut entry.place, Place::None) {
        Place::Granted(server) => {
            called = true;
            server
        }
        _ => match place(entry, key, resources) {
            Placed::At(server) => server,
            Placed::Waits(ticket) => {
                entry.place = Place::Awaited(ticket);
                resources.stats.queued.add(1);
                if let Some((milestones, _)) = resources.milestones(entry, key) {
                    let waited = entry.route.pool.waited(ticket);
                    milestones.on_wait(waited.and_then(|(server, _)| server));
                }
                return Ok(None);
            }
            refused => {
                header::report_unlisted(entry, false, resources);
                let Placed::QueueFull(server) = refused else {
                    return Err(CloseReason::NoServer);
                };
                if let Some((milestones, _)) = resources.milestones(entry, key) {
                    milestones.on_wait(Some(server));
                }
                return Err(CloseReason::QueueFull);
            }
        },
    };
    let chosen = match prepare(&server, entry, resources) {
        Ok((netns, address)) => Chosen {
            server,
            netns,
            address,
        },
        Err(reason) => {
            entry.place = Place::Granted(server);
            return Err(reason);
        }
    };
    if let Some((milestones, now)) = resources.milestones(entry, key) {
        let before = entry.server.as_ref();
        let is_other = before.is_some_and(|before| !Arc::ptr_eq(&before.server, &chosen.server));
        milestones.on_assigned(now, is_other);
    }
    let before = entry.server.as_ref().map(|before| &*before.server);
    counting.assign(&entry.route.pool, before, &chosen.server, called);
    entry.server = Some(chosen);
    entry.place = Place::Taken(None);
    request(entry, 0).map(Some)
}

fn place(entry: &Entry, key: usize, resources: &mut Resources) -> Placed<Arc<Server>> {
    // A rule's choice is for the first attempt: what follows a failed one is balanced.
    let wanted = match &entry.route.within {
        Some(judge) if entry.server.is_none() => rules::wanted(entry, judge),
        _ => None,
    };
    let hash = || match &entry.route.pool.hash_key {
        Some(key) => rules::hash(entry, key),
        None => entry
            .client()
            .map(|client| hash_of_client(client.ip().to_canonical())),
    };
    // One that was chosen before has failed.
    let avoid = entry.server.as_ref().map(|chosen| &*chosen.server);
    let wish = Wish {
        wanted: wanted.as_deref(),
        avoid,
        hash,
    };
    resources.place(&entry.route.pool, wish, (key, entry.generation))
}

/// Where the connection to this server goes.
fn prepare(
    server: &Server,
    entry: &mut Entry,
    resources: &Resources,
) -> Result<(NetnsRef, Address), CloseReason> {
    let netns = netns_of(server, entry, resources)?;
    let address = address_of(server, entry, resources)?;
    Ok((netns, address))
}

/// The socket for a connection to the server that was chosen. So many ports were `refused` for it before.
fn request(entry: &mut Entry, refused: u8) -> Result<SocketRequest, CloseReason> {
    let Some(chosen) = &entry.server else {
        return Err(CloseReason::NoServer);
    };
    let netns = chosen.netns.clone();
    let (kind, port) = match &chosen.address {
        Address::Unix => {
            let kind = SocketKind::Upstream {
                family: Family::Unix,
                source: None,
                interface: None,
            };
            (kind, None)
        }
        Address::Ip(address) => {
            let plan = chosen.server.source.as_ref();
            let mut source = match plan {
                Some(plan) => source_of(plan.address, entry, address)?,
                None => None,
            };
            let mut port = None;
            if let (Some(source), Some(ports)) = (&mut source, &chosen.server.source_ports) {
                let taken = ports.take().ok_or(CloseReason::NoSourcePort)?;
                source.address.set_port(taken.get());
                port = Some(SourcePort { port: taken, refused });
            }
            let kind = SocketKind::Upstream {
                family: Family::from(address),
                source,
                interface: plan.and_then(|plan| plan.interface.clone()),
            };
            (kind, port)
        }
    };
    entry.place = Place::Taken(port);
    Ok(SocketRequest { netns, kind })
}

/// After a socket could not be bound to the port that it was to have: the same with another port, unless too many were taken.
/// HAProxy tries as many.
pub(super) fn request_with_another_port(entry: &mut Entry, error: &OpenError) -> Option<SocketRequest> {
    const MOST: u8 = 10;
    let is_taken = matches!(error.operation, Operation::Bind(_)) && error.errno() == Errno(libc::EADDRINUSE);
    let Place::Taken(Some(SourcePort { refused, .. })) = entry.place else {
        return None;
    };
    let refused = refused + 1;
    if !is_taken || refused == MOST {
        return None;
    }
    give_port_back(entry);
    request(entry, refused).ok()
}

/// Takes the place that a session has waited for; `false` when it has to wait on.
pub(super) fn collect(entry: &mut Entry, key: usize, resources: &mut Resources) -> bool {
    let Place::Awaited(ticket) = entry.place else {
        return false;
    };
    let Some((server, waited)) = entry.route.pool.collect(ticket) else {
        return false;
    };
    if let Some((milestones, _)) = resources.milestones(entry, key) {
        milestones.on_called(waited);
    }
    entry.place = Place::Granted(server);
    true
}

/// After an attempt that failed: nothing of it is left for the next one.
pub(super) fn clear_away(entry: &mut Entry, redispatch: bool, resources: &mut Resources) {
    resources.stats.retries.add(1);
    drop_upstream(entry, resources);
    if redispatch {
        resources.stats.redispatches.add(1);
        entry.suspect = false;
        leave(entry, resources);
    }
}

/// Closes the upstream socket.
pub(super) fn drop_upstream(entry: &mut Entry, resources: &Resources) {
    if let Some(socket) = entry.take_upstream()
        && entry.suspect
    {
        resources.own.forget(&socket);
    }
    give_port_back(entry);
}

/// Gives back what the socket was bound to, which is closed or never was.
fn give_port_back(entry: &mut Entry) {
    if let Place::Taken(port) = &mut entry.place
        && let Some(SourcePort { port, .. }) = port.take()
        && let Some(ports) = entry
            .server
            .as_ref()
            .and_then(|chosen| chosen.server.source_ports.as_ref())
    {
        ports.give_back(port);
    }
}

/// Gives the session's place at a server back, or its place in the queue.
pub(super) fn leave(entry: &mut Entry, resources: &mut Resources) {
    let pool = &entry.route.pool;
    match std::mem::replace(&mut entry.place, Place::None) {
        Place::None => {}
        Place::Awaited(ticket) => resources.abandon(pool, ticket),
        Place::Granted(server) => resources.release(pool, &server),
        Place::Taken(_) => {
            if let Some(chosen) = &entry.server {
                resources.release(pool, &chosen.server);
            }
        }
    }
}

/// The server that the session has a place at.
pub(super) fn holds_place(entry: &Entry) -> Option<&Server> {
    match (&entry.place, &entry.server) {
        (Place::Granted(server), _) => Some(server),
        (Place::Taken(_), Some(chosen)) => Some(&chosen.server),
        _ => None,
    }
}

/// Says of the server that a connection to it was established, or has failed.
pub(super) fn testify(entry: &Entry, established: bool) {
    let server = entry.server.as_ref().map(|chosen| &chosen.server);
    let Some(witness) = server.and_then(|server| server.witness.as_ref()) else {
        return;
    };
    if established {
        witness.on_connected();
    } else {
        witness.on_failed();
    }
}

/// Starts connecting the upstream socket.
pub(super) fn connect(entry: &mut Entry, key: usize, resources: &mut Resources) -> Connect {
    let speaks = match early::gather(entry, resources) {
        Ok(speaks) => speaks,
        Err(reason) => return Connect::Impossible(reason),
    };
    let (Some(chosen), Some(socket)) = (&entry.server, entry.socket(Side::Upstream)) else {
        return Connect::Failed(Errno(libc::ENOTCONN));
    };
    let address = match (&chosen.address, &chosen.server.target) {
        (Address::Ip(address), _) => SockAddr::from(*address),
        (Address::Unix, Target::Unix(path)) => match SockAddr::unix(path) {
            Ok(address) => address,
            Err(error) => return Connect::Failed(Errno::from(&error)),
        },
        (Address::Unix, _) => return Connect::Failed(Errno(libc::EDESTADDRREQ)),
    };
    if let Address::Ip(_) = chosen.address
        && let Err(error) = opener::buffers(socket, entry.route.pool.buffers)
    {
        return Connect::Failed(Errno::from(&error));
    }
    let verdict = match chosen.address {
        Address::Ip(to) if entry.suspect => loops::judge(entry, socket, &to, resources),
        _ => Verdict::Elsewhere,
    };
    if speaks {
        early::hold_acknowledgement_back(socket);
    }
    let (result, is_remembered) = match verdict {
        Verdict::Loop => {
            resources.stats.loops_refused.add(1);
            entry.suspect = false;
            return Connect::Impossible(CloseReason::Loop);
        }
        Verdict::Ours(trail) => (resources.own.connect(socket, &address, trail), true),
        Verdict::Elsewhere => (socket.connect(&address), false),
    };
    let stands = match &result {
        Ok(()) => true,
        Err(error) => speaks && is_under_way(error) && early::is_established(socket),
    };
    entry.suspect = is_remembered;
    resources.counting().attempt(&entry.route.pool, &chosen.server);
    match result {
        _ if stands => established(entry, key, resources),
        Err(error) if !is_under_way(&error) => refused(entry, &error),
        _ => Connect::InProgress,
    }
}

fn is_under_way(error: &std::io::Error) -> bool {
    error.raw_os_error() == Some(libc::EINPROGRESS)
}

/// After a connection attempt: goes on, or asks why it `failed`.
pub(super) fn finish(entry: &mut Entry, key: usize, failed: bool, resources: &mut Resources) -> Connect {
    if !failed {
        return established(entry, key, resources);
    }
    match entry.socket(Side::Upstream).map(socket2::Socket::take_error) {
        Some(Ok(None)) => established(entry, key, resources),
        Some(Ok(Some(error)) | Err(error)) => refused(entry, &error),
        None => Connect::Failed(Errno(libc::ENOTCONN)),
    }
}

fn refused(entry: &Entry, error: &std::io::Error) -> Connect {
    testify(entry, false);
    Connect::Failed(Errno::from(error))
}

fn established(entry: &mut Entry, key: usize, resources: &mut Resources) -> Connect {
    testify(entry, true);
    if let Some(probes) = entry.route.pool.keep_alive
        && entry.server_address().is_some()
        && let Some(socket) = entry.socket(Side::Upstream)
        && let Err(error) = opener::keep_alive(socket, probes)
    {
        return Connect::Failed(Errno::from(&error));
    }
    match header::prepare_preface(entry, key, resources) {
        Ok(Preface { bytes, payload }) => Connect::Established {
            preface: bytes,
            payload,
        },
        Err(reason) => Connect::Impossible(reason),
    }
}

/// The namespace that the server is reached in. Here a header that names an unlisted namespace has its consequence.
fn netns_of(server: &Server, entry: &Entry, resources: &Resources) -> Result<NetnsRef, CloseReason> {
    let (netns, refused) = match &server.netns {
        ServerNetns::Fixed(netns) => (netns.clone(), false),
        ServerNetns::Client => match entry.received.as_ref().map(|received| received.netns.followed()) {
            None => (entry.route.netns.clone(), false),
            Some(Ok(netns)) => (netns.cloned(), false),
            Some(Err(_)) => (None, true),
        },
    };
    // Once for each session, however many servers it tries.
    if refused || entry.server.is_none() {
        header::report_unlisted(entry, refused, resources);
    }
    if refused {
        Err(CloseReason::NetnsRefused)
    } else {
        Ok(netns)
    }
}

fn address_of(server: &Server, entry: &mut Entry, resources: &Resources) -> Result<Address, CloseReason> {
    // In canonical form, where its address is used: a dual-stack listener reports an IPv4 destination in IPv6 form.
    let destination = || entry.destination().ok_or(CloseReason::NoDestination);
    let (address, is_fixed) = match *server.target() {
        Target::Unix(_) => return Ok(Address::Unix),
        Target::Ip { address, port } => {
            let port = port.map_or_else(|| destination().map(|client| client.port()), Ok)?;
            (SocketAddr::new(address, port), true)
        }
        Target::Host { port, .. } => {
            let port = port.map_or_else(|| destination().map(|client| client.port()), Ok)?;
            // It may have been lost a moment ago.
            let place = server.whereabouts.as_ref().and_then(|place| place.get());
            (SocketAddr::new(place.ok_or(CloseReason::NoServer)?, port), true)
        }
        Target::ClientDestination { port } => {
            let client = destination()?;
            let port = port.unwrap_or_else(|| client.port());
            (SocketAddr::new(client.ip().to_canonical(), port), false)
        }
        Target::Shifted { address, by } => {
            let client = destination()?;
            let port = u16::try_from(i32::from(client.port()).saturating_add(by)).ok();
            let port = port.filter(|port| *port != 0).ok_or(CloseReason::NoPort)?;
            let ip = address.unwrap_or_else(|| client.ip().to_canonical());
            (SocketAddr::new(ip, port), address.is_some())
        }
    };
    entry.suspect = loops::is_suspect(&address, is_fixed, entry, &resources.places);
    Ok(Address::Ip(address))
}

/// What a connection to `to` is bound to; `None` leaves it to the kernel.
fn source_of(plan: SourceAddress, entry: &Entry, to: &SocketAddr) -> Result<Option<SourceBind>, CloseReason> {
    let (address, transparent) = match plan {
        SourceAddress::Any => return Ok(None),
        SourceAddress::Own(address) => (address, false),
        // Which port is found out with the request.
        SourceAddress::Ports { ip, .. } => (SocketAddr::new(ip, 0), false),
        SourceAddress::Foreign(address) => (address, true),
        SourceAddress::Client { with_port } => {
            let client = entry.client().ok_or(CloseReason::NoSource)?;
            let ip = match (client.ip().to_canonical(), to) {
                (IpAddr::V4(ip), SocketAddr::V6(_)) => IpAddr::V6(ip.to_ipv6_mapped()),
                (ip, _) => ip,
            };
            (
                SocketAddr::new(ip, if with_port { client.port() } else { 0 }),
                true,
            )
        }
    };
    if address.is_ipv4() == to.is_ipv4() {
        Ok(Some(SourceBind { address, transparent }))
    } else {
        Err(CloseReason::NoSource)
    }
}
