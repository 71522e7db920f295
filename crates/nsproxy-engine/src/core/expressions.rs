//! Regular expressions over bytes, matched in time linear to them.

use std::borrow::Cow;

use regex_lite::{Regex, RegexBuilder};

/// Expressions to search bytes for.
///
/// What comes from a network need not be text. So a byte counts as the character of that number (ISO 8859-1), in the bytes
/// as in the expression: letters beyond ASCII are as many characters as they have bytes in UTF-8, and a dot is any byte but a
/// line feed. That is what PCRE does without its UTF option, and so what HAProxy does.
#[derive(Debug, Clone)]
pub struct Expressions {
    ignores_case: bool,
    compiled: Vec<Regex>,
}

/// The most memory of one compiled expression, in bytes: what is searched with it takes time in proportion.
const LARGEST: usize = 64 << 10;

/// An expression that cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct InvalidExpression(regex_lite::Error);

impl Expressions {
    /// Compiles expressions in the syntax of `regex-lite`. `ignores_case` concerns ASCII letters.
    ///
    /// # Errors
    ///
    /// One of them is none, or is larger than 64 KiB once compiled.
    pub fn new<'t>(
        ignores_case: bool,
        texts: impl IntoIterator<Item = &'t str>,
    ) -> Result<Self, InvalidExpression> {
        let compile = |text: &str| {
            RegexBuilder::new(&characters(text.as_bytes()))
                .case_insensitive(ignores_case)
                .size_limit(LARGEST)
                .build()
                .map_err(InvalidExpression)
        };
        let compiled = texts.into_iter().map(compile).collect::<Result<_, _>>()?;
        Ok(Self {
            ignores_case,
            compiled,
        })
    }

    /// Whether one of them is found in these bytes.
    pub fn is_in(&self, bytes: &[u8]) -> bool {
        let text = characters(bytes);
        self.compiled.iter().any(|expression| expression.is_match(&text))
    }
}

/// Those that were written the same.
impl PartialEq for Expressions {
    fn eq(&self, other: &Self) -> bool {
        let texts = self.compiled.iter().map(Regex::as_str);
        self.ignores_case == other.ignores_case && texts.eq(other.compiled.iter().map(Regex::as_str))
    }
}

impl Eq for Expressions {}

/// The bytes as characters of the same numbers. ASCII, which most are, is that already.
fn characters(bytes: &[u8]) -> Cow<'_, str> {
    match str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => Cow::Borrowed(text),
        _ => bytes.iter().copied().map(char::from).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_found(ignores_case: bool, text: &str, bytes: &[u8]) -> bool {
        Expressions::new(ignores_case, [text]).unwrap().is_in(bytes)
    }

    #[test]
    fn they_are_found_anywhere_unless_they_are_anchored() {
        assert!(is_found(false, r"^[^.]+\.example$", b"a.example"));
        assert!(!is_found(false, r"^[^.]+\.example$", b"a.b.example"));
        assert!(is_found(true, "EXAMPLE", b"a.example") && !is_found(false, "EXAMPLE", b"a.example"));
    }

    #[test]
    fn bytes_are_characters_whatever_they_are() {
        assert!(is_found(false, "^.b$", b"\xffb") && !is_found(false, "^.b$", "éb".as_bytes()));
        assert!(is_found(false, "^é+$", "é".as_bytes()) && is_found(false, r"^\x{e9}$", b"\xe9"));
        assert!(is_found(false, r"^\x00[^a]\x{ff}$", b"\0\x80\xff"));
        // Only letters of ASCII have two cases.
        assert!(!is_found(true, "É", "é".as_bytes()) && !is_found(true, r"\x{e9}", b"\xc9"));
    }

    #[test]
    fn what_is_none_or_too_large_is_refused() {
        assert!(Expressions::new(false, ["("]).is_err());
        assert!(Expressions::new(false, ["((a{100}){100}){100}"]).is_err());
    }
}
