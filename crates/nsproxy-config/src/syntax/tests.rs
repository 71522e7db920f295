//! Words: what HAProxy 2.6 makes of a line, and `quote` as its inverse.

use std::ffi::OsString;

use proptest::prelude::*;

use super::environment::Environment;
use super::words::{self, Line};
use super::{Tree, quote};
use crate::report::{Collector, Severity};
use crate::source::{Source, Sources};

fn env(name: &str) -> Option<OsString> {
    match name {
        "ADDR" => Some("10.0.0.1".into()),
        "LIST" => Some("  one two\tthree ".into()),
        "EMPTY" => Some("".into()),
        "QUOTES" => Some("a\" b #$ADDR".into()),
        _ => None,
    }
}

/// The words of one line, or the message of its error.
fn split(text: &str) -> Result<Vec<String>, String> {
    let (sources, _) = Sources::decode(vec![Source::new("test.cfg", text)]);
    let Some(line) = sources.texts().next().and_then(|(_, mut lines)| lines.next()) else {
        return Ok(Vec::new());
    };
    let parts = Line {
        text: line.text,
        span: line.span,
        file: "test.cfg",
        number: line.number,
        section: "pool",
    };
    let (words, result) = words::split(&parts, Some(&Environment::new(&env, sources.names())));
    result.map_err(|error| error.message().to_owned())?;
    Ok(words.into_iter().map(|word| word.text.into_owned()).collect())
}

#[test]
fn words_are_split_as_haproxy_does() {
    for (line, expected) in [
        ("", vec![]),
        ("  \t ", vec![]),
        ("# only a comment", vec![]),
        ("a  b\tc", vec!["a", "b", "c"]),
        ("a#b c", vec!["a"]),
        (r"a\#b", vec!["a#b"]),
        (r"a\ b c", vec!["a b", "c"]),
        (r"\q\1\\", vec![r"\q\1\"]),
        (r"a\n\t\rb", vec!["a\n\t\rb"]),
        (r"\x41\xc3\xa9", vec!["Aé"]),
        (r#""a b"'c d'e"#, vec!["a bc de"]),
        (r#"'a\n"$ADDR"'"#, vec![r#"a\n"$ADDR""#]),
        (r#""a\"b'c""#, vec![r#"a"b'c"#]),
        (r#""\$ADDR" \$ADDR $ADDR"#, vec!["$ADDR", r"\$ADDR", "$ADDR"]),
        (r#""$ADDR:80" "${ADDR}5""#, vec!["10.0.0.1:80", "10.0.0.15"]),
        (r#""${NONE-d e f}" "x${NONE}""#, vec!["d e f", "x"]),
        (r#""${ADDR-default}" "x${EMPTY-default}""#, vec!["10.0.0.1", "x"]),
        (r#""${QUOTES}""#, vec!["a\" b #$ADDR"]),
        (
            r#""${LIST[*]}" "p${LIST[*]}q" x"#,
            vec!["one", "two", "three", "pone", "two", "threeq", "x"],
        ),
        (r#""${.FILE}:${.LINE}:${.SECTION}""#, vec!["test.cfg:1:pool"]),
        (r#".if "$NONE" x"#, vec![".if", "", "x"]),
    ] {
        assert_eq!(
            split(line),
            Ok(expected.into_iter().map(str::to_owned).collect()),
            "{line}"
        );
    }
}

#[test]
fn a_line_of_too_many_words_is_refused() {
    assert!(split(&"a ".repeat(4096)).is_ok());
    assert_eq!(
        split(&"a ".repeat(4097)),
        Err("more than 4096 words on one line".to_owned())
    );
}

#[test]
fn variables_cannot_fill_the_memory() {
    let big = |_: &str| Some(OsString::from("x".repeat(1 << 20)));
    let (sources, _) = Sources::decode(vec![Source::new("test.cfg", "\"$A\"\n".repeat(20))]);
    let mut diagnostics = Collector::default();
    let tree = Tree::read(
        &sources,
        &mut Environment::new(&big, sources.names()),
        &mut diagnostics,
    );
    assert_eq!(tree.preamble.len(), 16);
    assert_eq!(diagnostics.count(Severity::Error), 4);
}

#[test]
fn a_line_may_end_as_on_windows() {
    let (sources, _) = Sources::decode(vec![Source::new("test.cfg", "global\r\n  maxconn 1\r\n")]);
    let mut diagnostics = Collector::default();
    let tree = Tree::read(
        &sources,
        &mut Environment::new(&env, sources.names()),
        &mut diagnostics,
    );
    assert_eq!(diagnostics.count(Severity::Error), 0);
    assert_eq!(tree.sections[0].statements[0].words[1].text, "1");
}

proptest! {
    #[test]
    fn a_quoted_word_reads_back_the_same(word in "[^\0]{1,40}") {
        prop_assert_eq!(split(&quote(&word)), Ok(vec![word]));
    }

    #[test]
    fn a_word_of_awkward_characters_reads_back_the_same(word in r#"[ "'\\#$\n\r\t{}x0a-]{1,20}"#) {
        prop_assert_eq!(split(&quote(&word)), Ok(vec![word]));
    }

    #[test]
    fn a_plain_word_is_not_quoted(word in "[a-z0-9.:/@*-]{1,20}") {
        prop_assert_eq!(&*quote(&word), word.as_str());
    }
}
