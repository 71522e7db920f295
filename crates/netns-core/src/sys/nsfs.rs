//! The ioctls of a namespace file (`ioctl_ns(2)`, `linux/nsfs.h`).

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::check;

/// The ioctl group of namespace files.
const NSIO: u8 = 0xb7;

/// The type of the namespace behind `fd`, as a `CLONE_NEW*` flag (`NS_GET_NSTYPE`, Linux 4.11).
pub(crate) fn namespace_type(fd: BorrowedFd<'_>) -> io::Result<c_int> {
    // SAFETY: NS_GET_NSTYPE takes no argument and writes no memory of ours.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), nix::request_code_none!(NSIO, 0x3)) })
}

/// The number of the namespace behind `fd`, never used again by the kernel (`NS_GET_ID`, Linux 6.18).
///
/// An older kernel answers `ENOTTY`.
pub(crate) fn namespace_id(fd: BorrowedFd<'_>) -> io::Result<u64> {
    let mut id = 0_u64;
    // SAFETY: NS_GET_ID writes one u64 to the address, which is that of a live, aligned u64.
    check(unsafe {
        libc::ioctl(
            fd.as_raw_fd(),
            nix::request_code_read!(NSIO, 13, size_of::<u64>()),
            &raw mut id,
        )
    })?;
    Ok(id)
}

/// Opens the user namespace that owns the namespace behind `fd` (`NS_GET_USERNS`, Linux 4.9). The descriptor
/// is close-on-exec.
pub(crate) fn owner(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: NS_GET_USERNS takes no argument and writes no memory of ours.
    let owner = check(unsafe { libc::ioctl(fd.as_raw_fd(), nix::request_code_none!(NSIO, 0x1)) })?;
    // SAFETY: the kernel has just made this descriptor for us; nobody else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(owner) })
}

/// The user who made the user namespace behind `fd` (`NS_GET_OWNER_UID`, Linux 4.11).
pub(crate) fn owner_uid(fd: BorrowedFd<'_>) -> io::Result<libc::uid_t> {
    let mut uid: libc::uid_t = 0;
    // SAFETY: NS_GET_OWNER_UID writes one uid_t to the address, which is that of a live, aligned uid_t.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), nix::request_code_none!(NSIO, 0x4), &raw mut uid) })?;
    Ok(uid)
}
