//! Writing a word so that it reads back the same. The inverse of `words`.

use std::borrow::Cow;

/// `word` as configuration text: quoted when it has to be. Reading the result gives `word` again.
///
/// An empty word comes out as `""`; the language cannot hold one, and reading it back is an error. The same
/// is true of a word with a NUL.
pub fn quote(word: &str) -> Cow<'_, str> {
    let special = |c: char| {
        c.is_ascii_whitespace() || c.is_ascii_control() || matches!(c, '"' | '\'' | '\\' | '#' | '$')
    };
    if !word.is_empty() && !word.contains(special) {
        return Cow::Borrowed(word);
    }
    let mut text = String::with_capacity(word.len() + 8);
    text.push('"');
    for c in word.chars() {
        match c {
            '"' | '\\' | '$' => text.extend(['\\', c]),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            c if c.is_ascii_control() => text.push_str(&hex(c)),
            c => text.push(c),
        }
    }
    text.push('"');
    Cow::Owned(text)
}

fn hex(c: char) -> String {
    format!("\\x{:02x}", u32::from(c))
}
