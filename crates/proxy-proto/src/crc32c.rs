//! CRC32C, the Castagnoli checksum of SCTP (RFC 9260, appendix A), sixteen bytes a step from tables made at
//! compile time.
//!
//! The processor's own instruction would be faster, but cannot be reached without `unsafe`.

/// The polynomial 0x1EDC6F41, bits reversed.
const POLYNOMIAL: u32 = 0x82F6_3B78;

/// `TABLES[n][b]`: what byte `b` contributes when `n` more bytes follow it in the step.
static TABLES: [[u32; 256]; 16] = tables();

/// A checksum being computed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crc32c(u32);

impl Crc32c {
    #[inline]
    pub(crate) const fn new() -> Self {
        Self(u32::MAX)
    }

    #[inline]
    #[must_use]
    pub(crate) fn update(self, bytes: &[u8]) -> Self {
        let mut state = self.0;
        let (steps, tail) = bytes.as_chunks::<16>();
        for step in steps {
            // Only the first four bytes have to wait for the step before.
            state = step16(step, state);
        }
        let (half_steps, tail) = tail.as_chunks::<8>();
        for step in half_steps {
            state = step8(*step, state);
        }
        let (quarter_steps, tail) = tail.as_chunks::<4>();
        let [t0, t1, t2, t3, ..] = &TABLES;
        for step in quarter_steps {
            let [b3, b2, b1, b0] = (u32::from_le_bytes(*step) ^ state).to_le_bytes();
            state = (at(t3, b3) ^ at(t2, b2)) ^ (at(t1, b1) ^ at(t0, b0));
        }
        for &byte in tail {
            let [low, ..] = state.to_le_bytes();
            state = at(t0, low ^ byte) ^ (state >> 8);
        }
        Self(state)
    }

    #[inline]
    pub(crate) const fn finish(self) -> u32 {
        !self.0
    }
}

#[inline]
fn step16(step: &[u8; 16], state: u32) -> u32 {
    let [_, _, _, _, _, _, _, _, t8, t9, t10, t11, t12, t13, t14, t15] = &TABLES;
    let ([first, second], []) = step.as_chunks::<8>() else {
        // Never reached: two chunks are all that 16 bytes can be.
        return state;
    };
    let [b15, b14, b13, b12, b11, b10, b9, b8] =
        (u64::from_le_bytes(*first) ^ u64::from(state)).to_le_bytes();
    let early = (at(t11, b11) ^ at(t10, b10) ^ at(t9, b9) ^ at(t8, b8)) ^ step8(*second, 0);
    early ^ (at(t15, b15) ^ at(t14, b14) ^ at(t13, b13) ^ at(t12, b12))
}

#[inline]
fn step8(step: [u8; 8], state: u32) -> u32 {
    let [t0, t1, t2, t3, t4, t5, t6, t7, ..] = &TABLES;
    let [b7, b6, b5, b4, b3, b2, b1, b0] = (u64::from_le_bytes(step) ^ u64::from(state)).to_le_bytes();
    (at(t3, b3) ^ at(t2, b2) ^ at(t1, b1) ^ at(t0, b0)) ^ (at(t7, b7) ^ at(t6, b6) ^ at(t5, b5) ^ at(t4, b4))
}

#[inline]
#[expect(
    clippy::indexing_slicing,
    reason = "a byte is always an index into 256 entries; the check is compiled out"
)]
const fn at(table: &[u32; 256], byte: u8) -> u32 {
    table[byte as usize]
}

#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "evaluated at compile time, where a fault is a build error"
)]
const fn tables() -> [[u32; 256]; 16] {
    let mut tables = [[0; 256]; 16];
    let mut byte = 0;
    while byte < 256 {
        let mut state = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            state = if state & 1 == 1 {
                (state >> 1) ^ POLYNOMIAL
            } else {
                state >> 1
            };
            bit += 1;
        }
        tables[0][byte] = state;
        byte += 1;
    }
    let mut after = 1;
    while after < 16 {
        byte = 0;
        while byte < 256 {
            let before = tables[after - 1][byte];
            tables[after][byte] = (before >> 8) ^ tables[0][(before & 0xff) as usize];
            byte += 1;
        }
        after += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::Crc32c;

    #[test]
    fn check_value_of_the_catalogue_is_met_in_any_split() {
        for split in 0..=9 {
            let (front, back) = b"123456789".split_at(split);
            assert_eq!(Crc32c::new().update(front).update(back).finish(), 0xE306_9283);
        }
    }

    #[test]
    fn thirty_two_zero_bytes_give_the_value_of_rfc_3720() {
        assert_eq!(Crc32c::new().update(&[0; 32]).finish(), 0x8A91_36AA);
    }
}
