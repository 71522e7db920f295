//! What sockets are like beyond where they are.

use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

/// The socket of a listener, and with it the connections that it accepts, which inherit most of it. All of this may change
/// while it listens. Of a unix socket, only the backlog counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ListenerTuning {
    /// How many connections may wait; `None` is as many as the namespace allows (`net.core.somaxconn`).
    pub backlog: Option<NonZeroU32>,
    /// The longest segment that clients are told to send (`TCP_MAXSEG`).
    pub max_segment: Option<NonZeroU16>,
    /// How long bytes may stay unacknowledged (`TCP_USER_TIMEOUT`), up to 49 days.
    pub user_timeout: Option<Duration>,
    /// Whether a connection is accepted only once its client has sent something (`TCP_DEFER_ACCEPT`).
    pub defer_accept: bool,
    /// Whether bytes may come with the request for a connection (`TCP_FASTOPEN`).
    pub fast_open: bool,
    /// Whether, and how, silent clients are probed.
    pub keep_alive: Option<KeepAlive>,
    /// The kernel's buffers. A size that a listener has had stays until there is another.
    pub buffers: SocketBuffers,
}

/// What the kernel holds for a connection at most, in bytes; `None`: as much as it finds right. It takes no more than
/// `net.core.rmem_max` and `net.core.wmem_max`, and doubles the number for what it keeps beside the bytes (socket(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SocketBuffers {
    /// Of what was received (`SO_RCVBUF`).
    pub receive: Option<NonZeroU32>,
    /// Of what is to be sent (`SO_SNDBUF`).
    pub send: Option<NonZeroU32>,
}

/// How the kernel finds out that a silent peer has gone (`SO_KEEPALIVE`). `None`: as the namespace has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct KeepAlive {
    /// Seconds of silence before a probe (`TCP_KEEPIDLE`), up to 32767.
    pub idle: Option<NonZeroU16>,
    /// Seconds from a probe to the next one (`TCP_KEEPINTVL`), up to 32767.
    pub interval: Option<NonZeroU16>,
    /// Probes in a row without an answer (`TCP_KEEPCNT`), up to 127.
    pub count: Option<NonZeroU16>,
}
