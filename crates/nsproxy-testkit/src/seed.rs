//! Randomness that can be had again: a small generator whose seed is printed when a test fails.
//!
//! Not for cryptography, and not for statistics finer than "odd sizes in an odd order".

use std::collections::hash_map::RandomState;
use std::env;
use std::hash::{BuildHasher, Hasher};
use std::thread;
use std::time::Duration;

use crate::deadline::pause_for;

/// The environment variable that fixes the seed of every [`Rng::from_env`].
const SEED_VARIABLE: &str = "NSPROXY_SEED";

/// A seeded random number generator (`SplitMix64`, Steele, Lea and Flood 2014).
///
/// Dropped while its thread panics, it prints the seed with which the run can be repeated.
#[derive(Debug)]
pub struct Rng {
    seed: u64,
    state: u64,
}

impl Rng {
    /// A generator with this seed.
    pub fn new(seed: u64) -> Self {
        Self { seed, state: seed }
    }

    /// A generator with the seed in `NSPROXY_SEED` (decimal, or hexadecimal after `0x`), or else with
    /// a seed that differs at each call.
    ///
    /// # Panics
    ///
    /// When the variable is set and is no number: a run meant to repeat another must not start with
    /// other numbers.
    pub fn from_env() -> Self {
        match env::var(SEED_VARIABLE) {
            Ok(text) => Self::new(
                parse(&text).unwrap_or_else(|| panic!("{SEED_VARIABLE}={text:?} is not a 64-bit number")),
            ),
            // The hasher's keys are the standard library's own source of randomness.
            Err(_) => Self::new(RandomState::new().build_hasher().finish()),
        }
    }

    /// The seed this generator started with.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`, both included.
    ///
    /// # Panics
    ///
    /// When `low` is above `high`.
    pub fn between(&mut self, low: usize, high: usize) -> usize {
        assert!(low <= high, "an empty range: {low}..={high}");
        let span = (high - low) as u64;
        if span == u64::MAX {
            return usize::try_from(self.next_u64()).expect("usize has 64 bits here");
        }
        let offset = self.next_u64() % (span + 1);
        low + usize::try_from(offset).expect("an offset within a range of usize")
    }

    /// True once in `n` times on average.
    ///
    /// # Panics
    ///
    /// When `n` is zero.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.next_u64().is_multiple_of(n)
    }

    /// A pause of random length, up to `most`: a slow peer makes it. To wait for something, there is
    /// [`eventually`](crate::eventually).
    pub fn pause(&mut self, most: Duration) {
        let micros = usize::try_from(most.as_micros()).unwrap_or(usize::MAX);
        pause_for(Duration::from_micros(self.between(0, micros) as u64));
    }

    /// Fills `bytes` with random ones.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = self.next_u64().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }
}

impl Drop for Rng {
    #[expect(clippy::print_stderr, reason = "a failing test's reader needs the seed")]
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("repeat this run with {SEED_VARIABLE}={:#x}", self.seed);
        }
    }
}

fn parse(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let (mut one, mut other) = (Rng::new(7), Rng::new(7));
        let draw = |rng: &mut Rng| (0..100).map(|_| rng.next_u64()).collect::<Vec<_>>();
        assert_eq!(draw(&mut one), draw(&mut other));
    }

    #[test]
    fn the_generator_is_splitmix64() {
        // The first outputs of the reference implementation for the seed 1234567.
        let mut rng = Rng::new(1_234_567);
        assert_eq!(rng.next_u64(), 6_457_827_717_110_365_317);
        assert_eq!(rng.next_u64(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn a_range_includes_both_its_ends_and_nothing_else() {
        let mut rng = Rng::new(1);
        let drawn: Vec<usize> = (0..200).map(|_| rng.between(3, 5)).collect();
        assert!(drawn.iter().all(|n| (3..=5).contains(n)));
        assert!(drawn.contains(&3) && drawn.contains(&5));
        assert_eq!(rng.between(9, 9), 9);
    }

    #[test]
    fn seeds_are_read_in_both_notations() {
        assert_eq!(parse("12"), Some(12));
        assert_eq!(parse("0xff"), Some(255));
        assert_eq!(parse("seed"), None);
    }
}
