//! Host names that can be asked for. Text only: nothing is looked up here.

use std::fmt;
use std::str::FromStr;

/// The longest name, in bytes, without a final dot (RFC 1035, section 2.3.4).
const LONGEST: usize = 253;
/// The longest part between two dots.
const LONGEST_LABEL: usize = 63;

/// The name of a host, in lower case: letters, digits, `-` and `_` between dots. A final dot says that no search domain is
/// to be added.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostName {
    /// Without a final dot.
    text: Box<str>,
    is_absolute: bool,
}

/// A text that is not the name of a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a host name: at most {LONGEST} letters, digits, `-` and `_`, with dots between parts of at most \
     {LONGEST_LABEL}"
)]
pub struct NameError {
    text: String,
}

impl HostName {
    /// Checks a text.
    ///
    /// # Errors
    ///
    /// It is not the name of a host.
    pub fn new(text: &str) -> Result<Self, NameError> {
        let (name, is_absolute) = match text.strip_suffix('.') {
            Some(name) => (name, true),
            None => (text, false),
        };
        let is_label = |label: &str| {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
            (1..=LONGEST_LABEL).contains(&label.len()) && label.bytes().all(allowed)
        };
        if name.len() > LONGEST || !name.split('.').all(is_label) {
            let text = text.chars().take(LONGEST).collect();
            return Err(NameError { text });
        }
        Ok(Self {
            text: name.to_ascii_lowercase().into(),
            is_absolute,
        })
    }

    /// Without a final dot.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The names to ask for, one after the other, as resolv.conf(5) says: with at least `ndots` dots, the name itself comes
    /// first, otherwise last.
    pub(crate) fn candidates(&self, search: &[Self], ndots: usize) -> Vec<Self> {
        let itself = Self {
            is_absolute: true,
            ..self.clone()
        };
        if self.is_absolute {
            return vec![itself];
        }
        let longer = search
            .iter()
            .filter_map(|domain| Self::new(&format!("{}.{}.", self.text, domain.text)).ok());
        if self.text.bytes().filter(|b| *b == b'.').count() >= ndots {
            std::iter::once(itself).chain(longer).collect()
        } else {
            longer.chain(std::iter::once(itself)).collect()
        }
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for HostName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str, search: &[&str], ndots: usize) -> Vec<String> {
        let search: Vec<_> = search.iter().filter_map(|domain| domain.parse().ok()).collect();
        let name = HostName::new(text).unwrap_or_else(|error| panic!("{error}"));
        let names = name.candidates(&search, ndots).into_iter();
        names.map(|name| name.to_string()).collect()
    }

    #[test]
    fn names_have_short_labels_and_no_empty_ones() {
        for good in ["a", "A.example", "xn--bcher-kva.example.", "_x.y-z.1"] {
            assert!(HostName::new(good).is_ok(), "{good}");
        }
        let long_label = "a".repeat(64);
        let long = ["a"; 128].join(".");
        for bad in [
            "",
            ".",
            "a..b",
            ".a",
            "a..",
            "b\u{fc}cher",
            "a b",
            &long_label,
            &long,
        ] {
            assert!(HostName::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn search_domains_come_first_for_names_with_few_dots_and_never_for_absolute_ones() {
        assert_eq!(
            names("db", &["a.example", "b"], 1),
            ["db.a.example", "db.b", "db"]
        );
        assert_eq!(names("db.a", &["example"], 1), ["db.a", "db.a.example"]);
        assert_eq!(names("db.a", &["example"], 2), ["db.a.example", "db.a"]);
        assert_eq!(names("db.", &["example"], 1), ["db"]);
    }
}
