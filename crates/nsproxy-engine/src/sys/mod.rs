//! The raw system calls that no well-kept crate offers as safe functions. Each `unsafe` block does one thing and says why
//! it may. Contract: descriptors are borrowed, results are `io::Result`, nothing is retried here.
#![allow(
    unsafe_code,
    reason = "the one module of this crate that talks to the kernel by hand"
)]

mod epoll;
mod inherited;
mod tcp_option;

pub(crate) use epoll::{add_exclusive, remove};
pub(crate) use inherited::duplicate;
pub(crate) use tcp_option::{acceptable, set_tcp_option};
