//! Numbers that nobody has to foresee and nobody may rely on: to spread checks, and to draw servers.

/// The next state of a xorshift generator (Marsaglia, "Xorshift RNGs", 2003: 13, 7, 17). Its upper bits are the better
/// ones; 0 stays 0.
pub(crate) const fn xorshift(mut state: u64) -> u64 {
    state ^= state << 13;
    state ^= state >> 7;
    state ^ (state << 17)
}
