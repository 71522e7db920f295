//! What goes into a session and what comes out of it: limits, steps, and how a step went.

use std::num::NonZeroI16;

use super::close::{CloseReason, Errno};
use super::flow::Path;
use super::moment::Span;
use super::side::{Direction, Side};

/// Inactivity and waiting limits of one session; `None` is "never".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timeouts {
    /// For a complete PROXY header; [`Timeouts::client`] when not set.
    pub header: Option<Span>,
    /// For the upstream socket and its connection.
    pub connect: Option<Span>,
    /// For a server to have room; [`Timeouts::connect`] when not set.
    pub queue: Option<Span>,
    /// Inactivity of the client while the session waits for it.
    pub client: Option<Span>,
    /// Inactivity of the server while the session waits for it.
    pub server: Option<Span>,
    /// Of either one, in the place of both, once the session relays.
    pub relaying: Option<Span>,
    /// Inactivity of a client that has ended or was told of an end; that of others when not set.
    pub client_half_closed: Option<Span>,
    /// The same of a server.
    pub server_half_closed: Option<Span>,
}

impl Timeouts {
    /// Of a side of a session that relays.
    pub(super) fn idle(&self, side: Side) -> Option<Span> {
        self.relaying.or(match side {
            Side::Downstream => self.client,
            Side::Upstream => self.server,
        })
    }

    /// Of a side of which one direction has ended; `None`: as before.
    pub(super) const fn half_closed(&self, side: Side) -> Option<Span> {
        match side {
            Side::Downstream => self.client_half_closed,
            Side::Upstream => self.server_half_closed,
        }
    }
}

/// What follows a connection attempt that failed. The default is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retries {
    /// Attempts after the first.
    pub most: u16,
    /// Every so many retries, another server is tried; a negative number counts back from the last retry, which is -1.
    /// `None` always stays with the server.
    pub redispatch: Option<NonZeroI16>,
    /// Any other server is as good: with [`Retries::redispatch`], each retry goes to another one, and at once.
    pub anywhere: bool,
}

impl Retries {
    /// Whether the retry with this number, from 1, goes to another server. HAProxy's `back_handle_st_cer`.
    pub(super) fn redispatches(self, retry: u16) -> bool {
        let Some(interval) = self.redispatch.map(NonZeroI16::get) else {
            return false;
        };
        let interval = if interval > 0 {
            i32::from(interval)
        } else {
            (i32::from(self.most) + 1 + i32::from(interval)).max(1)
        };
        self.anywhere || i32::from(retry) % interval == 0
    }
}

/// What the driver has to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Read PROXY header bytes from downstream, then [`Session::on_header`](super::session::Session::on_header).
    ReadHeader,
    /// Read what the client has sent and look at it, then
    /// [`Session::on_inspected`](super::session::Session::on_inspected).
    Inspect {
        /// Nothing more is waited for: it has to be decided by what is there.
        last: bool,
    },
    /// Choose a server and ask for an upstream socket, then
    /// [`Session::on_socket_requested`](super::session::Session::on_socket_requested), or
    /// [`Session::on_queued`](super::session::Session::on_queued) when no server has room.
    OpenSocket,
    /// The connection attempt has failed: let go of the upstream socket, then
    /// [`Session::on_retry`](super::session::Session::on_retry).
    Retry {
        /// Let go of the server, too: another one is tried.
        redispatch: bool,
    },
    /// Start connecting, then [`Session::on_connect`](super::session::Session::on_connect).
    Connect,
    /// The connection attempt has ended, then [`Session::on_connect`](super::session::Session::on_connect).
    FinishConnect {
        /// An error is pending: ask which. Without one the connection is established.
        failed: bool,
    },
    /// Read what the server has sent and look at it, then
    /// [`Session::on_response_inspected`](super::session::Session::on_response_inspected), or
    /// [`Session::on_server_dropped`](super::session::Session::on_server_dropped) when a rule wants that.
    InspectResponse {
        /// Nothing more is waited for: it has to be decided by what is there.
        last: bool,
    },
    /// Write what is left of the preface, then [`Session::on_preface`](super::session::Session::on_preface).
    SendPreface,
    /// Move bytes in, then [`Session::on_fill`](super::session::Session::on_fill).
    Fill(Direction, Path),
    /// Move bytes out, then [`Session::on_flush`](super::session::Session::on_flush).
    Flush(Direction),
    /// `shutdown(SHUT_WR)` towards the flow's sink, then [`Session::on_shutdown`](super::session::Session::on_shutdown).
    ShutdownWrite(Direction),
    /// Nothing before the next event.
    Wait,
    /// Release everything.
    Close(CloseReason),
}

/// What reading for a PROXY header brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderRead {
    /// The header is complete, or its continuation may be tried at once.
    Complete,
    /// More bytes are needed; the socket may still have some.
    Incomplete,
    /// More bytes are needed, and the socket has none.
    WouldBlock,
    /// The session ends.
    Refused(CloseReason),
}

/// What looking at the bytes of one side brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inspected {
    /// The session goes on.
    Decided,
    /// More bytes are needed; the socket may still have some.
    Incomplete,
    /// More bytes are needed, and the socket has none.
    WouldBlock,
    /// The session ends.
    Refused(CloseReason),
}

/// How a connection attempt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connect {
    /// Established. The bytes of the preface that are to be written before relaying.
    Established {
        /// Bytes to be written before relaying starts.
        preface: usize,
        /// How many of them, the last ones, are the client's: they had come together with its header.
        payload: usize,
    },
    /// Under way: the socket will become writable.
    InProgress,
    /// Refused, unreachable and the like.
    Failed(Errno),
    /// Of no use, whatever the server answers.
    Impossible(CloseReason),
}
