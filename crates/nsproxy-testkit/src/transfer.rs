//! Large transfers whose bytes are checked: a stream that follows from a seed, and a sum over it.
//!
//! Sent and received piecewise, so a transfer may be larger than memory. The sum depends on the order
//! and on every byte; it is a check against a relay's mistakes, not against an attacker.

use std::io;

use crate::{Peer, Rng};

/// What is sent and received with one system call.
const PIECE: usize = 64 * 1024;

/// A running 64-bit FNV-1a sum (draft-eastlake-fnv).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checksum(u64);

impl Default for Checksum {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Checksum {
    /// The sum over `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let mut sum = Self::default();
        sum.update(bytes);
        sum
    }

    /// Goes on with `bytes`.
    pub fn update(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// How much was transferred, and the sum over it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Bytes.
    pub bytes: u64,
    /// Their sum.
    pub checksum: Checksum,
}

impl Tally {
    fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.checksum.update(bytes);
    }
}

/// The first `length` bytes of the stream that follows from `seed`.
pub fn pattern(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    Rng::new(seed).fill(&mut bytes);
    bytes
}

/// The same bytes, in pieces of up to 64 KiB.
#[derive(Debug)]
pub struct Pattern {
    rng: Rng,
    left: u64,
    piece: Vec<u8>,
}

impl Pattern {
    /// The first `length` bytes of the stream that follows from `seed`.
    pub fn new(seed: u64, length: u64) -> Self {
        Self {
            rng: Rng::new(seed),
            left: length,
            piece: vec![0; PIECE],
        }
    }

    /// The next ones, unless there are no more.
    pub fn next_piece(&mut self) -> Option<&[u8]> {
        let size = usize::try_from(self.left).map_or(PIECE, |left| left.min(PIECE));
        self.left -= size as u64;
        let piece = &mut self.piece[..size];
        self.rng.fill(piece);
        (size > 0).then_some(piece)
    }
}

impl Peer {
    /// Sends the first `length` bytes of the stream that follows from `seed`, in large pieces.
    ///
    /// # Panics
    ///
    /// When the connection fails, or does not take a piece within the deadline.
    #[track_caller]
    pub fn send_pattern(&self, seed: u64, length: u64) -> Tally {
        let mut pattern = Pattern::new(seed, length);
        let mut tally = Tally::default();
        while let Some(piece) = pattern.next_piece() {
            self.send(piece);
            tally.add(piece);
        }
        tally
    }

    /// Expects the first `length` bytes of the stream that follows from `seed`. The deadline is for each piece.
    ///
    /// # Panics
    ///
    /// When other bytes come, or fewer.
    #[track_caller]
    pub fn expect_pattern(&self, seed: u64, length: u64) {
        let mut pattern = Pattern::new(seed, length);
        while let Some(piece) = pattern.next_piece() {
            self.expect(piece);
        }
    }

    /// Receives to the end of the stream and sums up. The deadline is for each piece.
    ///
    /// # Panics
    ///
    /// When the connection fails, or falls silent before its end.
    #[track_caller]
    pub fn tally_to_end(&self) -> Tally {
        let (tally, end) = self.tally();
        if let Err(error) = end {
            panic!(
                "expected the end of the stream, came `{error}` after {} bytes",
                tally.bytes
            );
        }
        tally
    }

    fn tally(&self) -> (Tally, io::Result<()>) {
        let mut tally = Tally::default();
        let mut piece = vec![0; PIECE];
        loop {
            match self.try_receive(&mut piece) {
                Ok(0) => return (tally, Ok(())),
                Ok(count) => tally.add(&piece[..count]),
                Err(error) => return (tally, Err(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_fnv_1a() {
        assert_eq!(Checksum::of(b""), Checksum(0xcbf2_9ce4_8422_2325));
        assert_eq!(Checksum::of(b"foobar"), Checksum(0x8594_4171_f739_67e8));
    }

    #[test]
    fn the_sum_sees_a_swap_and_does_not_see_the_pieces() {
        assert_ne!(Checksum::of(b"ab"), Checksum::of(b"ba"));
        let mut pieces = Checksum::of(b"foo");
        pieces.update(b"bar");
        assert_eq!(pieces, Checksum::of(b"foobar"));
    }

    #[test]
    fn the_pattern_does_not_depend_on_the_length_asked_for() {
        let long = pattern(5, 3 * PIECE);
        assert_eq!(pattern(5, 1001), long[..1001]);
        assert_ne!(long[..PIECE], long[PIECE..2 * PIECE]);
    }

    #[test]
    fn the_pieces_are_the_whole() {
        for length in [0, 1, PIECE - 1, PIECE, 2 * PIECE + 13] {
            let mut pieces = Pattern::new(5, length as u64);
            let mut whole = Vec::new();
            while let Some(piece) = pieces.next_piece() {
                whole.extend_from_slice(piece);
            }
            assert_eq!(whole, pattern(5, length));
        }
    }
}
