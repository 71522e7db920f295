//! PROXY headers: the one that a client's connection begins with, and the one that a server's connection begins with.

use std::io::{ErrorKind, Read as _};
use std::net::SocketAddr;
use std::sync::Arc;

use netns_core::NetnsSpec;
use proxy_proto::{Addresses, Header, ParseError, Parsed, Tlv, TlvType, Transport, v1, v2};

use super::buffers::SCRATCH;
use super::composed;
use super::entry::{Entry, Holding, Received};
use super::resources::Resources;
use crate::core::close::{CloseReason, Errno};
use crate::core::policy::{ClientNetns, HeaderNetns};
use crate::core::rules::Expression;
use crate::core::session::HeaderRead;
use crate::core::side::{Direction, Side};
use crate::observer::Notice;
use crate::plan::{HeaderPlan, NetnsTlv, TlvPlan};
use crate::route::Route;

/// Longest header that is taken, the size of HAProxy's buffer. The format allows 65,551 bytes; a split header has to wait
/// in memory for the rest, so what a client may make us hold is bounded.
pub(super) const MAX_HEADER: usize = 16 * 1024;
/// Longest header that is written. What is passed on of one that was taken, addresses of the largest kind that a session can
/// have, a NETNS TLV with a path in it, a checksum and an identifier take less than half of it.
const MAX_WRITTEN: usize = SCRATCH;

/// Bytes of a value that are remembered for an observer: as long as HAProxy's lines are.
const MOST_REMEMBERED: usize = 1024;

/// Reads what there is and tries to make a header of it. What follows the header waits in the holding of [`Direction::Up`].
pub(super) fn read(entry: &mut Entry, resources: &mut Resources) -> HeaderRead {
    let Some(mut socket) = entry.socket(Side::Downstream) else {
        return HeaderRead::WouldBlock;
    };
    let waiting = match &entry.holdings[Direction::Up.index()] {
        Holding::Buffer(waiting) => waiting.bytes().len(),
        _ => 0,
    };
    // An unfinished header is shorter than the longest that is taken.
    let scratch = &mut resources.scratch[..MAX_HEADER.saturating_sub(waiting).max(1)];
    let received = match socket.read(scratch) {
        Ok(received) => &scratch[..received],
        Err(error) if error.kind() == ErrorKind::WouldBlock => return HeaderRead::WouldBlock,
        Err(error) if error.kind() == ErrorKind::Interrupted => return HeaderRead::Incomplete,
        Err(error) => return HeaderRead::Refused(reset_or_failed(Side::Downstream, Errno::from(&error))),
    };
    let mut before = match std::mem::take(entry.holding(Direction::Up)) {
        Holding::Buffer(waiting) => Some(waiting),
        _ => None,
    };
    if let Some(before) = &mut before {
        before.extend(received, MAX_HEADER);
    }
    let bytes = before.as_ref().map_or(received, |waiting| waiting.bytes());
    let (read, consumed) = if received.is_empty() {
        (
            HeaderRead::Refused(CloseReason::HeaderAborted(bytes.len())),
            bytes.len(),
        )
    } else {
        match proxy_proto::parse(bytes) {
            Ok(parsed) => match judge(&parsed, &bytes[..parsed.consumed], &entry.route) {
                Ok(mut received) => {
                    let lacking = lacking(&received, &entry.route);
                    // What a rule has set before stands where the header says nothing.
                    if let Some(before) = &entry.received {
                        received.source = received.source.or(before.source);
                        received.destination = received.destination.or(before.destination);
                    }
                    entry.received = Some(Box::new(received));
                    match lacking {
                        None => (HeaderRead::Complete, parsed.consumed),
                        Some(reason) => (HeaderRead::Refused(reason), bytes.len()),
                    }
                }
                Err(reason) => (HeaderRead::Refused(reason), bytes.len()),
            },
            Err(ParseError::Incomplete { at_least }) if at_least > MAX_HEADER => (
                HeaderRead::Refused(CloseReason::HeaderTooLong(at_least)),
                bytes.len(),
            ),
            Err(ParseError::Incomplete { .. }) => (HeaderRead::Incomplete, 0),
            Err(ParseError::Invalid(invalid)) => (
                HeaderRead::Refused(CloseReason::HeaderInvalid(invalid)),
                bytes.len(),
            ),
        }
    };
    let waits = consumed < bytes.len();
    *entry.holding(Direction::Up) = match before {
        Some(mut waiting) if waits => {
            waiting.consume(consumed);
            Holding::Buffer(waiting)
        }
        Some(waiting) => {
            resources.buffers.take_back(waiting);
            Holding::Nothing
        }
        None if waits => Holding::Buffer(resources.buffers.collect(&received[consumed..])),
        None => Holding::Nothing,
    };
    if matches!(read, HeaderRead::Refused(CloseReason::NetnsRefused)) {
        report_unlisted(entry, true, resources);
    }
    read
}

