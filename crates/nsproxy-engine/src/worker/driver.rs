//! Carries out a session's steps with system calls, for one turn: until the session waits, ends, or has used up its budget.

use std::io::{ErrorKind, Read as _};
use std::net::Shutdown;

use super::entry::{Entry, Holding};
use super::resources::Resources;
use super::{connector, header, rules};
use crate::core::close::{CloseReason, Errno};
use crate::core::flow::{Fill, Flush, Path};
use crate::core::session::{Connect, HeaderRead, Inspected, Step};
use crate::core::side::{Direction, Side};

/// Steps of one session in one turn. A bulk flow moves up to a pipe with each pair of steps, so that others wait for some
/// tens of milliseconds at most.
const STEPS: u32 = 64;
/// Bytes moved by one session in one turn.
const BYTES: usize = 1 << 18;

/// How a turn has ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The session waits for an event.
    Waits,
    /// The session waits for the opener's answer to the request that it just made.
    WaitsForSocket,
    /// The budget is used up; no new edge will come for what is left to do.
    Unfinished,
    /// The session has ended.
    Ended(CloseReason),
}

/// One turn of a session.
#[inline]
pub(super) fn turn(entry: &mut Entry, key: usize, resources: &mut Resources) -> Turn {
    let (mut steps, mut bytes) = (0, 0);
    while steps < STEPS && bytes < BYTES {
        steps += 1;
        match entry.core.next_step() {
            Step::Wait => {
                release_empty(entry, resources);
                return Turn::Waits;
            }
            Step::Close(reason) => return Turn::Ended(reason),
            Step::Fill(direction, Path::Copy) => bytes += copy(entry, key, direction, resources),
            Step::Fill(direction, Path::Splice) => fill_by_splice(entry, direction, resources),
            Step::Flush(direction) => bytes += flush(entry, key, direction, resources),
            Step::ShutdownWrite(direction) => shutdown_write(entry, direction),
            Step::ReadHeader => {
                let read = header::read(entry, resources);
                entry.core.on_header(read, resources.now());
                if names_a_client(read)
                    && (entry.route.judge.is_none() || rules::on_admitted(entry, resources.now()))
                {
                    begin(entry, key, resources);
                }
            }
            Step::Inspect { last } => {
                begin(entry, key, resources);
                let inspected = rules::inspect(entry, last, resources);
                entry.core.on_inspected(inspected, resources.now());
                if inspected == Inspected::Decided {
                    rules::on_decided(entry, resources.now());
                }
            }
            Step::OpenSocket => {
                begin(entry, key, resources);
                match connector::choose(entry, key, resources) {
                    Ok(Some(request)) => {
                        resources.request_socket(key, entry.generation, request);
                        entry.core.on_socket_requested();
                        return Turn::WaitsForSocket;
                    }
                    Ok(None) => entry.core.on_queued(resources.now()),
                    Err(CloseReason::NoSourcePort) => entry.core.on_no_source_port(),
                    Err(reason) => entry.core.close(reason),
                }
            }
            Step::Retry { redispatch } => {
                connector::clear_away(entry, redispatch, resources);
                entry.core.on_retry(resources.now(), &entry.route.timeouts);
            }
            Step::Connect => {
                let connect = connector::connect(entry, key, resources);
                start_watching(entry, key, connect, resources);
            }
            Step::FinishConnect { failed } => {
                let connect = connector::finish(entry, key, failed, resources);
                note_connection(entry, key, connect, resources);
                entry.core.on_connect(connect, resources.now());
                rules::on_connected(entry, resources.now());
            }
            Step::SendPreface => {
                send_preface(entry, key, resources);
                rules::on_connected(entry, resources.now());
            }
            Step::InspectResponse { last } => rules::inspect_response(entry, last, resources),
        }
    }
    Turn::Unfinished
}

/// Whether the client's header is complete: one whose namespace is refused is, too.
fn names_a_client(read: HeaderRead) -> bool {
    matches!(
        read,
        HeaderRead::Complete | HeaderRead::Refused(CloseReason::NetnsRefused | CloseReason::NetnsMissing)
    )
}

/// Tells, the first time, that the session has begun.
#[inline]
fn begin(entry: &Entry, key: usize, resources: &mut Resources) {
    if let Some((milestones, now)) = resources.milestones(entry, key)
        && milestones.on_begin(now)
    {
        resources.observer.session_began(&resources.facts(entry, key));
    }
}

