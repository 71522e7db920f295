//! What the fuzz targets check, as functions of bytes: a target is one call, and `tests/` makes the same calls on every
//! seed and every input that once failed.
//!
//! One module a subject. A function panics when a promise is broken, and returns otherwise.

pub mod admin;
pub mod config;
pub mod dns;
pub mod hello;
pub mod proxy;
pub mod session;