/// Takes from a header what the session needs.
fn judge(parsed: &Parsed<'_>, bytes: &[u8], route: &Route) -> Result<Received, CloseReason> {
    let header = &parsed.header;
    // A pair of addresses that this connection cannot have is no error, and says nothing (section 2.2 of the specification).
    let is_stream = header.transport() == Some(Transport::Stream);
    let (source, destination) = header.socket_addrs().filter(|_| is_stream).unzip();
    let named = if header.is_local() || route.netns_tlv == NetnsTlv::Ignore {
        None
    } else {
        sole_netns(header)?
    };
    let says = named.map_or(HeaderNetns::Silent, HeaderNetns::Named);
    let netns = ClientNetns::decide(route.netns.as_ref(), says, |name| route.selectable(name));
    let unlisted = matches!(netns, ClientNetns::Unlisted { .. }).then(|| named.unwrap_or_default().into());
    Ok(Received {
        source,
        destination,
        netns,
        selects: named.is_some() && unlisted.is_none(),
        unlisted,
        by_header: true,
        // What a header says with LOCAL is for nobody (section 2.2 of the specification).
        header: (route.keeps_header && !header.is_local()).then(|| bytes.into()),
    })
}

/// What a listener that requires a namespace misses in a header.
fn lacking(received: &Received, route: &Route) -> Option<CloseReason> {
    let NetnsTlv::Select { required: true, .. } = route.netns_tlv else {
        return None;
    };
    match received.netns {
        ClientNetns::Unlisted { .. } => Some(CloseReason::NetnsRefused),
        ClientNetns::Known(_) if !received.selects => Some(CloseReason::NetnsMissing),
        ClientNetns::Known(_) => None,
    }
}

/// The namespace that a header names. Of two different ones, the next relay might take the other: a tenant's connection
/// must not depend on that.
fn sole_netns<'a>(header: &Header<'a>) -> Result<Option<&'a [u8]>, CloseReason> {
    let Some(first) = header.netns() else {
        return Ok(None);
    };
    let same = |tlv: Tlv<'_>| tlv.kind() != TlvType::NETNS || tlv.value() == first;
    if header.tlvs().all(same) {
        Ok(Some(first))
    } else {
        Err(CloseReason::NetnsAmbiguous)
    }
}

/// Counts and tells that a header named a namespace which it may not select.
pub(super) fn report_unlisted(entry: &Entry, closed: bool, resources: &Resources) {
    let Some(name) = entry
        .received
        .as_ref()
        .and_then(|received| received.unlisted.as_deref())
    else {
        return;
    };
    resources.stats.netns_unlisted.add(1);
    if closed {
        resources.stats.netns_refused.add(1);
    }
    resources.observer.notice(&Notice::NetnsUnlisted {
        relay: &entry.route.relay,
        peer: entry.peer,
        name,
        closed,
    });
}

/// What is written to a server before relaying starts.
pub(super) struct Preface {
    /// Its length.
    pub(super) bytes: usize,
    /// How much of it, at its end, the client has sent.
    pub(super) payload: usize,
}

/// Puts the header that the server wants before whatever waits for it.
///
/// # Errors
///
/// The header does not fit into what the format allows.
pub(super) fn prepare_preface(
    entry: &mut Entry,
    key: usize,
    resources: &mut Resources,
) -> Result<Preface, CloseReason> {
    let payload = waiting(entry);
    remember(entry, key, resources);
    let server = entry.server.as_ref().map(|chosen| Arc::clone(&chosen.server));
    let plan = server.as_ref().and_then(|server| server.send_header.as_ref());
    let composed = plan.map(|plan| composed::tlvs(plan, entry, key, resources));
    // A server that gets no header has no use for it either, and hardly a rule asks for it later.
    let is_asked_for = entry.route.within.as_ref().is_some_and(|judge| judge.asks_header);
    let received = entry.received.as_mut().and_then(|received| {
        if is_asked_for {
            received.header.clone()
        } else {
            received.header.take()
        }
    });
    if let (Some(plan), Some(composed)) = (plan, composed) {
        // Nothing is in the scratch buffer between two steps.
        let header = &mut resources.scratch[..MAX_WRITTEN];
        let length = write(
            plan,
            &composed,
            entry.client().zip(entry.destination()),
            entry.client_netns(),
            received.as_deref(),
            header,
        )?;
        let header = &header[..length];
        match entry.holding(Direction::Up) {
            Holding::Buffer(waiting) => waiting.prepend(header),
            holding => *holding = Holding::Buffer(resources.buffers.hold(header)),
        }
    }
    Ok(Preface {
        bytes: waiting(entry),
        payload,
    })
}

