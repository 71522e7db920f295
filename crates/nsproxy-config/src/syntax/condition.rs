//! What stands behind `.if` and `.elif`: HAProxy's conditional expressions, section 2.4 of its manual.
//!
//! The words of the line are joined by blanks before they are read, as HAProxy does it, so quotes around an
//! argument are gone by then. Every part is read and checked, also where its value no longer matters.

use super::environment::Environment;
use super::words::Word;
use crate::report::Diagnostic;
use crate::source::Span;
use crate::suggest::Suggester;
use crate::values::number::shorten;
use crate::values::version::{self, Version};

/// What `feature()` says yes to: those of HAProxy's build options that nsproxy has too, and itself.
const FEATURES: &[&str] = &[
    "ACCEPT4",
    "EPOLL",
    "LINUX_SPLICE",
    "LINUX_TPROXY",
    "NS",
    "NSPROXY",
    "THREAD",
    "TPROXY",
];

/// What `enabled()` says yes to.
const ENABLED: &[&str] = &["EPOLL", "SPLICE"];

/// A function that a condition can call.
struct Predicate {
    name: &'static str,
    arguments: usize,
    /// The error is a message about the arguments.
    holds: fn(&[String], &Environment<'_>) -> Result<bool, String>,
}

static PREDICATES: &[Predicate] = &[
    Predicate {
        name: "defined",
        arguments: 1,
        holds: |args, env| Ok(env.is_set(&args[0])),
    },
    Predicate {
        name: "feature",
        arguments: 1,
        holds: |args, _| Ok(FEATURES.contains(&&*args[0])),
    },
    Predicate {
        name: "enabled",
        arguments: 1,
        holds: |args, _| Ok(ENABLED.contains(&&*args[0])),
    },
    Predicate {
        name: "streq",
        arguments: 2,
        holds: |args, _| Ok(args[0] == args[1]),
    },
    Predicate {
        name: "strneq",
        arguments: 2,
        holds: |args, _| Ok(args[0] != args[1]),
    },
    Predicate {
        name: "strstr",
        arguments: 2,
        holds: |args, _| Ok(args[0].contains(&*args[1])),
    },
    Predicate {
        name: "version_atleast",
        arguments: 1,
        holds: |args, _| Ok(Version::of_language() >= parse_version(&args[0])?),
    },
    Predicate {
        name: "version_before",
        arguments: 1,
        holds: |args, _| Ok(Version::of_language() < parse_version(&args[0])?),
    },
];

/// Those about a TLS library, of which there is none.
static ABOUT_TLS: &[&str] = &[
    "awslc_api_atleast",
    "awslc_api_before",
    "openssl_version_atleast",
    "openssl_version_before",
    "ssllib_name_startswith",
];
static NEVER: Predicate = Predicate {
    name: "a predicate about TLS",
    arguments: 1,
    holds: |_, _| Ok(false),
};

fn parse_version(text: &str) -> Result<Version, String> {
    Version::parse(text).ok_or_else(|| {
        format!(
            "`{}` is not a version such as `{}` or `3.5-dev1`",
            shorten(text),
            version::LANGUAGE
        )
    })
}

/// The value of the condition that these words are. No words: false, as in HAProxy.
pub(super) fn evaluate(
    words: &[Word<'_>],
    env: &Environment<'_>,
    suggester: &Suggester,
) -> Result<bool, Diagnostic> {
    let mut text = String::new();
    let mut starts = Vec::with_capacity(words.len());
    for word in words {
        if !starts.is_empty() {
            text.push(' ');
        }
        starts.push(text.len());
        text.push_str(&word.text);
    }
    let mut reader = Reader {
        words,
        starts,
        text: &text,
        at: 0,
        env,
        suggester,
    };
    reader.skip_blanks();
    if reader.rest().is_empty() {
        return Ok(false);
    }
    reader.expression()
}

struct Reader<'r> {
    words: &'r [Word<'r>],
    /// Where each word begins in `text`.
    starts: Vec<usize>,
    text: &'r str,
    at: usize,
    env: &'r Environment<'r>,
    suggester: &'r Suggester,
}

/// An expression whose end has not been seen: of those around it, what they are so far.
struct Level {
    /// Whether `!` stands before it.
    negated: bool,
    /// Where its parenthesis is.
    opened: usize,
    /// Some alternative of `||` before the current one holds.
    any: bool,
    /// All terms of `&&` in the current alternative hold so far.
    all: bool,
}

impl Level {
    fn new(negated: bool, opened: usize) -> Self {
        Self {
            negated,
            opened,
            any: false,
            all: true,
        }
    }
}

