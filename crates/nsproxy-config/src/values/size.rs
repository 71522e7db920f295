//! Sizes, as HAProxy's newer releases have them: a whole number of bytes, or of `k`, `m` or `g`, which are 1024 times as much each.

use super::number::shorten;

/// The largest size, in bytes; the kernel has room for no more in a buffer's size.
const LARGEST: u32 = i32::MAX.unsigned_abs();

/// What a message about a size says besides.
pub(crate) const HELP: &str =
    "a size is a whole number of bytes, or one with `k`, `m` or `g` behind it: 64k are 65536 bytes";

/// Why a word is not a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SizeError {
    #[error("`{0}` is not a size")]
    NotASize(String),
    #[error("the size {0} is too large, the largest is {LARGEST} bytes")]
    TooLarge(String),
}

/// A size in bytes.
pub(crate) fn parse(text: &str) -> Result<u32, SizeError> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let shift = match unit {
        "" => 0,
        "k" | "K" => 10,
        "m" | "M" => 20,
        "g" | "G" => 30,
        _ => return Err(SizeError::NotASize(shorten(text))),
    };
    if number.is_empty() {
        return Err(SizeError::NotASize(shorten(text)));
    }
    let number: Option<u64> = number.parse().ok();
    let bytes = number.and_then(|number| number.checked_mul(1 << shift));
    let bytes = bytes.and_then(|bytes| u32::try_from(bytes).ok());
    bytes
        .filter(|bytes| *bytes <= LARGEST)
        .ok_or_else(|| SizeError::TooLarge(shorten(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_multiply_by_1024() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("64k", 65_536),
            ("1M", 1 << 20),
            ("1g", 1 << 30),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_or_too_large_is_refused() {
        for text in ["", "k", "-1", "1kb", "1 k", "1.5k", "0x10", "1t"] {
            assert_eq!(parse(text), Err(SizeError::NotASize(text.to_owned())), "{text}");
        }
        for text in ["2147483648", "2g", "99999999999999999999", "99999999999999999g"] {
            assert_eq!(parse(text), Err(SizeError::TooLarge(text.to_owned())), "{text}");
        }
        assert_eq!(parse("2147483647"), Ok(LARGEST));
    }
}
