//! Why bytes are not, or not yet, a PROXY protocol header.
//!
//! The values are small and `Copy`, hold no text, and say where the fault is, so that a caller can log them for
//! every bad client at no cost. The counterpart for writing is [`WriteError`](crate::WriteError).

use core::fmt;

use crate::tlv::TlvType;

/// Why [`parse`](crate::parse) returned no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// Everything so far can still become a valid header: call again when more bytes are in.
    ///
    /// A connection that ends in this state never sent a header.
    Incomplete {
        /// The least *total* number of bytes that a header with this beginning can have. It is more than what was
        /// given and never more than the header's real length, so a caller that reads exactly up to it
        /// never takes a byte of the payload. Exact in version 2: 16, then the whole length.
        at_least: usize,
    },
    /// No continuation of these bytes is a valid header. The connection has to be closed
    /// (specification, sections 2.1 and 2.2).
    Invalid(Invalid),
}

/// A fault in a header, and the place of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// What is wrong.
    pub reason: Reason,
    /// Offset, in bytes from the start of the header, of the byte or field that shows it.
    pub offset: usize,
}

/// What is wrong with a header. Sections are those of the PROXY protocol specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The bytes begin neither like version 1 nor like version 2 (section 2).
    NotProxy,
    /// The header is of a version that the caller does not accept.
    VersionNotAccepted,
    /// The header is longer than the caller's limit ([`Parser::max_len`](crate::Parser::max_len)).
    TooLong,
    /// A datagram ends before the header in it does: the two may not be split (section 2).
    Truncated,
    /// Version 1: the protocol is not `TCP4`, `TCP6` or `UNKNOWN` followed by what has to follow (2.1).
    Protocol,
    /// Version 1: no CRLF within the first 107 bytes (2.1).
    LineTooLong,
    /// Version 1: a CR that no LF follows.
    BareCr,
    /// Version 1: an LF that no CR precedes.
    BareLf,
    /// Version 1: the source address is not one of the named family, or no single space follows it.
    SourceAddress,
    /// Version 1: the destination address is not one of the named family, or no single space follows it.
    DestinationAddress,
    /// Version 1: the source port is not a decimal number up to 65535 without sign or leading zero, followed by a
    /// single space.
    SourcePort,
    /// Version 1: the destination port is not such a number, or something stands between it and the CRLF.
    DestinationPort,
    /// Version 2: the version nibble (given) is not 2 (2.2).
    Version(u8),
    /// Version 2: the command nibble (given) is neither LOCAL nor PROXY (2.2).
    Command(u8),
    /// Version 2: the address family nibble (given) is not defined (2.2).
    Family(u8),
    /// Version 2: the transport nibble (given) is not defined (2.2).
    Transport(u8),
    /// Version 2: the length (given) is too small for the addresses of the family (2.2).
    AddressBlock(u16),
    /// Version 2: one or two bytes are left after the last TLV, too few for another (2.2).
    StrayBytes,
    /// Version 2: a TLV of this type runs past the end of the header (2.2).
    TlvOverrun(TlvType),
    /// Version 2: the checksum TLV does not have four bytes (2.2.3).
    ChecksumLength,
    /// Version 2: more than one checksum TLV: none can be right, as each is computed without the other.
    ChecksumRepeated,
    /// Version 2: the header does not have the CRC32C that it carries (2.2.3).
    ChecksumMismatch,
    /// Version 2: a unique id of more than 128 bytes (2.2.5).
    UniqueIdLength,
    /// Version 2: an SSL TLV with less than the five bytes of its fixed part (2.2.6).
    SslLength,
    /// Version 2: the sub-TLVs in an SSL TLV do not fill it exactly (2.2.6).
    SslChain,
}

impl ParseError {
    #[inline]
    pub(crate) const fn invalid(reason: Reason, offset: usize) -> Self {
        Self::Invalid(Invalid { reason, offset })
    }
}

impl From<Invalid> for ParseError {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incomplete { at_least } => {
                write!(f, "incomplete PROXY header: at least {at_least} bytes are needed")
            }
            Self::Invalid(invalid) => invalid.fmt(f),
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid PROXY header at byte {}: {}", self.offset, self.reason)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::NotProxy => "neither a version 1 nor a version 2 signature",
            Self::VersionNotAccepted => "this version is not accepted here",
            Self::TooLong => "longer than the limit set here",
            Self::Truncated => "the datagram ends inside the header",
            Self::Protocol => "the protocol is not TCP4, TCP6 or UNKNOWN",
            Self::LineTooLong => "no CRLF within the first 107 bytes",
            Self::BareCr => "CR without LF",
            Self::BareLf => "LF without CR",
            Self::SourceAddress => "bad source address",
            Self::DestinationAddress => "bad destination address",
            Self::SourcePort => "bad source port",
            Self::DestinationPort => "bad destination port, or text after it",
            Self::Version(nibble) => return write!(f, "unknown version {nibble}"),
            Self::Command(nibble) => return write!(f, "unknown command {nibble}"),
            Self::Family(nibble) => return write!(f, "unknown address family {nibble}"),
            Self::Transport(nibble) => return write!(f, "unknown transport {nibble}"),
            Self::AddressBlock(len) => return write!(f, "a length of {len} is too small for the addresses"),
            Self::StrayBytes => "stray bytes after the last TLV",
            Self::TlvOverrun(kind) => return write!(f, "the TLV {kind} runs past the end of the header"),
            Self::ChecksumLength => "the CRC32C TLV does not have 4 bytes",
            Self::ChecksumRepeated => "more than one CRC32C TLV",
            Self::ChecksumMismatch => "the CRC32C is wrong",
            Self::UniqueIdLength => "the unique id is longer than 128 bytes",
            Self::SslLength => "the SSL TLV is shorter than 5 bytes",
            Self::SslChain => "the SSL sub-TLVs do not fill their TLV exactly",
        };
        f.write_str(text)
    }
}

impl core::error::Error for ParseError {}
impl core::error::Error for Invalid {}