/// The upstream socket is registered only now: an unconnected one would report a hang-up at once.
fn start_watching(entry: &mut Entry, key: usize, connect: Connect, resources: &mut Resources) {
    note_connection(entry, key, connect, resources);
    entry.core.on_connect(connect, resources.now());
    rules::on_connected(entry, resources.now());
    let is_awaited = match connect {
        Connect::Established { .. } => false,
        Connect::InProgress => true,
        Connect::Failed(_) | Connect::Impossible(_) => return,
    };
    if let Some(socket) = entry.socket(Side::Upstream)
        && let Err(error) = resources.watch(socket, key, Side::Upstream, is_awaited)
    {
        entry.core.close(CloseReason::SocketFailed(Errno::from(&error)));
    }
    entry.told_of_room[Side::Upstream.index()] = is_awaited;
}

/// A socket takes no more: the poller is to tell when it does. Once told to, it does so for good.
fn await_room(entry: &mut Entry, key: usize, side: Side, resources: &Resources) {
    if !entry.told_of_room[side.index()]
        && let Some(socket) = entry.socket(side)
    {
        match resources.await_room(socket, key, side) {
            Ok(()) => entry.told_of_room[side.index()] = true,
            Err(error) => entry.core.close(CloseReason::Failed(side, Errno::from(&error))),
        }
    }
}

fn note_connection(entry: &Entry, key: usize, connect: Connect, resources: &mut Resources) {
    let Connect::Established { .. } = connect else {
        return;
    };
    let counting = resources.counting();
    if let Some(took) = entry.core.waits_for(counting.now) {
        counting.connected(entry, took);
    }
    if let Some((milestones, now)) = resources.milestones(entry, key) {
        milestones.on_connected(now);
        resources.observer.session_connected(&resources.facts(entry, key));
    }
}

/// Fills and flushes in one go: the scratch buffer belongs to all sessions of the worker, so nothing may be left in it when
/// a step is over. Returns how much has moved on.
fn copy(entry: &mut Entry, key: usize, direction: Direction, resources: &mut Resources) -> usize {
    let Some(mut socket) = entry.socket(direction.from()) else {
        return 0;
    };
    let asked = resources.buffers.fill_limit();
    let fill = match socket.read(&mut resources.scratch[..asked]) {
        Ok(0) => Fill::Eof,
        Ok(bytes) => Fill::Copied { bytes, asked },
        Err(error) if error.kind() == ErrorKind::WouldBlock => Fill::WouldBlock,
        Err(error) if error.kind() == ErrorKind::Interrupted => return 0,
        Err(error) => {
            entry.core.on_read_failed(direction.from(), Errno::from(&error));
            return 0;
        }
    };
    entry.core.on_fill(direction, fill, resources.now());
    if let Fill::Copied { .. } = fill {
        // A pipe that a demoted flow has left behind is empty.
        entry
            .holding(direction)
            .release(true, &mut resources.buffers, &mut resources.pipes);
        *entry.holding(direction) = Holding::Scratch;
        flush(entry, key, direction, resources)
    } else {
        0
    }
}

fn fill_by_splice(entry: &mut Entry, direction: Direction, resources: &mut Resources) {
    if let Holding::Nothing = entry.holding(direction) {
        let Some(pipe) = resources.pipes.lend() else {
            resources.stats.pipes_denied.add(1);
            return entry.core.on_no_pipe(direction);
        };
        *entry.holding(direction) = Holding::Pipe(pipe);
    }
    let (Holding::Pipe(pipe), Some(socket)) =
        (&entry.holdings[direction.index()], entry.socket(direction.from()))
    else {
        return entry.core.on_no_pipe(direction);
    };
    let fill = match pipe.fill(socket) {
        Ok(0) => Fill::Eof,
        Ok(bytes) => Fill::Spliced(bytes),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Fill::WouldBlock,
        Err(error) if error.kind() == ErrorKind::Interrupted => return,
        // The socket's protocol has no splice.
        Err(error) if error.kind() == ErrorKind::InvalidInput => return entry.core.on_no_pipe(direction),
        Err(error) => return entry.core.on_read_failed(direction.from(), Errno::from(&error)),
    };
    entry.core.on_fill(direction, fill, resources.now());
}

