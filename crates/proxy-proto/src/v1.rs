//! Version 1: one line of text (specification, section 2.1).
//!
//! ```text
//! PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n
//! PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n
//! PROXY UNKNOWN\r\n
//! ```
//!
//! Reading is [`parse_v1`](crate::parse_v1). Here is the writing.

mod ip;
mod parse;
mod write;

pub(crate) use parse::parse;
#[cfg(feature = "alloc")]
pub use write::to_vec;
pub use write::{encode, encoded_len};

/// Longest line with its CRLF, in bytes. A buffer of this size holds whatever [`encode`] writes.
pub const MAX_LEN: usize = 107;

/// Shortest line: `PROXY UNKNOWN` with its CRLF.
pub(crate) const MIN_LEN: usize = 15;
