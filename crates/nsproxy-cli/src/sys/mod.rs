//! The raw system calls that no well-kept crate offers as safe functions. Each `unsafe` block does one thing and says why
//! it may.
#![allow(
    unsafe_code,
    reason = "the one module of this program that talks to the kernel by hand"
)]

pub(crate) mod capset;
mod fork;
pub(crate) mod handover;

pub(crate) use fork::{Fork, fork};