/// What is logged of a session and is gone once the server has it.
fn remember(entry: &Entry, key: usize, resources: &mut Resources) {
    if !entry.route.logged.is_fleeting {
        return;
    }
    let facts = resources.facts(entry, key);
    let value = |logged: &Expression| {
        let is_fleeting = logged.fetch.is_fleeting();
        is_fleeting
            .then(|| facts.value(logged))
            .flatten()
            .map(|value| value.truncated(MOST_REMEMBERED))
    };
    let values = entry.route.logged.expressions.iter().map(value).collect();
    if let Some((milestones, _)) = resources.milestones(entry, key) {
        milestones.remember(values);
    }
}

/// Bytes that wait for the server.
fn waiting(entry: &mut Entry) -> usize {
    match entry.holding(Direction::Up) {
        Holding::Buffer(waiting) => waiting.bytes().len(),
        _ => 0,
    }
}

/// Writes a header for a server. A client without an IP address is announced as unknown (v1) or local (v2), as HAProxy does.
fn write(
    plan: &HeaderPlan,
    composed: &[(TlvType, Vec<u8>)],
    addresses: Option<(SocketAddr, SocketAddr)>,
    netns: Option<&Arc<NetnsSpec>>,
    received: Option<&[u8]>,
    out: &mut [u8],
) -> Result<usize, CloseReason> {
    let addresses = addresses.map_or(Addresses::Unspec, |(source, destination)| {
        Addresses::promoted(Transport::Stream, source, destination)
    });
    let written = match plan {
        HeaderPlan::V1 => v1::encode(&addresses, out),
        HeaderPlan::V2(tlvs) => {
            let mut builder = match addresses {
                Addresses::Unspec => v2::Builder::local(out),
                addresses => v2::Builder::proxy(out, addresses),
            };
            let netns = netns.map(ToString::to_string);
            let netns = netns.as_deref().map(str::as_bytes);
            write_tlvs(&mut builder, tlvs, composed, netns, received);
            builder.finish()
        }
    };
    written.map_err(|_| CloseReason::HeaderUnwritable)
}

fn write_tlvs(
    builder: &mut v2::Builder<'_>,
    plan: &TlvPlan,
    composed: &[(TlvType, Vec<u8>)],
    mut netns: Option<&[u8]>,
    received: Option<&[u8]>,
) {
    if plan.checksum {
        // First, as HAProxy has it.
        builder.crc32c();
    }
    // What this relay says itself stands for what others have said of the same.
    let is_own = |kind| composed.iter().any(|(own, _)| *own == kind);
    // It has been parsed before.
    let parsed = received.and_then(|header| proxy_proto::parse(header).ok());
    let passes = |kind| plan.received || plan.authority && kind == TlvType::AUTHORITY;
    let tlvs = parsed.iter().flat_map(|parsed| parsed.header.tlvs());
    for tlv in tlvs.filter(|tlv| passes(tlv.kind()) && !is_own(tlv.kind())) {
        match tlv.kind() {
            TlvType::CRC32C if plan.checksum => {}
            TlvType::CRC32C => {
                builder.crc32c();
            }
            // Where it was, if policy agrees with it.
            TlvType::NETNS => {
                if let Some(agreed) = netns.take_if(|netns| *netns == tlv.value()) {
                    builder.netns(agreed);
                }
            }
            kind => {
                builder.tlv(kind, tlv.value());
            }
        }
    }
    for (kind, value) in composed {
        builder.tlv(*kind, value);
    }
    if let Some(netns) = netns {
        builder.netns(netns);
    }
}

pub(super) fn reset_or_failed(side: Side, errno: Errno) -> CloseReason {
    if errno.is_reset() {
        CloseReason::Reset(side)
    } else {
        CloseReason::Failed(side, errno)
    }
}
