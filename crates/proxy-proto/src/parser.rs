//! Entry to parsing: which versions, how long, and which reader the first byte calls for.

use crate::error::{Invalid, ParseError, Reason};
use crate::header::{Header, Parsed};
use crate::{v1, v2};

/// What a receiver accepts. [`parse`](crate::parse) is one that accepts everything.
///
/// ```
/// use proxy_proto::{Accept, ParseError, Parser, Reason};
///
/// const PARSER: Parser = Parser::new().accept(Accept::V2).max_len(4096);
///
/// let Err(ParseError::Invalid(invalid)) = PARSER.parse(b"PROXY TCP4 ") else { panic!() };
/// assert_eq!(invalid.reason, Reason::VersionNotAccepted);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parser {
    accept: Accept,
    max_len: usize,
}

/// Versions that a receiver accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Accept {
    /// Only version 1.
    V1,
    /// Only version 2.
    V2,
    /// Either: they differ in the first byte.
    Either,
}

impl Parser {
    /// Accepts both versions and any length that the protocol allows: 107 bytes in version 1, 65551 in version 2.
    pub const fn new() -> Self {
        Self {
            accept: Accept::Either,
            max_len: v2::MAX_LEN,
        }
    }

    /// Accepts only these versions.
    #[must_use]
    pub const fn accept(self, accept: Accept) -> Self {
        Self { accept, ..self }
    }

    /// Refuses a header longer than this, in bytes, as soon as its length is known. A receiver with a buffer of fixed
    /// size passes that size, so that it never waits for bytes for which it has no room.
    #[must_use]
    pub const fn max_len(self, max_len: usize) -> Self {
        Self { max_len, ..self }
    }

    /// Parses the header at the beginning of `bytes`.
    ///
    /// # Errors
    ///
    /// As [`parse`](crate::parse); and [`Reason::VersionNotAccepted`], [`Reason::TooLong`].
    #[expect(
        clippy::inline_always,
        reason = "measured: twice as fast as a call, which returns the header through memory; what is rare is not inlined"
    )]
    #[inline(always)]
    pub fn parse<'a>(&self, bytes: &'a [u8]) -> Result<Parsed<'a>, ParseError> {
        match bytes {
            [b'P', ..] if self.accept != Accept::V2 => match v1::parse(bytes, self.max_len) {
                Ok(line) => Ok(Parsed {
                    header: Header::of_line(line.ends),
                    consumed: line.consumed,
                }),
                Err(error) => Err(error),
            },
            [b'\r', ..] if self.accept != Accept::V1 => v2::parse(bytes, self.max_len),
            [] => Err(self.nothing()),
            [b'P' | b'\r', ..] => Err(ParseError::invalid(Reason::VersionNotAccepted, 0)),
            _ => Err(ParseError::invalid(Reason::NotProxy, 0)),
        }
    }

    #[cold]
    fn nothing(&self) -> ParseError {
        let at_least = if self.accept == Accept::V2 {
            v2::FIXED_LEN
        } else {
            v1::MIN_LEN
        };
        if at_least > self.max_len {
            ParseError::invalid(Reason::TooLong, 0)
        } else {
            ParseError::Incomplete { at_least }
        }
    }

    /// Parses the header at the beginning of a datagram; the rest of the datagram is the payload.
    ///
    /// Version 2 only, whatever was said to [`Self::accept`]: version 1 is a line on a TCP stream. Header and
    /// payload share the datagram, so "incomplete" is an error here (specification, section 2).
    ///
    /// # Errors
    ///
    /// As [`Self::parse`]; and [`Reason::Truncated`].
    pub fn parse_datagram<'a>(&self, datagram: &'a [u8]) -> Result<Parsed<'a>, Invalid> {
        self.accept(Accept::V2)
            .parse(datagram)
            .map_err(|error| match error {
                ParseError::Incomplete { .. } => Invalid {
                    reason: Reason::Truncated,
                    offset: datagram.len(),
                },
                ParseError::Invalid(invalid) => invalid,
            })
    }
}

impl Default for Parser {
    fn default() -> Self {
        Self::new()
    }
}
