//! PROXY protocol v1 and v2: bytes in, values out. `no_std`, no allocation, no unsafe code.
//!
//! # The protocol in one screen
//!
//! A proxy that relays a TCP connection hides its client: the server sees the proxy's address. The [PROXY protocol] puts the
//! client's address back, in a header at the very beginning of the connection, before the first byte of payload.
//!
//! Version 1 is a line of text (section 2.1), version 2 is binary (2.2) and can say more:
//!
//! ```text
//! PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n         v1: source, destination, their ports
//! PROXY UNKNOWN\r\n                                       v1: no addresses; use the connection's own
//!
//! 0d 0a 0d 0a 00 0d 0a 51 55 49 54 0a                     v2: signature
//! 21                                                          version 2, command: 0 LOCAL, 1 PROXY
//! 11                                                          IPv4, stream
//! 00 13                                                       19 bytes follow
//! c0 00 02 01  c6 33 64 07  dc 04  01 bb                      source, destination, their ports
//! 30 00 04 62 6c 75 65                                        a TLV: type NETNS, 4 bytes, "blue"
//! ```
//!
//! - **PROXY**: the addresses are those of the relayed connection. **LOCAL**: the connection is the proxy's own, a health
//!   check perhaps; use its real addresses and skip the rest of the header. [`Command`] has it so.
//! - The family may be IPv4, IPv6, UNIX, or unspecified; the transport stream or datagram. [`Addresses`].
//! - TLVs follow the addresses: application protocol, host name, checksum, padding, connection id, TLS session, network
//!   namespace, and ranges for everybody's own. [`TlvType`], [`Header::tlvs`].
//! - **A receiver never guesses** whether there is a header (section 5): it is configured to expect one, from proxies
//!   that it trusts, and processes nothing before the header is whole and valid (section 2).
//!
//! [PROXY protocol]: https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt
//!
//! # Reading
//!
//! [`parse`] takes what has been received so far. It keeps no state: call it again with all bytes when more are in.
//!
//! ```
//! use proxy_proto::{Command, ParseError, parse};
//!
//! fn on_bytes(received: &[u8]) {
//!     match parse(received) {
//!         Ok(parsed) => {
//!             if let Some((source, destination)) = parsed.header.socket_addrs() {
//!                 // The relayed connection, in namespace `parsed.header.netns()`.
//! #               let _ = (source, destination);
//!             }
//!             let payload = &received[parsed.consumed..];
//! #           let _ = payload;
//!         }
//!         Err(ParseError::Incomplete { at_least }) => { /* wait until `at_least` bytes are there */ }
//!         Err(ParseError::Invalid(invalid)) => { /* log `invalid`: reason and offset; close */ }
//!     }
//! }
//! # on_bytes(b"PROXY UNKNOWN\r\n");
//! ```
//!
//! What holds, and is tested on generated input against a second, independent implementation:
//!
//! - Every proper prefix of a valid header is `Incomplete`. Anything else is refused on the first byte that no valid header can have;
//!   only version 1 addresses wait for the end of the line, as section 2.1 demands.
//! - What follows the header changes nothing. `at_least` never goes beyond the header.
//! - A header with a wrong checksum, broken TLVs, or any form that the specification does not know is refused.
//! - TLVs were checked when the header was, so iterating them cannot fail. Text was not: [`Header::netns_str`] and its like check
//!   it, [`Header::netns`] gives the bytes.
//! - No input panics.
//!
//! # Writing
//!
//! [`v1::encode`] and [`v2::Builder`] write into a buffer. They never cut or leave out: what does not fit is a
//! [`WriteError`] that says what.
//!
//! # Where the specification leaves room
//!
//! - LOCAL, and PROXY with family and transport unspecified: accepted whatever the block holds. Its TLVs are shown if it is
//!   nothing but TLVs (HAProxy and AWS send that), and are then held to their rules.
//! - PROXY with only one of the two unspecified: accepted as unspecified, the block skipped.
//! - One checksum at most, of four bytes; a unique id of at most 128 bytes; an SSL TLV of at least five bytes, filled by its
//!   sub-TLVs: otherwise the header is refused. Of other repeated TLVs the accessors give the first.
//! - Version 1 addresses in IPv6 may have groups of one to four digits, and a dotted IPv4 tail, which HAProxy sends.
//! - No limit of length but the format's: [`Parser::max_len`] sets one.
//!
//! # Features
//!
//! None is on by default. `alloc`: writing into vectors. `std`: conversions to `std::io::Error` and from UNIX names to
//! `std::os::unix::net::SocketAddr`. Errors implement [`core::error::Error`] without either.
//!
//! # Panics
//!
//! No function of this crate panics.

