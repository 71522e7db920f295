//! Whole numbers. Unlike HAProxy, which reads as many digits as it finds, the whole word must be one.

use std::ops::RangeInclusive;

/// Why a word is not the number wanted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NumberError {
    #[error("`{0}` is not a whole number")]
    NotANumber(String),
    #[error("{text} is out of range, the range is {low} to {high}")]
    OutOfRange { text: String, low: u32, high: u32 },
}

/// A number within a range.
pub(crate) fn parse(text: &str, range: &RangeInclusive<u32>) -> Result<u32, NumberError> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(NumberError::NotANumber(shorten(text)));
    }
    let value = text.parse().ok().filter(|value| range.contains(value));
    value.ok_or_else(|| NumberError::OutOfRange {
        text: shorten(text),
        low: *range.start(),
        high: *range.end(),
    })
}

/// A word as a message repeats it: words may be megabytes long.
pub(crate) fn shorten(text: &str) -> String {
    shorten_to(text, 60)
}

/// The first `most` characters of a text.
pub(crate) fn shorten_to(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}...", &text[..end]),
    }
}
