//! One line to its words: blanks, comments, quoting, escapes and variables.
//!
//! The rules are those of HAProxy's configuration manual, sections 2.2 and 2.3, checked against its 2.6:
//!
//! - blanks separate words; `#` outside quotes starts a comment, even in the middle of a word;
//! - `\` escapes a blank, `\`, `#`, `'` and `"`, and `$` inside double quotes; `\n`, `\r`, `\t` and `\xHH`
//!   mean what they do in C; any other `\` stands for itself;
//! - inside `'...'` nothing is special;
//! - inside `"..."` variables are replaced: `$NAME`, `${NAME}`, `${NAME-default}`, and `${NAME[*]}`, whose value
//!   is split into words at blanks. An unset variable is empty. `${.FILE}`, `${.LINE}` and `${.SECTION}` are
//!   where it stands.
//!
//! Where HAProxy silently stops reading (an empty word, a carriage return in the middle of a line), this is an
//! error. Only a line that begins with a dot may have empty words: `.if "$NAME"` is how one asks for a variable.
//! Escapes may only spell UTF-8.

use std::borrow::Cow;
use std::iter::Peekable;
use std::str::CharIndices;

use super::environment::Environment;
use crate::report::Diagnostic;
use crate::source::Span;

/// The most words on one line. HAProxy stops at 64.
const MAX_WORDS: usize = 4096;

/// A word after quoting, and where it is written.
#[derive(Debug, Clone)]
pub(crate) struct Word<'s> {
    pub(crate) text: Cow<'s, str>,
    pub(crate) span: Span,
}

impl Word<'_> {
    /// A part of the word, as a word.
    pub(crate) fn sub(&self, range: std::ops::Range<usize>) -> Word<'_> {
        Word {
            span: self.part(range.clone()),
            text: match &self.text {
                Cow::Borrowed(text) => Cow::Borrowed(&text[range]),
                // Its own parts have no places either.
                Cow::Owned(text) => Cow::Owned(text[range].to_owned()),
            },
        }
    }

    /// The place of a part of the word, by offsets into its text. The whole word when quoting moved things.
    pub(crate) fn part(&self, range: std::ops::Range<usize>) -> Span {
        match self.text {
            Cow::Borrowed(_) => self.span.part(range),
            Cow::Owned(_) => self.span,
        }
    }
}

/// One line, and what the pseudo-variables say of it.
pub(crate) struct Line<'l, 's> {
    pub(crate) text: &'s str,
    pub(crate) span: Span,
    pub(crate) file: &'l str,
    pub(crate) number: u32,
    /// The name of the section that it is in, or its keyword.
    pub(crate) section: &'l str,
}

/// The words of a line; with an error, those before it.
///
/// Without an environment no variable is looked up: the words are those that are written, and only their places
/// and what is not a variable in them are of use.
pub(crate) fn split<'s>(line: &Line<'_, 's>, env: Option<&Environment<'_>>) -> (Vec<Word<'s>>, Step) {
    let mut lexer = Lexer {
        line,
        env,
        chars: line.text.char_indices().peekable(),
        words: Vec::new(),
        word: None,
        quote: None,
        unset: None,
    };
    let result = lexer.run();
    (lexer.words, result)
}

struct Lexer<'l, 's, 'e> {
    line: &'l Line<'l, 's>,
    env: Option<&'l Environment<'e>>,
    chars: Peekable<CharIndices<'s>>,
    words: Vec<Word<'s>>,
    /// The word being read.
    word: Option<Partial>,
    /// The open quote and its place.
    quote: Option<(char, usize)>,
    /// A variable of this word that is not set.
    unset: Option<String>,
}

struct Partial {
    start: usize,
    /// The text as bytes, since `\xHH` spells bytes; `None` while it is just what is written.
    changed: Option<Vec<u8>>,
}

type Step<T = ()> = Result<T, Diagnostic>;

