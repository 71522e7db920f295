//! The system calls that no dependency wraps, and the only `unsafe` code of this crate.
//!
//! The contract: a borrowed descriptor goes in, a value or an owned descriptor comes out, the errno is kept
//! in the [`std::io::Error`], and nothing is retried or interpreted. `setns`, `unshare`, `mount` and
//! `fstatfs` are not here: `nix` has them.
//!
//! - [`mount`]: copies of mounts that are not at any place.
//! - [`nsfs`]: what the kernel tells about an open namespace file.
//! - [`pidfd`]: what it tells about the namespace of a process.
//! - [`socket`]: what it tells about the namespace of a socket.
//! - [`statmount`]: what it tells about one mount.

#![allow(unsafe_code, reason = "raw system calls; each block does one of them")]

pub(crate) mod mount;
pub(crate) mod nsfs;
pub(crate) mod pidfd;
pub(crate) mod socket;
pub(crate) mod statmount;

use std::ffi::c_int;
use std::io;

/// Turns the `-1` of a system call into the errno.
fn check(result: c_int) -> io::Result<c_int> {
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}
