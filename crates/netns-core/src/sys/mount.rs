//! Mounts without a place (`open_tree(2)`, `move_mount(2)`, Linux 5.2).

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::check;

/// `linux/mount.h` and `linux/fcntl.h`.
const OPEN_TREE_CLONE: libc::c_uint = 1;
const MOVE_MOUNT_F_EMPTY_PATH: libc::c_uint = 4;

/// Copies the mount at `path` and all below it. The copies are at no place, and are gone when the descriptor
/// is closed, unless they are moved to one. The descriptor is close-on-exec.
pub(crate) fn copy_tree(path: &CStr) -> io::Result<OwnedFd> {
    let flags = OPEN_TREE_CLONE | libc::O_CLOEXEC.cast_unsigned() | libc::AT_RECURSIVE.cast_unsigned();
    // SAFETY: open_tree reads the path, which ends with a NUL and is live, and writes no memory of ours.
    let fd = unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) };
    let fd = check(i32::try_from(fd).map_err(io::Error::other)?)?;
    // SAFETY: the kernel has just made this descriptor for us; nobody else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Mounts at `path` what [`copy_tree`] has copied.
pub(crate) fn place_tree(tree: BorrowedFd<'_>, path: &CStr) -> io::Result<()> {
    // SAFETY: move_mount reads the two paths, which end with a NUL and are live, and writes no memory of ours.
    let result = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_FDCWD,
            path.as_ptr(),
            MOVE_MOUNT_F_EMPTY_PATH,
        )
    };
    check(i32::try_from(result).map_err(io::Error::other)?)?;
    Ok(())
}
