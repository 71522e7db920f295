//! Calls for which neither the standard library nor `nix` has a safe form.
#![allow(
    unsafe_code,
    reason = "libc's local time, and descriptors that are known by their number"
)]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};

/// A point in time on the clock of this place (`localtime_r`, by `TZ` or /etc/localtime); `None` when the year does not fit.
pub(crate) fn local_time(seconds: i64) -> Option<libc::tm> {
    broken_down(seconds, libc::localtime_r)
}

/// The same in UTC.
pub(crate) fn utc(seconds: i64) -> Option<libc::tm> {
    broken_down(seconds, libc::gmtime_r)
}

type BreakDown = unsafe extern "C" fn(*const libc::time_t, *mut libc::tm) -> *mut libc::tm;

fn broken_down(seconds: i64, call: BreakDown) -> Option<libc::tm> {
    let mut tm = MaybeUninit::uninit();
    // SAFETY: both pointers are valid for the call; it writes all of `tm` unless it returns null.
    let done = unsafe { call(&raw const seconds, tm.as_mut_ptr()) };
    if done.is_null() {
        return None;
    }
    // SAFETY: it did not return null, so `tm` is written.
    Some(unsafe { tm.assume_init() })
}

/// A descriptor of one's own for what is open as number `fd`.
pub(crate) fn duplicate(fd: RawFd) -> io::Result<OwnedFd> {
    // `borrow_raw` must not get -1; a number that is not open is refused by the kernel.
    if fd < 0 {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: the number is not -1, and the borrow ends with this statement.
    unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned()
}
