//! `fork(2)`, for a process that has one thread.

use std::fs;
use std::io;

use nix::unistd::ForkResult;

/// Which of the two processes this is.
pub(crate) enum Fork {
    Parent,
    Child,
}

/// Makes a child process, which goes on from here, too.
///
/// # Errors
///
/// There are other threads, which the child would lack; or the kernel refuses.
pub(crate) fn fork() -> io::Result<Fork> {
    if fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::other("there are threads already"));
    }
    // SAFETY: this is the only thread, so no lock is held by another one that the child would not have.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Parent { .. } => Ok(Fork::Parent),
        ForkResult::Child => Ok(Fork::Child),
    }
}
