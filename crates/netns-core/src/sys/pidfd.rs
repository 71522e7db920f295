//! Process descriptors, and from one to the network namespace of its process.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::check;

/// `PIDFD_GET_NET_NAMESPACE` of `linux/pidfd.h`.
const PIDFD_GET_NET_NAMESPACE: libc::Ioctl = nix::request_code_none!(0xff, 4) as libc::Ioctl;

/// Opens the network namespace of a process (Linux 6.11). The descriptor is close-on-exec.
///
/// An older kernel answers `ENOTTY`, and so does any kernel if `pidfd` is something else.
pub(crate) fn open_netns(pidfd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: PIDFD_GET_NET_NAMESPACE takes no argument (a zero is checked for) and writes no memory of ours.
    let fd = check(unsafe { libc::ioctl(pidfd.as_raw_fd(), PIDFD_GET_NET_NAMESPACE, 0) })?;
    // SAFETY: the kernel has just made this descriptor for us; nobody else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A descriptor of the process with this number (Linux 5.3). It is close-on-exec (`pidfd_open(2)`).
pub(crate) fn of_process(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open takes two numbers and touches no memory of ours.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = check(i32::try_from(fd).map_err(io::Error::other)?)?;
    // SAFETY: the kernel has just made this descriptor for us; nobody else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
