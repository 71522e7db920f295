//! Bytes from outside: what is looked for in them, and how they are written.

/// The first place of `wanted` in `bytes`. Nothing is found at once.
pub(super) fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    if wanted.is_empty() {
        return Some(0);
    }
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// Two digits a byte, in capitals.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    let digits = |byte: &u8| [byte >> 4, byte & 15].map(digit);
    bytes.iter().flat_map(digits).collect()
}

fn digit(value: u8) -> char {
    char::from(b"0123456789ABCDEF"[usize::from(value)])
}

#[cfg(test)]
mod tests {
    use super::{find, hexadecimal};

    #[test]
    fn the_first_place_is_found() {
        for (bytes, wanted, place) in [
            ("a banner", "ban", Some(2)),
            ("banban", "ban", Some(0)),
            ("banana", "nan", Some(2)),
            ("ban", "banner", None),
            ("", "b", None),
            ("ban", "", Some(0)),
            ("", "", Some(0)),
        ] {
            assert_eq!(
                find(bytes.as_bytes(), wanted.as_bytes()),
                place,
                "{wanted} in {bytes}"
            );
        }
    }

    #[test]
    fn each_byte_has_two_digits() {
        assert_eq!(hexadecimal(&[0, 9, 10, 127, 255]), "00090A7FFF");
        assert_eq!(hexadecimal(&[]), "");
    }
}
