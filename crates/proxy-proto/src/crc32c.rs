//! CRC32C, the Castagnoli checksum of SCTP (RFC 9260, appendix A), of a header: sixteen bytes a step, from tables made at
//! compile time.
//!
//! The processor's own instruction cannot be reached without `unsafe`, unless the whole program is built for processors
//! that have it. A header is short, so what counts is its ends: the first bytes are known and cost nothing, and the steps
//! are laid so that the last one is whole. Measured: 16 ns for a header of 74 bytes.

use crate::v2::SIGNATURE;

/// The polynomial 0x1EDC6F41, bits reversed.
const POLYNOMIAL: u32 = 0x82F6_3B78;

/// `TABLES[n][b]`: what byte `b` contributes when `n` more bytes follow it in the step.
static TABLES: [[u32; 256]; STEP] = tables();

/// Bytes of a step.
const STEP: usize = 16;

/// `STARTS[n]`: the state after the first `n` bytes of the signature.
static STARTS: [u32; SIGNATURE.len() + 1] = starts();

/// Bytes of a checksum.
pub(crate) const LEN: usize = 4;

/// The checksum of a version 2 header whose four bytes at `at`, where it stands, count as zeros (2.2.3). The first twelve
/// bytes of `header` have to be the signature.
#[inline]
pub(crate) fn of_header(header: &[u8], at: usize) -> u32 {
    let (start, steps) = header.as_rchunks();
    let hole = at.wrapping_sub(start.len());
    let (before, rest) = steps.split_at_checked(hole / STEP).unwrap_or((steps, &[]));
    // It may lie across two steps.
    let (around, behind) = rest.split_at_checked(2).unwrap_or((rest, &[]));
    let mut state = after_steps(before, after_start(start));
    let mut hole = hole % STEP;
    for step in around {
        state = after_step(&blanked(*step, hole), state);
        hole = hole.wrapping_sub(STEP);
    }
    !after_steps(behind, state)
}

/// The state after the beginning of a header, which is known but for its last three bytes if it has fifteen.
#[inline]
fn after_start(start: &[u8]) -> u32 {
    let [.., after_signature] = STARTS;
    match start.split_at_checked(SIGNATURE.len()) {
        Some((_, rest)) => rest
            .iter()
            .fold(after_signature, |state, byte| after_byte(state, *byte)),
        None => STARTS.get(start.len()).copied().unwrap_or(after_signature),
    }
}

#[inline]
fn after_steps(steps: &[[u8; STEP]], state: u32) -> u32 {
    steps.iter().fold(state, |state, step| after_step(step, state))
}

/// The state after a step. Only its first four bytes have to wait for the state before.
///
/// The bytes are read one by one. A writer has only just stored them, and a processor hands a store on to a load that
/// lies within it, but not to one that spans several.
#[inline]
fn after_step(step: &[u8; STEP], state: u32) -> u32 {
    let [t0, t1, t2, t3, t4, t5, t6, t7, ..] = &TABLES;
    let [.., t8, t9, t10, t11, t12, t13, t14, t15] = &TABLES;
    let [b15, b14, b13, b12, b11, b10, b9, b8, ..] = *step;
    let [.., b7, b6, b5, b4, b3, b2, b1, b0] = *step;
    let [s15, s14, s13, s12] = state.to_le_bytes();
    let early = (at(t11, b11) ^ at(t10, b10) ^ at(t9, b9) ^ at(t8, b8))
        ^ (at(t7, b7) ^ at(t6, b6) ^ at(t5, b5) ^ at(t4, b4))
        ^ (at(t3, b3) ^ at(t2, b2) ^ at(t1, b1) ^ at(t0, b0));
    early ^ (at(t15, b15 ^ s15) ^ at(t14, b14 ^ s14)) ^ (at(t13, b13 ^ s13) ^ at(t12, b12 ^ s12))
}

/// The state after one more byte.
#[inline]
fn after_byte(state: u32, byte: u8) -> u32 {
    let ([t0, ..], [low, ..]) = (&TABLES, state.to_le_bytes());
    at(t0, low ^ byte) ^ (state >> 8)
}

/// A step without the bytes of the checksum that are in it. `hole` is where that begins; it wraps around when that is in the
/// step before.
#[inline]
fn blanked(mut step: [u8; STEP], hole: usize) -> [u8; STEP] {
    for (place, byte) in step.iter_mut().enumerate() {
        if place.wrapping_sub(hole) < LEN {
            *byte = 0;
        }
    }
    step
}

#[inline]
#[expect(
    clippy::indexing_slicing,
    reason = "a byte is always an index into 256 entries; the check is compiled out"
)]
const fn at(table: &[u32; 256], byte: u8) -> u32 {
    table[byte as usize]
}

/// The state after one more byte, bit by bit: what the tables are made of.
const fn after_byte_bitwise(state: u32, byte: u8) -> u32 {
    let mut state = state ^ byte as u32;
    let mut bit = 0;
    while bit < u8::BITS {
        let carry = if state & 1 == 1 { POLYNOMIAL } else { 0 };
        state = (state >> 1) ^ carry;
        bit = bit.wrapping_add(1);
    }
    state
}

#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "evaluated at compile time, where a fault is a build error"
)]
const fn tables() -> [[u32; 256]; STEP] {
    let mut tables = [[0; 256]; STEP];
    let mut byte = 0;
    while byte < 256 {
        let mut state = after_byte_bitwise(0, byte as u8);
        let mut behind = 0;
        while behind < STEP {
            tables[behind][byte] = state;
            state = after_byte_bitwise(state, 0);
            behind += 1;
        }
        byte += 1;
    }
    tables
}

#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "evaluated at compile time, where a fault is a build error"
)]
const fn starts() -> [u32; SIGNATURE.len() + 1] {
    let mut starts = [u32::MAX; SIGNATURE.len() + 1];
    let mut len = 0;
    while len < SIGNATURE.len() {
        starts[len + 1] = after_byte_bitwise(starts[len], SIGNATURE[len]);
        len += 1;
    }
    starts
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::{LEN, after_byte_bitwise, of_header};
    use crate::v2::{FIXED_LEN, SIGNATURE};

    /// Bit by bit, as the standard defines it.
    fn bitwise(bytes: &[u8]) -> u32 {
        !bytes
            .iter()
            .fold(u32::MAX, |state, byte| after_byte_bitwise(state, *byte))
    }

    #[test]
    fn bit_by_bit_it_is_the_checksum_of_the_catalogue_and_of_rfc_3720() {
        assert_eq!(bitwise(b"123456789"), 0xE306_9283);
        assert_eq!(bitwise(&[0; 32]), 0x8A91_36AA);
    }

    #[test]
    fn every_length_and_place_gives_what_bit_by_bit_gives_with_zeros_there() {
        for len in FIXED_LEN + 3 + LEN..160 {
            let other_bytes = (1_u8..=255).cycle().map(|byte| byte.wrapping_mul(167));
            let header: Vec<_> = SIGNATURE.into_iter().chain(other_bytes).take(len).collect();
            for at in FIXED_LEN + 3..=len - LEN {
                let mut blank = header.clone();
                blank[at..at + LEN].fill(0);
                assert_eq!(of_header(&header, at), bitwise(&blank), "{at} of {len}");
            }
        }
    }
}
