//! From a socket to the network namespace that it was made in.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::check;

/// `SIOCGSKNS` of `linux/sockios.h`: the same number on every architecture.
const SIOCGSKNS: libc::Ioctl = 0x894c;

/// `SO_NETNS_COOKIE` of the generic `asm/socket.h`.
#[cfg(not(any(target_arch = "sparc", target_arch = "sparc64")))]
const SO_NETNS_COOKIE: libc::c_int = 71;
/// SPARC has numbers of its own for socket options.
#[cfg(any(target_arch = "sparc", target_arch = "sparc64"))]
const SO_NETNS_COOKIE: libc::c_int = 0x0050;

/// The length of a cookie: a `u64`.
const COOKIE_LEN: libc::socklen_t = 8;

/// Opens the network namespace of a socket (`SIOCGSKNS`, Linux 4.10). The descriptor is close-on-exec.
pub(crate) fn open_netns(socket: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: SIOCGSKNS takes no argument and writes no memory of ours.
    let fd = check(unsafe { libc::ioctl(socket.as_raw_fd(), SIOCGSKNS) })?;
    // SAFETY: the kernel has just made this descriptor for us; nobody else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The cookie of a socket's network namespace (`SO_NETNS_COOKIE`, Linux 5.14).
pub(crate) fn netns_cookie(socket: BorrowedFd<'_>) -> io::Result<u64> {
    let mut cookie = 0_u64;
    let mut len: libc::socklen_t = COOKIE_LEN;
    // SAFETY: the kernel writes at most `len` bytes to `cookie`, and the length to `len`; both are live.
    check(unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut len,
        )
    })?;
    Ok(cookie)
}
