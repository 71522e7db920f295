//! Values as the admin socket writes them: plain, as CSV, as typed lines and as JSON, each as HAProxy does.

use std::fmt::{self, Display};
use std::io::{self, Write};

use serde_json::{Map, Value as Json, json};

/// How values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Format {
    /// For people, and `show stat`'s as CSV.
    #[default]
    Plain,
    /// A line for each value, with what it is.
    Typed,
    /// The same, for programs.
    Json,
}

impl Format {
    /// The one that a word asks for; `None` if it asks for none.
    pub(super) fn of(word: &str) -> Option<Self> {
        match word {
            "typed" => Some(Self::Typed),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Number(u64),
    Signed(i64),
    Text(String),
}

impl Value {
    pub(super) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    /// As JSON has it: with its place among others and its name, HAProxy's three letters (see [`tags`]), and its type.
    pub(super) fn json(&self, (place, name): (u64, &str), letters: &str, kind: &str) -> Map<String, Json> {
        let value = match self {
            Self::Number(number) => json!(number),
            Self::Signed(number) => json!(number),
            Self::Text(text) => json!(text),
        };
        [
            ("field", json!({ "pos": place, "name": name })),
            ("processNum", json!(1)),
            ("tags", tags(letters)),
            ("value", json!({ "type": kind, "value": value })),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into_iter()
        .collect()
    }

    /// As CSV has it: quoted where it must be.
    pub(super) fn write_csv(&self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Text(text) if text.contains([',', '"', '\n', '\r']) => {
                write!(out, "\"{}\"", text.replace('"', "\"\""))
            }
            value => write!(out, "{value}"),
        }
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Signed(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// Where a value comes from, of which nature it is, and what it is about, from HAProxy's three letters for that.
fn tags(letters: &str) -> Json {
    let mut letters = letters.chars();
    let mut next = || letters.next().unwrap_or_default();
    let origin = match next() {
        'M' => "Metric",
        'S' => "Status",
        'K' => "Key",
        'C' => "Config",
        _ => "Product",
    };
    let nature = match next() {
        'A' => "Age",
        'a' => "Avg",
        'C' => "Counter",
        'D' => "Duration",
        'G' => "Gauge",
        'L' => "Limit",
        'M' => "Max",
        'N' => "Name",
        'R' => "Rate",
        _ => "Output",
    };
    let scope = match next() {
        'P' => "Process",
        _ => "Service",
    };
    json!({ "origin": origin, "nature": nature, "scope": scope })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_quoted_where_csv_needs_it() {
        let csv = |text: &str| {
            let mut out = Vec::new();
            Value::Text(text.to_owned()).write_csv(&mut out).map(|()| out)
        };
        assert_eq!(csv("plain").ok(), Some(b"plain".to_vec()));
        assert_eq!(csv("a,\"b\"").ok(), Some(b"\"a,\"\"b\"\"\"".to_vec()));
    }
}
