//! The built `nsproxy` between real namespaces, next to real programs: one file for each subject.
//!
//! One test binary rather than one for each file, so that the helpers are compiled and linked once. What a library does
//! by itself is tested there; here is only what the whole program promises.

mod check;
mod common;
mod forward;
mod headers;
mod lifecycle;
mod peers;
mod seeds;
mod tenants;
mod transfer;
