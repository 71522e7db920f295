//! Options of TCP sockets that no crate wraps.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _};

/// Sets an option of a TCP socket that is a number: one of tcp(7).
pub(crate) fn set_tcp_option(socket: &impl AsFd, name: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // The size of a number is no more than the kernel's type holds.
    #[expect(clippy::cast_possible_truncation, reason = "four bytes")]
    let size = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the descriptor is open for the duration of the call, and the kernel reads `size` bytes of `value`.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            name,
            (&raw const value).cast(),
            size,
        )
    };
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
