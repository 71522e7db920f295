//! One registration kind that mio does not offer: `EPOLLEXCLUSIVE` on a listener that several workers share.
//!
//! Level-triggered: what a small accept batch leaves in the backlog is reported again, so no run queue is needed for
//! listeners. Exclusive: a new connection wakes one worker rather than all of them (`epoll_ctl(2)`).

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// Registers `listener` for incoming connections; events carry `token`, as mio's do.
pub(crate) fn add_exclusive(poll: &impl AsRawFd, listener: &impl AsFd, token: mio::Token) -> io::Result<()> {
    let events = libc::EPOLLIN | libc::EPOLLEXCLUSIVE;
    let event = libc::epoll_event {
        events: events.cast_unsigned(),
        u64: token.0 as u64,
    };
    control(poll, libc::EPOLL_CTL_ADD, listener.as_fd(), event)
}

/// Takes `listener` out again.
pub(crate) fn remove(poll: &impl AsRawFd, listener: &impl AsFd) -> io::Result<()> {
    control(
        poll,
        libc::EPOLL_CTL_DEL,
        listener.as_fd(),
        libc::epoll_event { events: 0, u64: 0 },
    )
}

fn control(
    poll: &impl AsRawFd,
    operation: libc::c_int,
    fd: BorrowedFd<'_>,
    mut event: libc::epoll_event,
) -> io::Result<()> {
    // SAFETY: both descriptors are open for the duration of the call, and `event` is a valid structure that the kernel
    // only reads.
    let result = unsafe { libc::epoll_ctl(poll.as_raw_fd(), operation, fd.as_raw_fd(), &raw mut event) };
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
