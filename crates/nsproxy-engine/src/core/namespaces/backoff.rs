//! When a listener that could not be opened is tried again.
//!
//! A namespace that has just been made has no address yet, and gets one some milliseconds later; nobody tells when. So the
//! first tries come soon. What fails for longer is for a person to repair, who wants to see it work shortly after.

use crate::core::moment::Span;

/// In milliseconds.
const FIRST: u32 = 10;
const LONGEST: u32 = 1_000;

/// How long to wait after a failure that so many others came before.
pub(super) fn span(before: u32) -> Span {
    let millis = FIRST.saturating_mul(1_u32.checked_shl(before).unwrap_or(u32::MAX));
    Span::from_millis(millis.min(LONGEST)).unwrap_or(Span::MILLISECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_from_ten_milliseconds_to_a_second() {
        let millis = |before| span(before).as_duration().as_millis();
        assert_eq!(
            [0, 1, 2, 6, 7, 31, 32, u32::MAX].map(millis),
            [10, 20, 40, 640, 1000, 1000, 1000, 1000]
        );
    }
}
