//! Text in TLV values. A header is not refused for bad text: only reading it as `str` fails.

use core::fmt;

/// A TLV value that the specification calls text. The raw bytes are always there; [`Self::to_str`] checks them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Text<'a> {
    bytes: &'a [u8],
    charset: Charset,
}

/// What the bytes of a [`Text`] have to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Charset {
    /// US-ASCII, as in NETNS and most parts of SSL.
    Ascii,
    /// UTF-8, as in AUTHORITY and the certificate's common name.
    Utf8,
}

/// Bytes that are not of the character set that the TLV demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextError {
    /// The character set demanded.
    pub charset: Charset,
    /// Offset in the value up to which it is good.
    pub valid_up_to: usize,
}

impl<'a> Text<'a> {
    pub(crate) const fn ascii(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            charset: Charset::Ascii,
        }
    }

    pub(crate) const fn utf8(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            charset: Charset::Utf8,
        }
    }

    /// The value as it stands in the header.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The value as a string. It may hold NUL and control characters: check before it goes into a log or a name.
    ///
    /// # Errors
    ///
    /// [`TextError`] when the bytes are not of the character set that the specification demands for this TLV.
    pub fn to_str(&self) -> Result<&'a str, TextError> {
        let fail = |valid_up_to| TextError {
            charset: self.charset,
            valid_up_to,
        };
        if self.charset == Charset::Ascii
            && let Some(at) = self.bytes.iter().position(|byte| !byte.is_ascii())
        {
            return Err(fail(at));
        }
        core::str::from_utf8(self.bytes).map_err(|error| fail(error.valid_up_to()))
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.bytes.escape_ascii())
    }
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let charset = match self.charset {
            Charset::Ascii => "US-ASCII",
            Charset::Utf8 => "UTF-8",
        };
        write!(f, "not {charset} after {} bytes", self.valid_up_to)
    }
}

impl core::error::Error for TextError {}
