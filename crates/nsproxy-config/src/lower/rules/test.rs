//! What an `acl` line or `{ ... }` says: an expression, flags and patterns.

use std::path::PathBuf;

use super::expression::{Kind, Read, expression};
use super::patterns::Reader;
use super::{DraftRules, Needed};
use crate::keywords::Table;
use crate::lower::sink::{Choice, Sink, shown};
use crate::model::{Method, PatternFile, Patterns, Test};
use crate::report::Diagnostic;
use crate::source::Span;
use crate::syntax::Word;

/// The methods of `-m`, and the words for them.
const METHODS: &[(&str, Method)] = &[
    ("found", Method::Found),
    ("bool", Method::Bool),
    ("int", Method::Int),
    ("ip", Method::Ip),
    ("bin", Method::Bin),
    ("len", Method::Len),
    ("str", Method::Str),
    ("beg", Method::Beg),
    ("end", Method::End),
    ("sub", Method::Sub),
    ("dir", Method::Dir),
    ("dom", Method::Dom),
    ("reg", Method::Reg),
];

/// Methods that only HAProxy has.
static OTHER_METHODS: Table = Table(&[crate::keywords::Group {
    why: crate::keywords::Why::Never("nsproxy has no maps; write `-m reg`"),
    words: &[("regm", 0)],
}]);

/// Takes a test from these words, of which there is at least one, and what it needs.
pub(in crate::lower) fn test(
    words: &[Word<'_>],
    rules: &mut DraftRules,
    own: Option<&str>,
    sink: &mut Sink<'_>,
) -> Option<(Test, Needed)> {
    let [first, rest @ ..] = words else { return None };
    let Read {
        expression,
        kind,
        needs,
    } = expression(first, rules, own, sink)?;
    let flags = flags(rest, sink)?;
    let method = match flags.method {
        Some((method, span)) => {
            check_method(method, span, kind, sink)?;
            method
        }
        None => {
            match kind {
                Kind::Bool => Method::Bool,
                Kind::Number => Method::Int,
                Kind::Version => Method::Version,
                Kind::Address => Method::Ip,
                Kind::Text => Method::Str,
                Kind::Binary => {
                    let error = Diagnostic::error(first.span, format!("`{}` needs `-m`", shown(first)));
                    sink.push(error.with_help("it has bytes: write `-m bin` and hexadecimal digits, or `-m str`, `-m beg`, `-m len`"));
                    return None;
                }
            }
        }
    };
    let mut files = Vec::new();
    for file in flags.files {
        files.push(pattern_file(file, method, sink)?);
    }
    let patterns = patterns(flags.patterns, method, sink)?;
    let is_empty = flags.patterns.is_empty() && files.is_empty();
    if is_empty && patterns != Patterns::None && !flags.has_end {
        let warning = Diagnostic::warning(first.span.after(), "there is no pattern, so this never matches");
        sink.push(
            warning.with_help("write what to compare with; `-m found` asks whether there is a value at all"),
        );
    }
    let test = Test {
        expression,
        method,
        ignores_case: flags.ignores_case,
        files,
        patterns,
    };
    Some((test, needs))
}

/// What the words behind an expression say before the patterns begin.
struct Flags<'w, 's> {
    ignores_case: bool,
    method: Option<(Method, Span)>,
    files: Vec<&'w Word<'s>>,
    /// `--` was written.
    has_end: bool,
    patterns: &'w [Word<'s>],
}

