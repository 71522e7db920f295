//! Just enough of Rust's lexical structure to tell code from comments and literals.

/// The text with every comment and the inside of every literal turned into spaces. Lines stay lines.
pub(super) fn code_only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    let mut previous = ' ';
    while let Some(next) = rest.chars().next() {
        let length = if is_word(previous) {
            0
        } else {
            literal_length(rest)
        };
        let length = length.max(comment_length(rest));
        if length == 0 {
            code.push(next);
            rest = &rest[next.len_utf8()..];
            previous = next;
        } else {
            code.extend(rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[length..];
            previous = ' ';
        }
    }
    code
}

/// Whether `line` has `word` with no letter, digit or underscore next to it.
pub(super) fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The length of the comment that starts here; 0 when none does.
fn comment_length(text: &str) -> usize {
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if !text.starts_with("/*") {
        return 0;
    }
    // Block comments nest.
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        let here = &text.as_bytes()[at..];
        if here.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// The length of the string or character that starts here, with its prefix; 0 when none does.
fn literal_length(text: &str) -> usize {
    let letters = text.len() - text.trim_start_matches(['b', 'c', 'r']).len();
    let (prefix, after) = text.split_at(letters.min(2));
    if prefix.ends_with('r') {
        let hashes = after.len() - after.trim_start_matches('#').len();
        if after[hashes..].starts_with('"') {
            let end = format!("\"{}", &after[..hashes]);
            let inside = &after[hashes + 1..];
            let length = inside.find(&end).map_or(inside.len(), |at| at + end.len());
            return prefix.len() + hashes + 1 + length;
        }
        return 0;
    }
    if after.starts_with('"') {
        return prefix.len() + quoted_length(after, '"');
    }
    if after.starts_with('\'') && matches!(prefix, "" | "b") && is_character(after) {
        return prefix.len() + quoted_length(after, '\'');
    }
    0
}

/// Tells `'a'` and `'\n'` from the lifetime `'a`.
fn is_character(text: &str) -> bool {
    let mut inside = text.chars().skip(1);
    match inside.next() {
        Some('\\') => true,
        Some(_) => inside.next() == Some('\''),
        None => false,
    }
}

/// From one quote to the next that is not escaped.
fn quoted_length(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if is_escaped {
            is_escaped = false;
        } else if c == '\\' {
            is_escaped = true;
        } else if c == quote {
            return at + 1;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_vanish_and_code_stays() {
        for (text, words) in [
            ("let a = 1; // unsafe", "let a = 1;"),
            ("a /* unsafe /* nested */ still */ b", "a b"),
            (r#"call("unsafe \" more", x)"#, "call( , x)"),
            (r##"call(r#"unsafe " more"#, x)"##, "call( , x)"),
            (r#"call(b"unsafe", 'u', '\'', b'"')"#, "call( , , , )"),
            ("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}"),
            ("for r in bar { r#type }", "for r in bar { r#type }"),
        ] {
            let code = code_only(text);
            assert_eq!(
                code.split_whitespace().collect::<Vec<_>>().join(" "),
                words,
                "{text}"
            );
            assert_eq!(code.len(), text.len(), "{text}");
        }
    }

    #[test]
    fn lines_stay_where_they_are() {
        let code = code_only("one\n\"two\nthree\"\n/* four\n*/ five\n");
        assert_eq!(code.lines().count(), 5);
        assert_eq!(code.lines().nth(4).map(str::trim), Some("five"));
    }

    #[test]
    fn a_word_ends_where_no_letter_follows() {
        assert!(has_word("unsafe { }", "unsafe"));
        assert!(has_word("pub(super) unsafe fn", "unsafe"));
        assert!(!has_word("#![allow(unsafe_code)]", "unsafe"));
        assert!(!has_word("an_unsafe_name", "unsafe"));
    }
}
