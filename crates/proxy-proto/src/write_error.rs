//! Why a header was not written. Nothing is ever cut or left out to make one fit.

use core::fmt;

use crate::tlv::TlvType;

/// Why a header was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteError {
    /// One address is IPv4, the other IPv6. [`Addresses::promoted`](crate::Addresses::promoted) makes both IPv6.
    MixedFamilies,
    /// Version 1 has no form for UNIX addresses and datagrams. [`Addresses::Unspec`](crate::Addresses::Unspec) writes `UNKNOWN`.
    NotInV1,
    /// The buffer is smaller than the header.
    BufferTooSmall {
        /// Bytes of the whole header.
        needed: usize,
        /// Bytes of the buffer.
        available: usize,
    },
    /// What follows the fixed part of the header is longer than the 65535 bytes that its length field can tell.
    HeaderTooLong {
        /// Bytes after the fixed part.
        len: usize,
    },
    /// The value of a TLV is longer than the 65535 bytes that its length field can tell.
    TlvTooLong {
        /// Type of the TLV.
        kind: TlvType,
        /// Bytes of the value.
        len: usize,
    },
    /// A unique id may have 128 bytes.
    UniqueIdTooLong {
        /// Bytes of the value.
        len: usize,
    },
    /// The value of this TLV has to be US-ASCII.
    NotAscii {
        /// Type of the TLV.
        kind: TlvType,
    },
    /// A header carries at most one checksum.
    ChecksumRepeated,
    /// A checksum cannot be given as a raw TLV: [`Builder::crc32c`](crate::v2::Builder::crc32c) computes it.
    ChecksumRaw,
    /// The value given for an SSL TLV is not five bytes followed by sub-TLVs that fill it.
    SslMalformed,
    /// The SSL TLV says that the client uses TLS, but holds no version of TLS (specification, section 2.2.6).
    SslVersionMissing,
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MixedFamilies => f.write_str("one address is IPv4, the other IPv6"),
            Self::NotInV1 => f.write_str("version 1 carries only TCP over IPv4 or IPv6"),
            Self::BufferTooSmall { needed, available } => {
                write!(f, "the header has {needed} bytes, the buffer {available}")
            }
            Self::HeaderTooLong { len } => write!(f, "{len} bytes after the fixed part, above 65535"),
            Self::TlvTooLong { kind, len } => write!(f, "TLV {kind} has {len} bytes, above 65535"),
            Self::UniqueIdTooLong { len } => write!(f, "the unique id has {len} bytes, above 128"),
            Self::NotAscii { kind } => write!(f, "TLV {kind} has to be US-ASCII"),
            Self::ChecksumRepeated => f.write_str("more than one checksum"),
            Self::ChecksumRaw => f.write_str("a checksum is computed, not given"),
            Self::SslMalformed => f.write_str("the SSL TLV is not five bytes and whole sub-TLVs"),
            Self::SslVersionMissing => f.write_str("the SSL TLV has no version of TLS"),
        }
    }
}

impl core::error::Error for WriteError {}
