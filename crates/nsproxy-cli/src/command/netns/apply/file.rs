//! A topology file as lines of words, each with its place, and the complaint about one.
//!
//! Words are divided by blanks; `"..."` keeps blanks in a word; `#` begins a remark where a word could begin.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::super::failure::{Failure, Result};
use super::super::words::{Word, shown};

/// A line of the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    /// From 1.
    number: usize,
    text: &'a [u8],
}

pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = Line<'_>> {
    text.split(|&byte| byte == b'\n')
        .zip(1..)
        .map(|(text, number)| Line { number, text })
}

impl Line<'_> {
    /// Its words; none for an empty line or a remark.
    pub(super) fn words(&self) -> Result<Vec<Word>> {
        let mut words = Vec::new();
        let mut at = 0;
        while let Some(byte) = self.text.get(at) {
            match byte {
                b'#' => break,
                byte if byte.is_ascii_whitespace() => at += 1,
                _ => {
                    let (word, end) = self.word(at)?;
                    words.push(word);
                    at = end;
                }
            }
        }
        Ok(words)
    }

    /// The word that begins at `start`, and where it ends.
    fn word(&self, start: usize) -> Result<(Word, usize)> {
        let mut word = Vec::new();
        let mut quote = None;
        let mut at = start;
        while let Some(&byte) = self.text.get(at) {
            match (byte, quote) {
                (b'"', None) => quote = Some(at),
                (b'"', Some(_)) => quote = None,
                (byte, None) if byte.is_ascii_whitespace() => break,
                (byte, _) => word.push(byte),
            }
            at += 1;
        }
        if let Some(quote) = quote {
            return Err(Failure::usage("this quote has no end").at(quote));
        }
        let text = OsStr::from_bytes(&word).to_owned();
        Ok((Word { text, place: start }, at))
    }

    /// `FILE:LINE:COLUMN: what is wrong`, the line, and a mark under the word.
    pub(super) fn complaint(&self, path: &Path, failure: &Failure) -> String {
        let path = path.display();
        let number = self.number;
        let text = self.text.trim_ascii_end();
        let line = shown(OsStr::from_bytes(text)).replace("\\t", " ");
        let Some(place) = failure.place() else {
            return format!("{path}:{number}: {failure}\n    {line}");
        };
        let width = |part: &[u8]| shown(OsStr::from_bytes(part)).replace("\\t", " ").chars().count();
        let before = width(&text[..place.min(text.len())]);
        let word = match self.word(place) {
            Ok((_, end)) if place < end => width(&self.text[place..end]),
            _ => 1,
        };
        let column = before + 1;
        let (blank, mark) = (" ".repeat(before), "^".repeat(word));
        format!("{path}:{number}:{column}: {failure}\n    {line}\n    {blank}{mark}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(line: &str) -> Vec<String> {
        let line = lines(line.as_bytes()).next().unwrap();
        line.words().unwrap().iter().map(Word::shown).collect()
    }

    #[test]
    fn words_are_divided_by_blanks_and_remarks_are_none() {
        assert_eq!(texts("  add\ta  b # both"), ["add", "a", "b"]);
        assert_eq!(texts("add a#b \"x y\" \"\""), ["add", "a#b", "x y", ""]);
        assert!(texts("# add a").is_empty());
        assert!(texts("").is_empty());
    }

    #[test]
    fn a_complaint_marks_the_word() {
        let line = lines(b"\n\tlink frob a\r\n").nth(1).unwrap();
        let word = line.words().unwrap().remove(1);
        assert_eq!(
            line.complaint(Path::new("t"), &word.wrong("no")),
            "t:2:7: no\n     link frob a\n          ^^^^"
        );
        let end = Failure::usage("more").at(12);
        assert_eq!(
            line.complaint(Path::new("t"), &end),
            "t:2:13: more\n     link frob a\n                ^"
        );
    }

    #[test]
    fn a_quote_without_an_end_is_found() {
        let line = lines(b"add \"a b").next().unwrap();
        assert_eq!(line.words().unwrap_err().place(), Some(4));
    }
}
