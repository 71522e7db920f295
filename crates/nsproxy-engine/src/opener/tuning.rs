//! Gives sockets the options of a [`ListenerTuning`] or [`KeepAlive`].
//!
//! Before a socket listens for the first time, only what differs from the kernel's ways is set. Later, everything is: what
//! was set before may have to go.

use std::io;
use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use socket2::{Socket, TcpKeepalive};

use super::Operation;
use super::in_process::{BACKLOG, Failure, option};
use crate::plan::{KeepAlive, ListenerTuning, SocketBuffers};
use crate::sys;

/// For a TCP socket that does not listen yet. The backlog is left to [`backlog`].
pub(super) fn begin(socket: &Socket, tuning: &ListenerTuning) -> Result<(), Failure> {
    set(socket, Some(&ListenerTuning::default()), tuning)
}

/// For a TCP socket that listens, and was nobody knows how.
pub(super) fn impose(socket: &Socket, tuning: &ListenerTuning) -> Result<(), Failure> {
    set(socket, None, tuning)?;
    socket
        .listen(backlog(tuning))
        .map_err(|error| (Operation::SetOption("the backlog"), error))
}

/// For a TCP socket that was `before` so, if that is known.
fn set(socket: &Socket, before: Option<&ListenerTuning>, tuning: &ListenerTuning) -> Result<(), Failure> {
    if before.is_none_or(|before| before.max_segment != tuning.max_segment) {
        let bytes = tuning.max_segment.map_or(0, NonZeroU16::get);
        option("TCP_MAXSEG", socket.set_tcp_mss(bytes.into()))?;
    }
    if before.is_none_or(|before| before.user_timeout != tuning.user_timeout) {
        option(
            "TCP_USER_TIMEOUT",
            socket.set_tcp_user_timeout(tuning.user_timeout),
        )?;
    }
    if before.is_none_or(|before| before.defer_accept != tuning.defer_accept) {
        option(
            "TCP_DEFER_ACCEPT",
            sys::set_tcp_option(socket, libc::TCP_DEFER_ACCEPT, tuning.defer_accept.into()),
        )?;
    }
    let queue = |tuning: &ListenerTuning| if tuning.fast_open { backlog(tuning) } else { 0 };
    if before.is_none_or(|before| queue(before) != queue(tuning)) {
        option(
            "TCP_FASTOPEN",
            sys::set_tcp_option(socket, libc::TCP_FASTOPEN, queue(tuning)),
        )?;
    }
    if before.is_none_or(|before| before.buffers != tuning.buffers) {
        option("SO_RCVBUF or SO_SNDBUF", buffers(socket, tuning.buffers))?;
    }
    if before.is_none_or(|before| before.keep_alive != tuning.keep_alive) {
        match tuning.keep_alive {
            None => option("SO_KEEPALIVE", socket.set_keepalive(false))?,
            Some(probes) => option("SO_KEEPALIVE", keep_alive(socket, probes))?,
        }
    }
    Ok(())
}

/// What `listen(2)` is told. The kernel clamps it to `net.core.somaxconn` of the namespace.
pub(super) fn backlog(tuning: &ListenerTuning) -> i32 {
    tuning
        .backlog
        .and_then(|backlog| i32::try_from(backlog.get()).ok())
        .unwrap_or(BACKLOG)
}

/// For a socket that listens: from one tuning to the next one, without a moment at which it does not listen.
pub(crate) fn change(socket: &Socket, before: &ListenerTuning, tuning: &ListenerTuning) -> io::Result<()> {
    if socket.domain()? != socket2::Domain::UNIX {
        set(socket, Some(before), tuning).map_err(|(_, error)| error)?;
    }
    if backlog(before) != backlog(tuning) {
        socket.listen(backlog(tuning))?;
    }
    Ok(())
}

/// Sets the sizes that there are. Of a connection, before it is made: they decide what its peer is offered.
pub(crate) fn buffers(socket: &Socket, buffers: SocketBuffers) -> io::Result<()> {
    // The kernel takes what is too large for its largest.
    let bytes = |size: NonZeroU32| usize::try_from(size.get()).unwrap_or(usize::MAX);
    if let Some(size) = buffers.receive {
        socket.set_recv_buffer_size(bytes(size))?;
    }
    if let Some(size) = buffers.send {
        socket.set_send_buffer_size(bytes(size))?;
    }
    Ok(())
}

/// Has the kernel probe a silent peer.
pub(crate) fn keep_alive(socket: &Socket, probes: KeepAlive) -> io::Result<()> {
    let seconds = |value: NonZeroU16| Duration::from_secs(value.get().into());
    let mut options = TcpKeepalive::new();
    if let Some(idle) = probes.idle {
        options = options.with_time(seconds(idle));
    }
    if let Some(interval) = probes.interval {
        options = options.with_interval(seconds(interval));
    }
    if let Some(count) = probes.count {
        options = options.with_retries(count.get().into());
    }
    socket.set_tcp_keepalive(&options)
}
