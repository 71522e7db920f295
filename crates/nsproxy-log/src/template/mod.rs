//! `log-format`: text with variables in it, parsed once and filled in for each session.
//!
//! `%name` is a variable, `%{flags}name` one with flags of its own, `%[expression]` a value that somebody else works out
//! ([`Values`]), `%%` a percent sign. The flags are
//! `+Q` (in quotes), `+X` (numbers and addresses in hexadecimal) and `+E` (`"`, `\` and `]` escaped); `%{flags}o` sets them
//! for everything behind it. Spaces in a row are one, as in HAProxy.

mod render;
mod variable;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

pub(crate) use variable::Variable;

use variable::Known;

/// A parsed `log-format`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    text: String,
    items: Vec<Item>,
    /// Where the expressions stand in the text, without their brackets.
    expressions: Vec<Range<usize>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    Text(String),
    Variable(Variable, Flags),
    /// With its index.
    Expression(usize, Flags),
}

/// The values of a template's expressions.
pub trait Values {
    /// That of the expression with this index, as text. `None`: there is none.
    fn value(&self, index: usize) -> Option<Cow<'_, [u8]>>;
}

/// None of them has a value.
impl Values for () {
    fn value(&self, _: usize) -> Option<Cow<'_, [u8]>> {
        None
    }
}

/// How a variable is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of its own in the language"
)]
struct Flags {
    quoted: bool,
    hexadecimal: bool,
    escaped: bool,
    /// A missing value is a dash. HAProxy's `+M`, which is on unless it is taken away.
    mandatory: bool,
}

/// Why a text is no `log-format`, and which part of it is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct TemplateError {
    /// The bytes at fault.
    pub at: Range<usize>,
    /// What is wrong with them.
    pub problem: Problem,
}

/// What can be wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// No variable has this name.
    #[error("no log variable is called `%{0}`")]
    UnknownVariable(String),
    /// HAProxy knows it, and it is about HTTP or TLS.
    #[error("`%{0}` is about HTTP or TLS, which nsproxy does not look into")]
    Foreign(String),
    /// A percent sign with nothing to name behind it.
    #[error("a single `%` has to be written as `%%`")]
    LonePercent,
    /// `%{` or `%[` without its end.
    #[error("`{0}` is missing")]
    Unclosed(char),
    /// Flags without a variable behind them.
    #[error("flags have no variable behind them")]
    NothingFlagged,
    /// A flag that is not one of `Q`, `X`, `E`, or has no sign.
    #[error("`{0}` is not a flag")]
    UnknownFlag(String),
}

impl TemplateError {
    /// Names that may stand in place of an unknown one, as they are written in a `log-format`, to look for a near one.
    pub fn candidates(&self) -> Vec<String> {
        match self.problem {
            Problem::UnknownVariable(_) => variable::variables().map(|name| format!("%{name}")).collect(),
            _ => Vec::new(),
        }
    }
}

impl Template {
    /// HAProxy's format for `option tcplog`.
    pub const TCPLOG: &'static str = "%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq";
}

impl Template {
    /// Whether the identifier of the session is in it (`%ID`).
    pub fn has_unique_id(&self) -> bool {
        let is_id = |item: &Item| matches!(item, Item::Variable(Variable::UniqueId, _));
        self.items.iter().any(is_id)
    }

    /// Where the expressions in `%[...]` stand in the text that was parsed, in their order. What they mean is not known here.
    pub fn expressions(&self) -> &[Range<usize>] {
        &self.expressions
    }
}

/// As it was written.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Parser {
            text,
            at: 0,
            flags: Flags {
                mandatory: true,
                ..Flags::default()
            },
            items: Vec::new(),
            expressions: Vec::new(),
        }
        .run()
    }
}

struct Parser<'t> {
    text: &'t str,
    /// Up to where it was read.
    at: usize,
    /// Those that `%{...}o` has set.
    flags: Flags,
    items: Vec<Item>,
    expressions: Vec<Range<usize>>,
}

