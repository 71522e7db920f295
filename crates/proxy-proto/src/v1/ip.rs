//! Readers for the words of a version 1 line: addresses and ports, straight from bytes.
//!
//! Stricter than `FromStr` where the specification is: no plus sign, no leading zero in a decimal. Each
//! reader takes the longest word it can and returns what follows; the caller checks the separator.

use core::net::{Ipv4Addr, Ipv6Addr};

/// Four decimal octets with dots between.
#[inline]
pub(super) fn ipv4(bytes: &[u8]) -> Option<(Ipv4Addr, &[u8])> {
    let (a, rest) = dotted_octet(bytes)?;
    let (b, rest) = dotted_octet(rest)?;
    let (c, rest) = dotted_octet(rest)?;
    let (d, rest) = octet(rest)?;
    Some((Ipv4Addr::new(a, b, c, d), rest))
}

/// Groups of one to four hexadecimal digits, at most one `::` for one group or more, and perhaps a dotted IPv4 tail.
pub(super) fn ipv6(bytes: &[u8]) -> Option<(Ipv6Addr, &[u8])> {
    let mut rest = bytes;
    let mut groups = 0_u32;
    let mut bits = 0_u128;
    // Bits and number of the groups before the `::`; `bits` then starts again for those behind it.
    let mut front = None;
    if let [b':', b':', after @ ..] = rest {
        front = Some((0, 0));
        rest = after;
    }
    // Only behind a `::` may the address end without another group.
    while front.is_none() || begins_group(rest) {
        let (group, after) = hex_group(rest)?;
        if let [b'.', ..] = after {
            let (tail, after) = ipv4(rest)?;
            bits = bits << 32 | u128::from(tail.to_bits());
            groups = groups.wrapping_add(2);
            rest = after;
            break;
        }
        bits = bits << 16 | u128::from(group);
        groups = groups.wrapping_add(1);
        rest = after;
        match rest {
            _ if groups == 8 => break,
            [b':', b':', after @ ..] if front.is_none() => {
                front = Some((bits, groups));
                bits = 0;
                rest = after;
            }
            // A group has to follow: `1:` and a second `::` fail here.
            [b':', after @ ..] if begins_group(after) => rest = after,
            _ => break,
        }
    }
    let bits = match front {
        None if groups == 8 => bits,
        Some((front, before)) if groups < 8 => {
            // No group before `::` makes this a shift by all 128 bits.
            let shift = 8_u32.wrapping_sub(before).wrapping_mul(16);
            front.checked_shl(shift).unwrap_or(0) | bits
        }
        _ => return None,
    };
    Some((Ipv6Addr::from_bits(bits), rest))
}

/// A decimal number up to 65535.
#[inline]
pub(super) fn port(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (first, mut rest) = digit(bytes)?;
    let mut value = first;
    // After a leading zero nothing more is taken: a digit there is then not the separator that has to follow.
    if first != 0 {
        while let Some((next, after)) = digit(rest) {
            value = value.wrapping_mul(10).wrapping_add(next);
            if value > 0xffff {
                return None;
            }
            rest = after;
        }
    }
    Some((u16::try_from(value).ok()?, rest))
}

#[inline]
fn dotted_octet(bytes: &[u8]) -> Option<(u8, &[u8])> {
    match octet(bytes)? {
        (value, [b'.', rest @ ..]) => Some((value, rest)),
        _ => None,
    }
}

#[inline]
fn octet(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let (mut value, mut rest) = digit(bytes)?;
    if value != 0 {
        // Two more at most: a third is then not the separator that has to follow.
        if let Some((next, after)) = digit(rest) {
            value = value.wrapping_mul(10).wrapping_add(next);
            rest = after;
            if let Some((next, after)) = digit(rest) {
                value = value.wrapping_mul(10).wrapping_add(next);
                rest = after;
            }
        }
    }
    Some((u8::try_from(value).ok()?, rest))
}

#[inline]
fn digit(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let value = first.wrapping_sub(b'0');
    if value < 10 {
        Some((u32::from(value), rest))
    } else {
        None
    }
}

#[inline]
fn begins_group(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(u8::is_ascii_hexdigit)
}

/// One to four digits. A fifth is left over and is then not the separator that has to follow.
#[inline]
fn hex_group(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (mut value, mut rest) = hex_digit(bytes)?;
    for _ in 1..4 {
        let Some((next, after)) = hex_digit(rest) else {
            break;
        };
        value = value << 4 | next;
        rest = after;
    }
    Some((value, rest))
}

#[inline]
fn hex_digit(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let value = match first {
        b'0'..=b'9' => first.wrapping_sub(b'0'),
        b'a'..=b'f' => first.wrapping_sub(b'a' - 10),
        b'A'..=b'F' => first.wrapping_sub(b'A' - 10),
        _ => return None,
    };
    Some((u16::from(value), rest))
}