/// Moves what is in flight on, and returns how much of it.
fn flush(entry: &mut Entry, key: usize, direction: Direction, resources: &mut Resources) -> usize {
    let in_flight = entry.core.in_flight(direction);
    if direction == Direction::Up {
        entry.hasten();
    }
    let Some(socket) = entry.socket(direction.to()) else {
        return 0;
    };
    let written = match &entry.holdings[direction.index()] {
        Holding::Scratch => socket.send_with_flags(&resources.scratch[..in_flight], libc::MSG_NOSIGNAL),
        Holding::Buffer(waiting) => socket.send_with_flags(waiting.bytes(), libc::MSG_NOSIGNAL),
        Holding::Pipe(pipe) => pipe.flush(socket, in_flight),
        // Bytes in flight are always held somewhere.
        Holding::Nothing => Err(ErrorKind::BrokenPipe.into()),
    };
    let flush = match written {
        Ok(bytes) => Flush::Moved(bytes),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Flush::WouldBlock,
        Err(error) if error.kind() == ErrorKind::Interrupted => Flush::Moved(0),
        Err(error) => {
            // What was in flight has nowhere to go.
            let holding = entry.holding(direction);
            if let Holding::Scratch = holding {
                *holding = Holding::Nothing;
            }
            entry.core.on_write_failed(direction.to(), Errno::from(&error));
            return 0;
        }
    };
    let moved = if let Flush::Moved(bytes) = flush { bytes } else { 0 };
    keep(entry, direction, moved, in_flight, resources);
    entry.core.on_flush(direction, flush, resources.now());
    if let Flush::WouldBlock = flush {
        await_room(entry, key, direction.to(), resources);
    }
    moved
}

/// After `moved` of `in_flight` bytes have left: holds the rest where it survives this turn.
fn keep(entry: &mut Entry, direction: Direction, moved: usize, in_flight: usize, resources: &mut Resources) {
    let holding = entry.holding(direction);
    match holding {
        Holding::Scratch if moved < in_flight => {
            *holding = Holding::Buffer(resources.buffers.hold(&resources.scratch[moved..in_flight]));
        }
        Holding::Scratch => *holding = Holding::Nothing,
        Holding::Buffer(waiting) => {
            waiting.consume(moved);
            if moved == in_flight {
                holding.release(true, &mut resources.buffers, &mut resources.pipes);
            }
        }
        Holding::Pipe(_) | Holding::Nothing => {}
    }
}

fn shutdown_write(entry: &mut Entry, direction: Direction) {
    let done = entry
        .socket(direction.to())
        .map(|socket| socket.shutdown(Shutdown::Write));
    match done {
        None | Some(Ok(())) => entry.core.on_shutdown(direction),
        // ENOTCONN after a successful connect: the peer has reset the connection in the meantime.
        Some(Err(error)) if error.kind() == ErrorKind::NotConnected => {
            entry.core.close(CloseReason::Reset(direction.to()));
        }
        Some(Err(error)) => entry
            .core
            .close(CloseReason::Failed(direction.to(), Errno::from(&error))),
    }
}

fn send_preface(entry: &mut Entry, key: usize, resources: &mut Resources) {
    entry.hasten();
    let Holding::Buffer(waiting) = &entry.holdings[Direction::Up.index()] else {
        // A preface is announced only when it waits.
        return entry.core.close(CloseReason::HeaderUnwritable);
    };
    let Some(socket) = entry.socket(Side::Upstream) else {
        return;
    };
    let left = waiting.bytes().len();
    let flush = match socket.send_with_flags(waiting.bytes(), libc::MSG_NOSIGNAL) {
        Ok(bytes) => Flush::Moved(bytes),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Flush::WouldBlock,
        Err(error) if error.kind() == ErrorKind::Interrupted => Flush::Moved(0),
        Err(error) => return entry.core.on_write_failed(Side::Upstream, Errno::from(&error)),
    };
    let moved = if let Flush::Moved(bytes) = flush { bytes } else { 0 };
    keep(entry, Direction::Up, moved, left, resources);
    entry.core.on_preface(flush, resources.now());
    if let Flush::WouldBlock = flush {
        await_room(entry, key, Side::Upstream, resources);
    }
}

/// A session that waits holds no empty pipe.
fn release_empty(entry: &mut Entry, resources: &mut Resources) {
    for direction in Direction::BOTH {
        if let Holding::Pipe(_) = entry.holdings[direction.index()]
            && entry.core.in_flight(direction) == 0
        {
            entry
                .holding(direction)
                .release(true, &mut resources.buffers, &mut resources.pipes);
        }
    }
}