impl Reader<'_> {
    /// Terms joined by `&&`, which binds closer, and `||`. Parentheses are kept on a stack of its own, since
    /// a hostile text can nest them a million deep.
    fn expression(&mut self) -> Result<bool, Diagnostic> {
        let mut outer: Vec<Level> = Vec::new();
        let mut level = Level::new(false, 0);
        loop {
            let negated = self.negations();
            if self.rest().starts_with('(') {
                outer.push(level);
                level = Level::new(negated, self.at);
                self.at += 1;
                continue;
            }
            level.all &= self.value()? != negated;
            loop {
                self.skip_blanks();
                let rest = self.rest();
                if rest.starts_with("&&") {
                    self.at += 2;
                    break;
                }
                if rest.starts_with("||") {
                    self.at += 2;
                    level.any |= level.all;
                    level.all = true;
                    break;
                }
                let value = level.any || level.all;
                match outer.pop() {
                    Some(mut around) if rest.starts_with(')') => {
                        self.at += 1;
                        around.all &= value != level.negated;
                        level = around;
                    }
                    Some(_) => {
                        let error = self.error(self.at, "a closing parenthesis is missing");
                        return Err(error.with_related(self.span(level.opened), "opened here"));
                    }
                    None if rest.is_empty() => return Ok(value),
                    None => {
                        let error = self.error(self.at, "unexpected text behind the condition");
                        return Err(error.with_help("conditions are joined by `&&` and `||`"));
                    }
                }
            }
        }
    }

    /// How often `!` stands here decides.
    fn negations(&mut self) -> bool {
        let mut negated = false;
        loop {
            self.skip_blanks();
            if !self.rest().starts_with('!') {
                return negated;
            }
            self.at += 1;
            negated = !negated;
        }
    }

    /// A number, which holds unless it is 0, or a predicate.
    fn value(&mut self) -> Result<bool, Diagnostic> {
        let begin = self.at;
        let sign = usize::from(self.rest().starts_with(['+', '-']));
        let digits = self.rest()[sign..].bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            let number = &self.rest()[sign..sign + digits];
            let holds = number.bytes().any(|digit| digit != b'0');
            self.at += sign + digits;
            return Ok(holds);
        }
        let len = self
            .rest()
            .bytes()
            .take_while(|b| b.is_ascii_alphanumeric() || *b == b'_')
            .count();
        let name = &self.rest()[..len];
        let about_tls = ABOUT_TLS.contains(&name).then_some(&NEVER);
        let known = PREDICATES.iter().find(|predicate| predicate.name == name);
        let Some(predicate) = known.or(about_tls) else {
            return Err(self.not_a_condition(name));
        };
        self.at += len;
        let arguments = self.arguments(predicate)?;
        (predicate.holds)(&arguments, self.env).map_err(|message| self.error(begin, message))
    }

    fn not_a_condition(&self, name: &str) -> Diagnostic {
        if self.rest().is_empty() {
            let error = Diagnostic::error(self.span(self.at), "a condition is missing here");
            return error.with_help("write a predicate such as `defined(NAME)`, or 0 or 1");
        }
        let error = if name.is_empty() {
            self.error(self.at, "this is not a condition")
        } else {
            self.error(self.at, format!("unknown predicate `{}`", shorten(name)))
        };
        let known = || PREDICATES.iter().map(|predicate| predicate.name);
        error.with_help(match self.suggester.nearest(name, known()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "write 0, 1, or a predicate: `{}`",
                known().collect::<Vec<_>>().join("`, `")
            ),
        })
    }

    /// `(ARGUMENT,...)`. Quotes that are still there keep commas and parentheses together.
    fn arguments(&mut self, predicate: &Predicate) -> Result<Vec<String>, Diagnostic> {
        let begin = self.at;
        let mut arguments = vec![String::new()];
        let mut quote = None;
        let mut chars = self.rest().char_indices();
        let end = loop {
            let Some((offset, c)) = chars.next() else {
                let message = if begin == self.text.len() {
                    format!("`{}` needs its arguments in parentheses", predicate.name)
                } else {
                    "a closing parenthesis is missing".to_owned()
                };
                return Err(self.error(self.text.len(), message));
            };
            let argument = arguments.last_mut();
            match (c, quote) {
                ('(', None) if offset == 0 => {}
                _ if offset == 0 => {
                    let message = format!("`{}` needs its arguments in parentheses", predicate.name);
                    return Err(self.error(begin, message));
                }
                ('"' | '\'', None) => quote = Some(c),
                (c, Some(mark)) if c == mark => quote = None,
                (',', None) => arguments.push(String::new()),
                (')', None) => break offset + 1,
                (c, _) => argument.into_iter().for_each(|argument| argument.push(c)),
            }
            if arguments.len() > predicate.arguments {
                let many = format!("`{}` takes {}", predicate.name, counted(predicate.arguments));
                return Err(self.error(begin + offset, many));
            }
        };
        if arguments.len() < predicate.arguments {
            let few = format!("`{}` needs {}", predicate.name, counted(predicate.arguments));
            return Err(self.error(begin + end - 1, few));
        }
        self.at += end;
        Ok(arguments)
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn skip_blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn error(&self, at: usize, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(self.span(at), message)
    }

    /// The word around an offset of the joined text, from there on.
    fn span(&self, at: usize) -> Span {
        let index = self
            .starts
            .partition_point(|&start| start <= at)
            .saturating_sub(1);
        let word = &self.words[index];
        let offset = at - self.starts[index];
        if offset < word.text.len() {
            word.part(offset..word.text.len())
        } else {
            word.span.after()
        }
    }
}

fn counted(arguments: usize) -> String {
    match arguments {
        1 => "one argument".to_owned(),
        count => format!("{count} arguments"),
    }
}
