//! The bytes that travel: an endless stream which repeats itself so rarely that a lost, doubled or moved piece shows.

use std::sync::LazyLock;

/// A prime, so that no buffer, segment or pipe is a multiple of it.
const PERIOD: usize = 250_007;
/// The most bytes that can be looked at in one piece.
pub(super) const WINDOW: usize = 256 * 1024;
/// A checked piece is compared at its two ends, over this many bytes.
const EDGE: usize = 64;

static BYTES: LazyLock<Box<[u8]>> = LazyLock::new(|| {
    let period: Vec<u8> = (0..PERIOD as u64)
        .map(|index| mix(index).to_le_bytes()[0])
        .collect();
    period.iter().copied().cycle().take(PERIOD + WINDOW).collect()
});

/// [`WINDOW`] bytes of the stream from `position` on.
pub(super) fn at(position: u64) -> &'static [u8] {
    let start = usize::try_from(position % PERIOD as u64).unwrap_or(0);
    &BYTES[start..start + WINDOW]
}

/// Whether `piece`, of at most [`WINDOW`] bytes, may be what the stream has at `position`. Its ends are compared, which finds
/// every byte that is lost, doubled or out of order, since all that follows is then in the wrong place.
pub(super) fn fits(piece: &[u8], position: u64) -> bool {
    let expected = &at(position)[..piece.len()];
    let edge = EDGE.min(piece.len());
    let tail = piece.len() - edge;
    piece[..edge] == expected[..edge] && piece[tail..] == expected[tail..]
}

/// The finishing step of `SplitMix64`.
const fn mix(index: u64) -> u64 {
    let mut value = index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_goes_on_where_the_period_ends() {
        let end = PERIOD as u64 - 3;
        assert_eq!(at(end)[3..100], at(0)[..97]);
    }

    #[test]
    fn a_lost_byte_does_not_fit() {
        let mut piece = at(1_000)[..5_000].to_vec();
        assert!(fits(&piece, 1_000));
        assert!(!fits(&piece, 1_001));
        piece.remove(2_500);
        assert!(!fits(&piece, 1_000));
    }
}
