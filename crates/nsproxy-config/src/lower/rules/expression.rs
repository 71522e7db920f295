//! A fetch with its arguments, and the converters behind it: `req.ssl_sni,lower`.

use std::ops::Range;

use super::fetches::{self, FETCHES, Make, Row};
use super::{Asked, DraftRules, Needed};
use crate::keywords;
use crate::lower::sink::{Sink, shown};
use crate::model::{Converter, Expression, Fetch, ServerRef};
use crate::report::Diagnostic;
use crate::syntax::Word;
use crate::values::number::shorten;

/// Of which kind a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Bool,
    Number,
    /// Two numbers with a dot.
    Version,
    Address,
    Text,
    Binary,
}

impl Kind {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Bool => "boolean",
            Self::Number => "number",
            Self::Version => "version",
            Self::Address => "address",
            Self::Text => "text",
            Self::Binary => "bytes",
        }
    }
}

/// An expression that was read.
pub(crate) struct Read {
    pub(crate) expression: Expression,
    pub(crate) kind: Kind,
    pub(in crate::lower) needs: Needed,
}

/// The converters, for messages.
const CONVERTERS: &[&str] = &["hex", "ipmask", "length", "lower", "upper"];

/// Takes an expression. `own` is the name of the section, if it has servers.
pub(crate) fn expression(
    word: &Word<'_>,
    rules: &mut DraftRules,
    own: Option<&str>,
    sink: &mut Sink<'_>,
) -> Option<Read> {
    let mut parts = Parts {
        text: &word.text,
        next: 0,
    };
    let first = parts.take(word, sink)?;
    let row = fetches::find(first.name).or_else(|| {
        unknown(word, &first, sink);
        None
    })?;
    let fetch = fetch(word, row, &first, own, sink)?;
    if let Some(backend) = fetch.backend() {
        let server = fetch.server().map(str::to_owned);
        rules.asked.push(Asked {
            backend: backend.to_owned(),
            server,
            span: word.part(first.at.clone()),
        });
    }
    let mut kind = row.kind;
    let mut converters = Vec::new();
    while parts.has_more() {
        let part = parts.take(word, sink)?;
        let (converter, into) = converter(word, &part, kind, sink)?;
        converters.push(converter);
        kind = into;
    }
    Some(Read {
        expression: Expression { fetch, converters },
        kind,
        needs: Needed::by(row.name(), row.needs),
    })
}

fn fetch(
    word: &Word<'_>,
    row: &Row,
    part: &Part<'_>,
    own: Option<&str>,
    sink: &mut Sink<'_>,
) -> Option<Fetch> {
    let name = row.name();
    let needs = |what: &str| Diagnostic::error(word.part(part.at.clone()), format!("`{name}` needs {what}"));
    let made = match (&row.make, &part.args[..]) {
        (Make::Plain(make), []) => return Some(make()),
        (Make::Plain(_), _) => {
            let error = format!("`{name}` has no argument");
            Err(Diagnostic::error(word.part(part.at.clone()), error))
        }
        (Make::With(make), args) => make(args).map_err(needs),
        (Make::Backend(make), [backend]) if !backend.is_empty() => Ok(make((*backend).to_owned())),
        (Make::Backend(make), []) if own.is_some() => Ok(make(own.unwrap_or_default().to_owned())),
        (Make::Backend(_), _) => Err(needs("the name of a backend")),
        (Make::Server(make), [place]) => match place.split_once('/') {
            Some((backend, server)) if !backend.is_empty() && !server.is_empty() => Ok((backend, server)),
            None if !place.is_empty() && own.is_some() => Ok((own.unwrap_or_default(), *place)),
            _ => Err(needs("a backend and a server")),
        }
        .map(|(backend, server)| {
            make(ServerRef {
                backend: backend.to_owned(),
                server: server.to_owned(),
            })
        }),
        (Make::Server(_), _) => Err(needs("a backend and a server")),
    };
    match made {
        Ok(fetch) => Some(fetch),
        Err(error) => {
            sink.push(error.with_help(format!("write `{}`", row.doc.syntax)));
            None
        }
    }
}

