//! `nsproxy netns` in private worlds, beside `ip netns`: one file for each subject.
//!
//! One test binary, so that the helpers are compiled and linked once. What the library does by itself is tested there;
//! here is what the command promises: words, answers, exit codes, and that `ip` can use what it made.

mod apply;
mod apply_compare;
mod beside_ip;
mod capabilities;
mod common;
mod concurrency;
mod exec;
mod links;
mod monitor;
mod names;
mod nsids;
mod processes;
mod words;