impl Parser<'_> {
    fn run(mut self) -> Result<Template, TemplateError> {
        while let Some(c) = self.rest().chars().next() {
            if c == '%' {
                self.percent()?;
            } else {
                self.at += c.len_utf8();
                self.push(c);
            }
        }
        Ok(Template {
            text: self.text.to_owned(),
            items: self.items,
            expressions: self.expressions,
        })
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    /// Adds to the text; a space after a space is left out.
    fn push(&mut self, c: char) {
        match self.items.last_mut() {
            Some(Item::Text(text)) if c == ' ' && text.ends_with(' ') => {}
            Some(Item::Text(text)) => text.push(c),
            _ => self.items.push(Item::Text(c.to_string())),
        }
    }

    /// What begins with a percent sign.
    fn percent(&mut self) -> Result<(), TemplateError> {
        let start = self.at;
        self.at += 1;
        let mut flags = self.flags;
        let flagged = self.rest().starts_with('{');
        if flagged {
            self.at += 1;
            let inside = self.until('}', start)?;
            self.set_flags(&mut flags, inside)?;
        }
        if self.rest().starts_with('%') && !flagged {
            self.at += 1;
            self.push('%');
            return Ok(());
        }
        if self.rest().starts_with('[') {
            self.at += 1;
            let inside = self.expression(start)?;
            self.items.push(Item::Expression(self.expressions.len(), flags));
            self.expressions.push(inside);
            return Ok(());
        }
        let name_at = self.at;
        let length = self.rest().bytes().take_while(u8::is_ascii_alphanumeric).count();
        self.at += length;
        let name = &self.text[name_at..self.at];
        match variable::variable(name) {
            _ if name.is_empty() => {
                let problem = if flagged {
                    Problem::NothingFlagged
                } else {
                    Problem::LonePercent
                };
                Err(error(start..self.at, problem))
            }
            _ if name == "o" => {
                self.flags = flags;
                Ok(())
            }
            Known::Variable(variable) => {
                self.items.push(Item::Variable(variable, flags));
                Ok(())
            }
            Known::Foreign => Err(error(start..self.at, Problem::Foreign(name.to_owned()))),
            Known::No => Err(error(start..self.at, Problem::UnknownVariable(name.to_owned()))),
        }
    }

    /// What stands before `end`, which is read, too.
    fn until(&mut self, end: char, start: usize) -> Result<Range<usize>, TemplateError> {
        let from = self.at;
        let Some(length) = self.rest().find(end) else {
            return Err(error(start..self.text.len(), Problem::Unclosed(end)));
        };
        self.at = from + length + end.len_utf8();
        Ok(from..from + length)
    }

    /// What stands before the bracket that ends an expression: one between parentheses does not.
    fn expression(&mut self, start: usize) -> Result<Range<usize>, TemplateError> {
        let mut is_inside = false;
        let end = self.rest().find(|c| {
            is_inside = c == '(' || is_inside && c != ')';
            c == ']' && !is_inside
        });
        let Some(length) = end else {
            // A parenthesis that is never closed is for whoever reads the expression to see.
            return self.until(']', start);
        };
        let from = self.at;
        self.at += length + 1;
        Ok(from..from + length)
    }

    fn set_flags(&self, flags: &mut Flags, inside: Range<usize>) -> Result<(), TemplateError> {
        let mut at = inside.start;
        for word in self.text[inside].split(',') {
            let on = word.starts_with('+');
            match word {
                "+Q" | "-Q" => flags.quoted = on,
                "+X" | "-X" => flags.hexadecimal = on,
                "+E" | "-E" => flags.escaped = on,
                "+M" | "-M" => flags.mandatory = on,
                _ => return Err(error(at..at + word.len(), Problem::UnknownFlag(word.to_owned()))),
            }
            at += word.len() + 1;
        }
        Ok(())
    }
}

fn error(at: Range<usize>, problem: Problem) -> TemplateError {
    TemplateError { at, problem }
}