fn converter(word: &Word<'_>, part: &Part<'_>, kind: Kind, sink: &mut Sink<'_>) -> Option<(Converter, Kind)> {
    let span = word.part(part.at.clone());
    let found = match (part.name, &part.args[..]) {
        ("lower", []) => (Converter::Lower, Kind::Text),
        ("upper", []) => (Converter::Upper, Kind::Text),
        ("length", []) => (Converter::Length, Kind::Number),
        ("hex", []) => (Converter::Hex, Kind::Text),
        ("ipmask", args) => {
            if kind != Kind::Address {
                let message = format!(
                    "`ipmask` is for addresses, and this is a value of the kind {}",
                    kind.word()
                );
                sink.error(span, message);
                return None;
            }
            let bits = |text: &&str, most: u8| text.parse().ok().filter(|bits: &u8| *bits <= most);
            let mask = match args {
                [v4] => bits(v4, 32).map(|v4| Converter::IpMask { v4, v6: None }),
                [v4, v6] => bits(v4, 32)
                    .zip(bits(v6, 128))
                    .map(|(v4, v6)| Converter::IpMask { v4, v6: Some(v6) }),
                _ => None,
            };
            let Some(mask) = mask else {
                let error = Diagnostic::error(span, "`ipmask` needs the number of bits that stay");
                sink.push(error.with_help("write `ipmask(24)`, or `ipmask(24,64)` for both families"));
                return None;
            };
            (mask, Kind::Address)
        }
        (name, _) if CONVERTERS.contains(&name) => {
            sink.error(span, format!("`{name}` has no argument"));
            return None;
        }
        (name, _) => {
            let supported = format!("nsproxy supports {}", crate::lower::sink::list(CONVERTERS));
            if let Some(known) = keywords::CONVERTERS.find(name) {
                sink.refuse(span, &format!("the converter `{name}`"), known.why);
            } else {
                let near = sink.nearest(
                    name,
                    CONVERTERS.iter().copied().chain(keywords::CONVERTERS.words()),
                );
                let help = near.map_or(supported, |near| format!("did you mean `{near}`?"));
                let error = Diagnostic::error(span, format!("unknown converter `{}`", shorten(name)));
                sink.push(error.with_help(help));
            }
            return None;
        }
    };
    Some(found)
}

/// A name that is none of the fetches.
fn unknown(word: &Word<'_>, part: &Part<'_>, sink: &mut Sink<'_>) {
    let span = word.part(part.at.clone());
    if let Some(why) = keywords::fetch(part.name) {
        sink.refuse(span, &format!("`{}` in a condition", part.name), why);
        return;
    }
    let names = FETCHES.iter().map(Row::name);
    let near = sink.nearest(part.name, names.chain(keywords::FETCHES.words()));
    let error = Diagnostic::error(
        span,
        format!("there is no `{}` to ask of a connection", shorten(part.name)),
    );
    sink.push(match near {
        Some(near) => error.with_help(format!("did you mean `{near}`?")),
        None => error.with_help("such as `src`, `dst_port` or `req.ssl_sni`"),
    });
}

/// A name with its arguments, and where it is in the word.
struct Part<'w> {
    name: &'w str,
    args: Vec<&'w str>,
    at: Range<usize>,
}

/// Names with arguments, with commas between them.
struct Parts<'w> {
    text: &'w str,
    next: usize,
}

impl<'w> Parts<'w> {
    fn has_more(&self) -> bool {
        self.next < self.text.len()
    }

    fn take(&mut self, word: &Word<'_>, sink: &mut Sink<'_>) -> Option<Part<'w>> {
        let start = self.next;
        let rest = &self.text[start..];
        let name_len = rest.find(['(', ',']).unwrap_or(rest.len());
        let name = &rest[..name_len];
        let mut end = name_len;
        let mut args = Vec::new();
        if rest[name_len..].starts_with('(') {
            // One before the name's own parenthesis closes nothing.
            let Some(args_len) = rest[name_len..].find(')') else {
                let span = word.part(start + name_len..start + name_len + 1);
                sink.push(
                    Diagnostic::error(span, "this parenthesis is never closed").with_label("opened here"),
                );
                return None;
            };
            let close = name_len + args_len;
            let inner = &rest[name_len + 1..close];
            if !inner.is_empty() {
                args = inner.split(',').map(str::trim).collect();
            }
            end = close + 1;
        }
        let behind = &rest[end..];
        if !behind.is_empty() && !behind.starts_with(',') {
            let span = word.part(start + end..self.text.len());
            sink.error(
                span,
                format!("unexpected `{}` in `{}`", shorten(behind), shown(word)),
            );
            return None;
        }
        self.next = start + end + usize::from(!behind.is_empty());
        if name.is_empty() || behind == "," {
            sink.error(
                word.span,
                format!("`{}` ends where a name should follow", shown(word)),
            );
            return None;
        }
        Some(Part {
            name,
            args,
            at: start..start + end,
        })
    }
}
