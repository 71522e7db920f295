//! Hexadecimal text, as people paste it: in either case, with spaces anywhere between bytes.

use std::fmt::{self, Write as _};

/// Text that is not hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotHex {
    /// A character that is no digit, and how many characters are before it.
    Digit { byte: u8, at: usize },
    /// A byte needs two digits.
    Odd,
}

impl fmt::Display for NotHex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digit { byte, at } => {
                write!(
                    f,
                    "not hexadecimal: `{}` at character {}",
                    byte.escape_ascii(),
                    at + 1
                )
            }
            Self::Odd => f.write_str("not hexadecimal: a byte has only one digit"),
        }
    }
}

/// The bytes that the text stands for.
pub(super) fn read(text: &[u8]) -> Result<Vec<u8>, NotHex> {
    let mut bytes = Vec::with_capacity(text.len() / 2);
    let mut high = None;
    for (at, &byte) in text.iter().enumerate() {
        if byte.is_ascii_whitespace() {
            continue;
        }
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            _ => return Err(NotHex::Digit { byte, at }),
        };
        match high.take() {
            None => high = Some(digit),
            Some(high) => bytes.push(high << 4 | digit),
        }
    }
    if high.is_some() {
        return Err(NotHex::Odd);
    }
    Ok(bytes)
}

/// The bytes as text, without spaces.
pub(super) fn write(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_and_case_do_not_matter() {
        assert_eq!(read(b" 0d 0A\t00\r"), Ok(vec![0x0d, 0x0a, 0]));
        assert_eq!(read(b""), Ok(vec![]));
    }

    #[test]
    fn what_is_not_hexadecimal_is_named_with_its_place() {
        assert_eq!(read(b"0d xx"), Err(NotHex::Digit { byte: b'x', at: 3 }));
        assert_eq!(read(b"0d 0"), Err(NotHex::Odd));
        assert_eq!(
            NotHex::Digit { byte: b'x', at: 3 }.to_string(),
            "not hexadecimal: `x` at character 4"
        );
    }

    #[test]
    fn what_is_written_is_read_back() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(read(write(&bytes).as_bytes()), Ok(bytes));
    }
}
