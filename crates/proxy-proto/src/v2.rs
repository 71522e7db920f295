//! Version 2: binary (specification, section 2.2).
//!
//! | offset | length | field |
//! |---|---|---|
//! | 0 | 12 | [`SIGNATURE`] |
//! | 12 | 1 | version 2 in the high nibble; command: 0 LOCAL, 1 PROXY |
//! | 13 | 1 | family: 0 unspecified, 1 IPv4, 2 IPv6, 3 UNIX; transport: 0 unspecified, 1 stream, 2 datagram |
//! | 14 | 2 | length of all that follows, big-endian |
//! | 16 | 0, 12, 36 or 216 | source and destination address, source and destination port |
//! | then | the rest | TLVs: type (1), length (2, big-endian), value |
//!
//! Reading is [`parse_v2`](crate::parse_v2). Here is the writing: [`Builder`].

mod chain;
mod parse;
mod write;
mod write_ssl;

pub(crate) use chain::is_ssl_value;
pub(crate) use parse::parse;
pub use write::Builder;
#[cfg(feature = "alloc")]
pub use write::to_vec;
pub use write_ssl::SslBuilder;

/// The first 12 bytes of every header. They contain a NUL.
pub const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// Length of the fixed part, up to and including the length field.
pub const FIXED_LEN: usize = 16;

/// Longest header: the fixed part and what its length field can tell.
pub const MAX_LEN: usize = 65_551;

/// Offsets in the fixed part.
pub(crate) mod field {
    pub(crate) const VERSION_COMMAND: usize = 12;
    pub(crate) const FAMILY_TRANSPORT: usize = 13;
    pub(crate) const LENGTH: usize = 14;
}

/// Longest unique id (2.2.5).
pub(crate) const UNIQUE_ID_MAX: usize = 128;