impl Lexer<'_, '_, '_> {
    fn run(&mut self) -> Step {
        while let Some((at, c)) = self.chars.next() {
            let quoted = self.quote.map(|(mark, _)| mark);
            match (c, quoted) {
                ('\0' | '\r', _) => return Err(self.no_text(at, c)),
                ('#', None) => {
                    self.finish(at)?;
                    return Ok(());
                }
                ('"', None | Some('"')) | ('\'', None | Some('\'')) => {
                    self.change(at);
                    self.quote = if quoted.is_none() { Some((c, at)) } else { None };
                }
                ('\\', None | Some('"')) => self.escape(at)?,
                ('$', Some('"')) => self.variable(at)?,
                (c, None) if is_blank(c) => self.finish(at)?,
                (c, _) => self.push(at, c),
            }
        }
        if let Some((mark, at)) = self.quote {
            let message = format!("this quote (`{mark}`) is never closed");
            return Err(self.error(at, at + 1, message).with_label("opened here"));
        }
        self.finish(self.line.text.len())
    }

    /// The word's own text, apart from what is written, from here on.
    fn change(&mut self, at: usize) -> &mut Vec<u8> {
        let word = self.word.get_or_insert(Partial {
            start: at,
            changed: None,
        });
        let start = word.start;
        let text = self.line.text;
        word.changed
            .get_or_insert_with(|| text.as_bytes()[start..at].to_vec())
    }

    fn push(&mut self, at: usize, c: char) {
        let word = self.word.get_or_insert(Partial {
            start: at,
            changed: None,
        });
        if let Some(text) = &mut word.changed {
            text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }

    fn finish(&mut self, end: usize) -> Step {
        let Some(word) = self.word.take() else {
            return Ok(());
        };
        let unset = self.unset.take();
        let text = match word.changed {
            None => Cow::Borrowed(&self.line.text[word.start..end]),
            Some(bytes) => match String::from_utf8(bytes) {
                Ok(text) => Cow::Owned(text),
                Err(_) => {
                    return Err(self.error(
                        word.start,
                        end,
                        "the escapes in this word do not spell UTF-8 text",
                    ));
                }
            },
        };
        let may_be_empty =
            self.env.is_none() || self.words.first().is_some_and(|word| word.text.starts_with('.'));
        if text.is_empty() && !may_be_empty {
            let error = self.error(word.start, end, "a word cannot be empty");
            return Err(match unset {
                Some(name) => error.with_note(format!("the environment variable `{name}` is not set")),
                None => error,
            });
        }
        if self.words.len() == MAX_WORDS {
            return Err(self.error(
                word.start,
                end,
                format!("more than {MAX_WORDS} words on one line"),
            ));
        }
        self.words.push(Word {
            text,
            span: self.line.span.part(word.start..end),
        });
        Ok(())
    }

    fn escape(&mut self, at: usize) -> Step {
        let next = self.chars.peek().map(|&(_, c)| c);
        let in_quotes = self.quote.is_some();
        let byte = match next {
            Some(c @ (' ' | '\\' | '#' | '\'' | '"')) => c as u8,
            Some('$') if in_quotes => b'$',
            Some('n') => b'\n',
            Some('r') => b'\r',
            Some('t') => b'\t',
            Some('x') => return self.hex_escape(at),
            _ => {
                self.push(at, '\\');
                return Ok(());
            }
        };
        self.chars.next();
        self.change(at).push(byte);
        Ok(())
    }

    fn hex_escape(&mut self, at: usize) -> Step {
        let digits = self.line.text.as_bytes().get(at + 2..at + 4).unwrap_or_default();
        let value = std::str::from_utf8(digits)
            .ok()
            .filter(|digits| digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match value {
            None => Err(self
                .error(at, at + 2, "`\\x` needs two hexadecimal digits")
                .with_help("a backslash is written `\\\\`")),
            Some(0) => Err(self.error(at, at + 4, "a word cannot hold a NUL byte")),
            Some(byte) => {
                self.change(at).push(byte);
                // `x` and both digits.
                self.chars.nth(2);
                Ok(())
            }
        }
    }

    /// `$NAME`, `${NAME}`, `${NAME-default}` or `${NAME[*]}`; the `$` is read.
    fn variable(&mut self, at: usize) -> Step {
        let text = self.line.text;
        let braced = text[at + 1..].starts_with('{');
        let name_at = at + 1 + usize::from(braced);
        let name_len = text[name_at..]
            .bytes()
            .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.'))
            .count();
        let name = &text[name_at..name_at + name_len];
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            let help = "a dollar sign inside double quotes is written `\\$`; inside single quotes nothing is replaced";
            return Err(self
                .error(at, name_at + 1, "a variable's name starts with a letter or `_`")
                .with_help(help));
        }
        let mut end = name_at + name_len;
        let mut suffix = "";
        if braced {
            let Some(close) = text[end..].find('}') else {
                return Err(self
                    .error(at, end, "this brace is never closed")
                    .with_help("write `${NAME}`"));
            };
            suffix = &text[end..end + close];
            // What is not read as characters of the line has to be looked at here.
            if let Some((index, c)) = suffix.char_indices().find(|&(_, c)| matches!(c, '\0' | '\r')) {
                return Err(self.no_text(end + index, c));
            }
            end += close + 1;
        }
        let splits = suffix == "[*]";
        let default = suffix.strip_prefix('-');
        if !splits && default.is_none() && !suffix.is_empty() {
            let help = "write `${NAME}`, `${NAME-default}` or `${NAME[*]}`";
            let error = self.error(
                name_at + name_len,
                end - 1,
                "unexpected text behind the variable's name",
            );
            return Err(error.with_help(help));
        }
        let value = match self.env {
            None => String::new(),
            Some(env) => self.value(env, name, default, at..end)?,
        };
        while self.chars.next_if(|&(index, _)| index < end).is_some() {}
        self.insert(&value, splits, at, end)
    }

    fn value(
        &mut self,
        env: &Environment<'_>,
        name: &str,
        default: Option<&str>,
        range: std::ops::Range<usize>,
    ) -> Step<String> {
        if env.is_spent() {
            return Err(self.too_much_text(range.start, range.end));
        }
        if name.starts_with('.') {
            return match name {
                ".FILE" => Ok(self.line.file.to_owned()),
                ".LINE" => Ok(self.line.number.to_string()),
                ".SECTION" => Ok(self.line.section.to_owned()),
                _ => Err(self
                    .error(
                        range.start,
                        range.end,
                        format!("nsproxy does not know the pseudo-variable `{name}`"),
                    )
                    .with_help("`.FILE`, `.LINE` and `.SECTION` are known")),
            };
        }
        let Some(value) = env.get(name) else {
            if default.is_none() {
                self.unset = Some(name.to_owned());
            }
            return Ok(default.unwrap_or_default().to_owned());
        };
        value.into_string().map_err(|_| {
            let message = format!("the value of `{name}` is not UTF-8 text");
            self.error(range.start, range.end, message)
        })
    }

    /// Puts a variable's value into the word; `splits` makes its blanks separate words.
    fn insert(&mut self, value: &str, splits: bool, at: usize, end: usize) -> Step {
        if !self.env.is_none_or(|env| env.spend(value.len())) {
            return Err(self.too_much_text(at, end));
        }
        if !splits {
            self.change(at).extend_from_slice(value.as_bytes());
            return Ok(());
        }
        for (index, part) in value.split(is_blank).filter(|part| !part.is_empty()).enumerate() {
            if index > 0 {
                self.finish(end)?;
                self.word = Some(Partial {
                    start: at,
                    changed: Some(Vec::new()),
                });
            }
            self.change(at).extend_from_slice(part.as_bytes());
        }
        Ok(())
    }

    /// A NUL byte, or a carriage return where no line ends.
    fn no_text(&self, at: usize, c: char) -> Diagnostic {
        if c == '\0' {
            return self.error(at, at + 1, "the line holds a NUL byte");
        }
        self.error(at, at + 1, "carriage return in the middle of a line")
            .with_help("a line ends with a line feed, or a carriage return and a line feed")
    }

    fn too_much_text(&self, at: usize, end: usize) -> Diagnostic {
        self.error(
            at,
            end,
            "the variables of this configuration expand to too much text",
        )
    }

    fn error(&self, start: usize, end: usize, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(self.line.span.part(start..end), message)
    }
}

/// What C's `isspace` says of the characters that can stand in a line.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{b}' | '\u{c}')
}
