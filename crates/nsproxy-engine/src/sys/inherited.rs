//! Descriptors that a process is started with: numbers, until they are duplicated.

use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};

/// A duplicate of a descriptor that this process has inherited. The descriptor itself stays open, for a later plan.
///
/// What this process opens itself is closed on exec, and what it has inherited cannot be: so a number that has come to mean
/// something else is refused with `EBADF`, like one that means nothing.
pub(crate) fn duplicate(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: asks for the flags of a descriptor by its number; one that is not open is an error.
    let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
    if flags == -1 {
        return Err(io::Error::last_os_error());
    }
    if flags & libc::FD_CLOEXEC != 0 {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: makes a new descriptor; one that is not open is an error.
    let duplicate = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 0) };
    if duplicate == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was made just now, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(duplicate) })
}
