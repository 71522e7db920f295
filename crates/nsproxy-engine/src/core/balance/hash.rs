//! The number that stands for a client.

use std::net::IpAddr;

/// HAProxy's hash of a source address: the 32-bit words of it, combined.
pub fn hash_of_client(client: IpAddr) -> u32 {
    match client {
        IpAddr::V4(client) => client.to_bits(),
        IpAddr::V6(client) => {
            let words = client.to_bits();
            // Each of the four, at the lower end.
            #[expect(clippy::cast_possible_truncation, reason = "the lower word is what is wanted")]
            let word = |shift: u32| (words >> shift) as u32;
            word(96) ^ word(64) ^ word(32) ^ word(0)
        }
    }
}

/// HAProxy's hash of any other value (`sdbm`): what is hashed unless the configuration says otherwise.
pub fn hash_of_bytes(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |hash: u32, byte| {
        u32::from(*byte)
            .wrapping_add(hash << 6)
            .wrapping_add(hash << 16)
            .wrapping_sub(hash)
    })
}

/// Spreads numbers that differ little over all of 32 bits: one of Bob Jenkins' integer hashes, times a prime near three
/// quarters of the range (`__full_hash` in HAProxy's `hash.h`).
pub(super) const fn avalanche(number: u32) -> u32 {
    let mut a = number;
    a = a.wrapping_add(0x7ed5_5d16).wrapping_add(a << 12);
    a = (a ^ 0xc761_c23c) ^ (a >> 19);
    a = a.wrapping_add(0x1656_67b1).wrapping_add(a << 5);
    a = a.wrapping_add(0xd3a2_646c) ^ (a << 9);
    a = a.wrapping_add(0xfd70_46c5).wrapping_add(a << 3);
    a = (a ^ 0xb55a_4f09) ^ (a >> 16);
    a.wrapping_mul(3_221_225_473)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_have_the_hash_that_haproxy_gives_them() {
        // As its `hash_sdbm` computes them.
        assert_eq!(hash_of_bytes(b""), 0);
        assert_eq!(hash_of_bytes(b"a"), 97);
        assert_eq!(hash_of_bytes(b"ab"), 97 * 65_599 + 98);
    }

    #[test]
    fn every_word_of_an_address_counts() {
        assert_eq!(hash_of_client([10, 0, 0, 1].into()), 0x0a00_0001);
        let client = "2001:db8::1:0:0:7".parse().unwrap();
        assert_eq!(hash_of_client(client), 0x2001_0db8 ^ 0x0001_0000 ^ 0x0000_0007);
    }
}
