//! A set of texts. Whole texts are looked up by their hash, beginnings and ends in logarithmic time.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::core::bytes::find;

/// Where in a value a text has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It is the whole value.
    Whole,
    /// At its beginning.
    Beginning,
    /// At its end.
    End,
    /// Anywhere.
    Within,
    /// Anywhere, between slashes or the ends of the value. Slashes around the text do not count.
    Path,
    /// Anywhere, between dots, slashes, colons, question marks or the ends of the value. Those around the text do not count.
    Domain,
}

/// Texts to compare a value with.
#[derive(Debug, Clone)]
pub struct Texts {
    ignores_case: bool,
    set: Set,
}

#[derive(Debug, Clone)]
enum Set {
    Whole(HashSet<Box<[u8]>>),
    /// Sorted, and none begins with another.
    Beginnings(Vec<Box<[u8]>>),
    /// The same, of the texts read from their ends.
    Ends(Vec<Box<[u8]>>),
    Within(Vec<Box<[u8]>>),
    Between(Vec<Box<[u8]>>, &'static [u8]),
}

impl Texts {
    /// A set of texts, each of which matches in that place. `ignores_case` concerns ASCII letters.
    pub fn new<'t>(place: Place, ignores_case: bool, texts: impl IntoIterator<Item = Cow<'t, [u8]>>) -> Self {
        let texts = texts.into_iter().map(|text| {
            let mut text = text.into_owned();
            if ignores_case {
                text.make_ascii_lowercase();
            }
            text
        });
        let between = |delimiters: &'static [u8], texts: &mut dyn Iterator<Item = Vec<u8>>| {
            let is_inner = |byte: &u8| !delimiters.contains(byte);
            let trimmed = texts.map(|text| {
                let first = text.iter().position(is_inner).unwrap_or(text.len());
                let behind = text.iter().rposition(is_inner).map_or(first, |last| last + 1);
                text[first..behind].into()
            });
            Set::Between(trimmed.collect(), delimiters)
        };
        let mut texts = texts;
        let set = match place {
            Place::Whole => Set::Whole(texts.map(Vec::into).collect()),
            Place::Beginning => Set::Beginnings(without_longer(texts.map(Vec::into).collect())),
            Place::End => {
                let reversed = texts.map(|mut text| {
                    text.reverse();
                    text.into()
                });
                Set::Ends(without_longer(reversed.collect()))
            }
            Place::Within => Set::Within(texts.map(Vec::into).collect()),
            Place::Path => between(b"/", &mut texts),
            Place::Domain => between(b"./:?", &mut texts),
        };
        Self { ignores_case, set }
    }

    /// Whether one of the texts is where it has to be.
    pub fn match_text(&self, value: &[u8]) -> bool {
        let value = if self.ignores_case {
            Cow::Owned(value.to_ascii_lowercase())
        } else {
            Cow::Borrowed(value)
        };
        match &self.set {
            Set::Whole(texts) => texts.contains(&*value),
            Set::Beginnings(texts) => has_beginning(texts, &value),
            Set::Ends(texts) => {
                let mut value = value.into_owned();
                value.reverse();
                has_beginning(texts, &value)
            }
            Set::Within(texts) => texts.iter().any(|text| find(&value, text).is_some()),
            Set::Between(texts, delimiters) => texts.iter().any(|text| is_between(&value, text, delimiters)),
        }
    }
}

/// Sorted, without those that begin with another one: they match whenever that one does.
fn without_longer(mut texts: Vec<Box<[u8]>>) -> Vec<Box<[u8]>> {
    texts.sort_unstable();
    let mut kept: Vec<Box<[u8]>> = Vec::with_capacity(texts.len());
    for text in texts {
        if kept.last().is_none_or(|last| !text.starts_with(last)) {
            kept.push(text);
        }
    }
    kept
}

/// Of sorted texts of which none begins with another, only the last one that is not behind the value can be its beginning.
fn has_beginning(texts: &[Box<[u8]>], value: &[u8]) -> bool {
    let behind = texts.partition_point(|text| **text <= *value);
    texts[..behind].last().is_some_and(|text| value.starts_with(text))
}

fn is_between(value: &[u8], text: &[u8], delimiters: &[u8]) -> bool {
    // A text of nothing but delimiters is nowhere between them.
    if text.is_empty() {
        return false;
    }
    let ends = |byte: Option<&u8>| byte.is_none_or(|byte| delimiters.contains(byte));
    let mut from = 0;
    while let Some(found) = value.get(from..).and_then(|rest| find(rest, text)) {
        let at = from + found;
        let before = at.checked_sub(1).and_then(|before| value.get(before));
        if ends(before) && ends(value.get(at + text.len())) {
            return true;
        }
        from = at + 1;
    }
    false
}