#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::alloc_instead_of_core,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::string_slice,
    clippy::unreachable,
    clippy::unwrap_used
)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

mod addresses;
mod crc32c;
mod error;
mod header;
mod out;
mod parser;
mod ssl;
#[cfg(feature = "std")]
mod std_impls;
mod text;
mod tlv;
pub mod v1;
pub mod v2;
pub mod vendor;
mod write_error;

pub use addresses::{Addresses, Inet, Inet6, Transport, Unix};
pub use error::{Invalid, ParseError, Reason};
pub use header::{Checksum, Command, Header, Parsed, Version};
pub use parser::{Accept, Parser};
pub use ssl::{Ssl, SslClient};
pub use text::{Charset, Text, TextError};
pub use tlv::{Tlv, TlvType, TlvValue, Tlvs};
pub use write_error::WriteError;

/// Parses the version 1 or version 2 header at the beginning of `bytes`.
///
/// Stateless: give it all bytes received so far, each time more are in.
///
/// ```
/// use proxy_proto::ParseError;
///
/// let bytes = b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\nGET / HTTP/1.1\r\n";
/// let parsed = proxy_proto::parse(bytes)?;
/// let (source, _) = parsed.header.socket_addrs().unwrap();
/// assert_eq!(source, "192.0.2.1:56324".parse().unwrap());
/// assert_eq!(&bytes[parsed.consumed..], b"GET / HTTP/1.1\r\n");
///
/// assert_eq!(proxy_proto::parse(&bytes[..20]), Err(ParseError::Incomplete { at_least: 32 }));
/// # Ok::<(), ParseError>(())
/// ```
///
/// # Errors
///
/// [`ParseError::Incomplete`] as long as the bytes can still become a valid header, [`ParseError::Invalid`] as soon as it is
/// known that they cannot.
#[inline]
pub fn parse(bytes: &[u8]) -> Result<Parsed<'_>, ParseError> {
    Parser::new().parse(bytes)
}

/// Like [`parse`], for a receiver that accepts only version 1.
///
/// # Errors
///
/// As [`parse`]; a version 2 header is [`Reason::VersionNotAccepted`].
#[inline]
pub fn parse_v1(bytes: &[u8]) -> Result<Parsed<'_>, ParseError> {
    Parser::new().accept(Accept::V1).parse(bytes)
}

/// Like [`parse`], for a receiver that accepts only version 2.
///
/// # Errors
///
/// As [`parse`]; a version 1 header is [`Reason::VersionNotAccepted`].
#[inline]
pub fn parse_v2(bytes: &[u8]) -> Result<Parsed<'_>, ParseError> {
    Parser::new().accept(Accept::V2).parse(bytes)
}

/// Parses the version 2 header at the beginning of a datagram. See [`Parser::parse_datagram`].
///
/// # Errors
///
/// [`Invalid`]; [`Reason::Truncated`] when the header does not end within the datagram.
#[inline]
pub fn parse_datagram(datagram: &[u8]) -> Result<Parsed<'_>, Invalid> {
    Parser::new().parse_datagram(datagram)
}

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
