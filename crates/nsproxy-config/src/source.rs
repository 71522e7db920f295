//! The texts a configuration is made of, and positions in them.
//!
//! Everything later works with a [`Span`], which is three numbers, and asks [`Sources`] for file names and
//! lines only when a person is to read them. Nothing here knows the language.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// The largest text accepted, in bytes. Spans are 32 bits wide, and no real configuration is near it.
pub const MAX_SOURCE_BYTES: usize = 1 << 30;

/// One configuration text with the name it goes by in messages, usually its path.
#[derive(Debug, Clone)]
pub struct Source {
    name: Arc<str>,
    text: Vec<u8>,
}

impl Source {
    /// A text and the name that messages give it. The text should be UTF-8; where it is not, a diagnostic
    /// says so.
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }
}

/// Where something is written: the file's name and the line, counted from 1. Displays as `file:line`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The name of the [`Source`].
    pub file: Arc<str>,
    /// The line, counted from 1.
    pub line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A range of bytes in one of the [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Span {
    source: u32,
    start: u32,
    end: u32,
}

impl Span {
    /// A part of this span, by offsets from its start. Clamped to the span.
    pub(crate) fn part(self, range: Range<usize>) -> Self {
        let clamp = |offset: usize| {
            u32::try_from(offset).map_or(self.end, |o| self.end.min(self.start.saturating_add(o)))
        };
        Self {
            source: self.source,
            start: clamp(range.start),
            end: clamp(range.end),
        }
    }

    /// From the start of this span to the end of `other`, which must lie in the same text.
    pub(crate) fn to(self, other: Self) -> Self {
        Self {
            end: other.end.max(self.end),
            ..self
        }
    }

    /// Where it lies in `outer`, as offsets from the start of that.
    pub(crate) fn within(self, outer: Self) -> Range<usize> {
        let offset = |position: u32| position.saturating_sub(outer.start) as usize;
        offset(self.start)..offset(self.end)
    }

    /// The empty span just behind this one: where something is missing.
    pub(crate) fn after(self) -> Self {
        Self {
            start: self.end,
            ..self
        }
    }
}

/// All texts, decoded, with an index of their lines.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    files: Vec<File>,
}

#[derive(Debug)]
struct File {
    name: Arc<str>,
    text: String,
    line_starts: Vec<u32>,
}

/// One line of a text as it is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawLine<'a> {
    /// Counted from 1.
    pub(crate) number: u32,
    /// Without its end.
    pub(crate) text: &'a str,
    pub(crate) span: Span,
    /// There is a line feed behind it.
    pub(crate) is_ended: bool,
}

/// One line of a text, as a message shows it.
#[derive(Debug)]
pub(crate) struct Excerpt<'a> {
    pub(crate) file: &'a Arc<str>,
    pub(crate) line: u32,
    /// The line without its end.
    pub(crate) text: &'a str,
    /// The span within `text`.
    pub(crate) range: Range<usize>,
}

impl Sources {
    /// Takes the texts in. Bytes that are not UTF-8 become replacement characters; their places come back,
    /// at most one a line.
    pub(crate) fn decode(sources: Vec<Source>) -> (Self, Vec<Span>) {
        let mut bad = Vec::new();
        let files = sources
            .into_iter()
            .enumerate()
            .map(|(index, source)| {
                let index = u32::try_from(index).unwrap_or(u32::MAX);
                let text = String::from_utf8(source.text)
                    .unwrap_or_else(|e| decode_lossy(e.as_bytes(), index, &mut bad));
                let newlines = text
                    .bytes()
                    .zip(1u32..)
                    .filter(|&(byte, _)| byte == b'\n')
                    .map(|(_, next)| next);
                let line_starts = std::iter::once(0).chain(newlines).collect();
                File {
                    name: source.name,
                    text,
                    line_starts,
                }
            })
            .collect();
        (Self { files }, bad)
    }

    /// Each text: its name, and its lines.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&str, impl Iterator<Item = RawLine<'_>>)> {
        let texts = self.files.iter().zip(0u32..);
        texts.map(|(file, source)| (&*file.name, lines(&file.text, source)))
    }

    /// The name of each text.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| &*file.name)
    }

    pub(crate) fn place(&self, span: Span) -> Place {
        let excerpt = self.excerpt(span);
        Place {
            file: Arc::clone(excerpt.file),
            line: excerpt.line,
        }
    }

    /// The line in which a span begins, and the part of the span that lies in it.
    pub(crate) fn excerpt(&self, span: Span) -> Excerpt<'_> {
        let file = &self.files[span.source as usize];
        let index = file
            .line_starts
            .partition_point(|&start| start <= span.start)
            .saturating_sub(1);
        let begin = file.line_starts[index] as usize;
        let rest = &file.text[begin..];
        let text = rest.split('\n').next().unwrap_or(rest);
        let text = text.strip_suffix('\r').unwrap_or(text);
        let mut range =
            (span.start as usize - begin).min(text.len())..(span.end as usize - begin).min(text.len());
        // Spans are computed in bytes: never cut a character in two.
        while !text.is_char_boundary(range.start) {
            range.start -= 1;
        }
        while !text.is_char_boundary(range.end) {
            range.end += 1;
        }
        Excerpt {
            file: &file.name,
            line: u32::try_from(index + 1).unwrap_or(u32::MAX),
            text,
            range,
        }
    }
}

/// The lines of a text. Line ends (`\n` and `\r\n`) are cut off.
fn lines(text: &str, source: u32) -> impl Iterator<Item = RawLine<'_>> {
    let mut start = 0u32;
    text.split_inclusive('\n').zip(1u32..).map(move |(raw, number)| {
        let line = raw.strip_suffix('\n').unwrap_or(raw);
        let is_ended = line.len() < raw.len();
        let line = if is_ended {
            line.strip_suffix('\r').unwrap_or(line)
        } else {
            line
        };
        let span = Span {
            source,
            start,
            end: start + len32(line),
        };
        start += len32(raw);
        RawLine {
            number,
            text: line,
            span,
            is_ended,
        }
    })
}

fn decode_lossy(bytes: &[u8], source: u32, bad: &mut Vec<Span>) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut line_reported = false;
    for chunk in bytes.utf8_chunks() {
        line_reported &= !chunk.valid().contains('\n');
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            let start = len32(&text);
            text.push(char::REPLACEMENT_CHARACTER);
            if !line_reported {
                bad.push(Span {
                    source,
                    start,
                    end: len32(&text),
                });
                line_reported = true;
            }
        }
    }
    text
}

/// Texts over [`MAX_SOURCE_BYTES`] are refused before they get here, and decoding at most triples them.
fn len32(text: &str) -> u32 {
    u32::try_from(text.len()).unwrap_or(u32::MAX)
}
