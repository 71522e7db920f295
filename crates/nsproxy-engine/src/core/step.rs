//! What goes into a session and what comes out of it: limits, steps, and how a step went.

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
    /// Inactivity of the client while the session waits for it.
    pub client: Option<Span>,
    /// Inactivity of the server while the session waits for it.
    pub server: Option<Span>,
}

impl Timeouts {
    pub(super) const fn idle(&self, side: Side) -> Option<Span> {
        match side {
            Side::Downstream => self.client,
            Side::Upstream => self.server,
        }
    }
}

/// What the driver has to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Read PROXY header bytes from downstream, then [`Session::on_header`](super::session::Session::on_header).
    ReadHeader,
    /// Ask for an upstream socket, then [`Session::on_socket_requested`](super::session::Session::on_socket_requested).
    OpenSocket,
    /// Start connecting, then [`Session::on_connect`](super::session::Session::on_connect).
    Connect,
    /// The connection attempt has ended, then [`Session::on_connect`](super::session::Session::on_connect).
    FinishConnect {
        /// An error is pending: ask which. Without one the connection is established.
        failed: bool,
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
    /// Established, and of no use.
    Impossible(CloseReason),
}
