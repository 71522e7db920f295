//! The ioctls of a namespace file (`ioctl_ns(2)`, `linux/nsfs.h`).

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

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
