//! The one `unsafe` of the relay benchmark: a child that ends when the benchmark does.

#![allow(unsafe_code, reason = "pre_exec is unsafe by its contract")]

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;

/// Makes the program that `command` starts be asked to end when the thread that starts it ends (prctl(2)).
pub(super) fn ends_with_us(command: &mut Command) {
    let before_exec = || set_pdeathsig(Signal::SIGTERM).map_err(Into::into);
    // SAFETY: the closure makes one system call and nothing else: it neither allocates nor locks, so it may run between
    // fork and exec.
    unsafe { command.pre_exec(before_exec) };
}