fn flags<'w, 's>(words: &'w [Word<'s>], sink: &mut Sink<'_>) -> Option<Flags<'w, 's>> {
    let mut flags = Flags {
        ignores_case: false,
        method: None,
        files: Vec::new(),
        has_end: false,
        patterns: words,
    };
    while let [flag, rest @ ..] = flags.patterns
        && flag.text.starts_with('-')
    {
        flags.patterns = rest;
        match &*flag.text {
            "-i" => flags.ignores_case = true,
            // Names are never looked up.
            "-n" => {}
            "-m" => {
                let name = argument(flag, "a method", &mut flags.patterns, sink)?;
                if let Some(first) = flags.files.first() {
                    let error = Diagnostic::error(flag.span, "`-m` has to stand before `-f`");
                    sink.push(error.with_related(first.span, "the file"));
                    return None;
                }
                flags.method = Some((method(name, sink)?, name.span));
            }
            "-f" => flags
                .files
                .push(argument(flag, "a file", &mut flags.patterns, sink)?),
            "--" => {
                flags.has_end = true;
                break;
            }
            "-M" | "-u" => {
                sink.refuse(
                    flag.span,
                    &format!("the flag `{}`", flag.text),
                    crate::keywords::Why::NotYet,
                );
                return None;
            }
            _ => {
                let error = Diagnostic::error(flag.span, format!("there is no flag `{}`", shown(flag)));
                sink.push(error.with_help("the flags are `-i`, `-f`, `-m` and `-n`; write `--` before a pattern that begins with `-`"));
                return None;
            }
        }
    }
    Some(flags)
}

fn argument<'w, 's>(
    flag: &Word<'_>,
    what: &str,
    words: &mut &'w [Word<'s>],
    sink: &mut Sink<'_>,
) -> Option<&'w Word<'s>> {
    let Some((first, rest)) = words.split_first() else {
        sink.error(flag.span.after(), format!("`{}` needs {what}", flag.text));
        return None;
    };
    *words = rest;
    Some(first)
}

fn method(word: &Word<'_>, sink: &mut Sink<'_>) -> Option<Method> {
    let found = METHODS.iter().find(|(name, _)| *name == word.text);
    if found.is_none() {
        let names: Vec<&str> = METHODS.iter().map(|(name, _)| *name).collect();
        let choice = Choice {
            what: "method",
            section: None,
            supported: &names,
            known: &OTHER_METHODS,
        };
        sink.not_supported(word, &format!("`-m {}`", shown(word)), &choice);
    }
    found.map(|(_, method)| *method)
}

/// Whether values of this kind can be compared in this way.
fn check_method(method: Method, span: Span, kind: Kind, sink: &mut Sink<'_>) -> Option<()> {
    let suits = match method {
        Method::Bool | Method::Int => matches!(kind, Kind::Bool | Kind::Number | Kind::Version),
        Method::Ip => kind == Kind::Address,
        Method::Bin => matches!(kind, Kind::Text | Kind::Binary),
        _ => true,
    };
    if !suits {
        let message = format!("this method is not for a value of the kind {}", kind.word());
        sink.error(span, message);
    }
    suits.then_some(())
}

fn patterns(words: &[Word<'_>], method: Method, sink: &mut Sink<'_>) -> Option<Patterns> {
    let mut reader = Reader::new(method);
    for word in words {
        // HAProxy ignores what stands behind a boolean.
        if let Err(fault) = reader.take(&word.text, true) {
            let message = if matches!(method, Method::Found | Method::Bool) {
                "this value is compared with nothing, so no pattern can follow".to_owned()
            } else {
                fault
            };
            sink.error(word.span, message);
            return None;
        }
    }
    Some(reader.finish())
}

fn pattern_file(word: &Word<'_>, method: Method, sink: &mut Sink<'_>) -> Option<PatternFile> {
    let path = PathBuf::from(&*word.text);
    let text = match sink.read(&path) {
        Ok(text) => text,
        Err(error) => {
            sink.error(word.span, format!("cannot read `{}`: {error}", shown(word)));
            return None;
        }
    };
    let mut reader = Reader::new(method);
    for (line, number) in text.lines().zip(1..) {
        let pattern = line.trim_start_matches([' ', '\t']).trim_end_matches('\r');
        if pattern.is_empty() || pattern.starts_with('#') {
            continue;
        }
        if let Err(fault) = reader.take(pattern, false) {
            let message = format!("line {number} of `{}`: {fault}", shown(word));
            sink.error(word.span, message);
            return None;
        }
    }
    Some(PatternFile {
        path,
        patterns: reader.finish(),
    })
}
