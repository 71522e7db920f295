//! Times, as HAProxy's manual has them in section 2.5: a whole number and a unit, `ms` when there is none.

use std::time::Duration;

use super::number::shorten;

/// The longest time, in milliseconds; HAProxy's limit.
const MAX_MS: u64 = i32::MAX as u64;

/// What a message about a time says besides.
pub(crate) const HELP: &str =
    "a time is a whole number and a unit: `us`, `ms` (when there is none), `s`, `m`, `h` or `d`";

/// Why a word is not a time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimeError {
    /// It does not begin with a whole number, or there is something behind its unit.
    #[error("`{0}` is not a time")]
    NotATime(String),
    /// It has another unit than `us`, `ms`, `s`, `m`, `h` and `d`.
    #[error("`{0}` is not a unit of time")]
    Unit(String),
    /// It is longer than HAProxy's longest.
    #[error("the time {0} is too long, the longest is 2147483647 ms (about 24.8 days)")]
    TooLong(String),
}

/// A time. What is below a millisecond is rounded up, so that no time becomes 0 which was not written so.
pub(crate) fn parse(text: &str) -> Result<Duration, TimeError> {
    parse_with(text, "ms")
}

/// A time as configurations have it (HAProxy's manual, section 2.5), whose number is in seconds when it has no unit. What is below
/// a millisecond is rounded up.
///
/// # Errors
///
/// It is none, or too long.
pub fn parse_seconds(text: &str) -> Result<Duration, TimeError> {
    parse_with(text, "s")
}

fn parse_with(text: &str, default: &str) -> Result<Duration, TimeError> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if number.is_empty() || unit.starts_with(|c: char| !c.is_ascii_alphabetic()) {
        return Err(TimeError::NotATime(shorten(text)));
    }
    let too_long = || TimeError::TooLong(shorten(text));
    // Microseconds per unit.
    let scale: u64 = match if unit.is_empty() { default } else { unit } {
        "us" => 1,
        "ms" => 1_000,
        "s" => 1_000_000,
        "m" => 60_000_000,
        "h" => 3_600_000_000,
        "d" => 86_400_000_000,
        _ => return Err(TimeError::Unit(shorten(unit))),
    };
    let number: u64 = number.parse().map_err(|_| too_long())?;
    let ms = number.checked_mul(scale).ok_or_else(too_long)?.div_ceil(1_000);
    if ms > MAX_MS {
        return Err(too_long());
    }
    Ok(Duration::from_millis(ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_without_a_unit_is_in_milliseconds() {
        assert_eq!(parse("1500"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(parse("1d"), Ok(Duration::from_secs(86_400)));
    }

    #[test]
    fn microseconds_are_rounded_up() {
        assert_eq!(parse("1us"), Ok(Duration::from_millis(1)));
        assert_eq!(parse("1001us"), Ok(Duration::from_millis(2)));
        assert_eq!(parse("0us"), Ok(Duration::ZERO));
    }

    #[test]
    fn the_longest_time_is_that_of_haproxy() {
        assert_eq!(parse("2147483647"), Ok(Duration::from_millis(2_147_483_647)));
        for text in [
            "2147483648",
            "25d",
            "99999999999999999999",
            "18446744073709551615d",
        ] {
            assert!(matches!(parse(text), Err(TimeError::TooLong(_))), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_time_is_refused() {
        for text in ["", "s", "-1", "1.5s", "+3", "1 s"] {
            assert!(matches!(parse(text), Err(TimeError::NotATime(_))), "{text}");
        }
        for text in ["1x", "1ss", "3S"] {
            assert!(matches!(parse(text), Err(TimeError::Unit(_))), "{text}");
        }
    }
}
