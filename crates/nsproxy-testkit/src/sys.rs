//! Every `unsafe` of this crate: preparing a child between fork and exec, and two socket options
//! that no wrapper has.

#![allow(
    unsafe_code,
    reason = "pre_exec is unsafe by its contract, and SO_NETNS_COOKIE and TCP_DEFER_ACCEPT have no safe wrapper"
)]

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sched::{CloneFlags, setns};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;

/// Makes `command` run in a process group of its own, be killed when the thread that spawned it ends,
/// and, if `netns` is given, run in that network namespace.
pub(crate) fn prepare(command: &mut Command, netns: Option<OwnedFd>) {
    command.process_group(0);
    let before_exec = move || {
        set_pdeathsig(Signal::SIGKILL)?;
        if let Some(netns) = &netns {
            setns(netns, CloneFlags::CLONE_NEWNET)?;
        }
        Ok(())
    };
    // SAFETY: the closure makes two system calls and nothing else: it neither allocates, nor locks,
    // nor touches memory that another thread may be changing, so it may run between fork and exec.
    unsafe { command.pre_exec(before_exec) };
}

/// The cookie of the network namespace that the socket `fd` belongs to; `None` when `fd` is no open
/// socket (any longer), or the kernel is older than 5.14.
pub(crate) fn netns_cookie(fd: RawFd) -> Option<u64> {
    let mut cookie = 0_u64;
    let mut length = libc::socklen_t::try_from(size_of::<u64>()).ok()?;
    // SAFETY: the pointers are to a live u64 and to its length; the kernel writes at most `length`
    // bytes there. A descriptor that is closed or no socket is answered with an error.
    let result = unsafe {
        libc::getsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    (result == 0).then_some(cookie)
}

/// Has a listening socket wait for bytes for `seconds` before it takes a connection (`TCP_DEFER_ACCEPT`, tcp(7)).
pub(crate) fn defer_accept(listener: impl AsFd, seconds: libc::c_int) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of::<libc::c_int>()).map_err(io::Error::other)?;
    // SAFETY: the pointer is to a live integer, and `length` is its length; the kernel only reads it.
    let result = unsafe {
        libc::setsockopt(
            listener.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_DEFER_ACCEPT,
            (&raw const seconds).cast(),
            length,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
