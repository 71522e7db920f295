//! `NetnsPattern`: which names of a registry are meant, as a person writes it: `tenant-*`.
//!
//! Two characters stand for others: `*` for any number of bytes, none included, and `?` for exactly one. All
//! others stand for themselves, and there is no way to take the meaning from those two; a name that contains
//! one is matched by `?`. A name is bytes, and so is a pattern: upper and lower case differ.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::str::FromStr;
use std::sync::Arc;

use crate::NetnsName;

/// Matches names of a registry.
///
/// ```
/// use netns_core::{NetnsName, NetnsPattern};
///
/// let tenants: NetnsPattern = "tenant-*".parse()?;
/// let name: NetnsName = "tenant-7".parse()?;
/// assert!(tenants.matches(&name));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NetnsPattern(Arc<OsStr>);

/// Why a text is no pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// Neither `*` nor `?` is in it: it can only be one name.
    #[error("a pattern has a `*` or a `?`; without one it is a name")]
    Plain,
    /// `/` or a NUL byte at this offset: no name contains it.
    #[error("a pattern of network namespaces' names cannot contain `{}` (byte {at})", shown(*byte))]
    NotInNames {
        /// The byte.
        byte: u8,
        /// Its offset, in bytes.
        at: usize,
    },
    /// Longer than a name may be.
    #[error("a pattern has at most {max} bytes, this one has {len}", max = NetnsName::MAX_LEN)]
    TooLong {
        /// Its length, in bytes.
        len: usize,
    },
}

fn shown(byte: u8) -> String {
    byte.escape_ascii().to_string()
}

impl NetnsPattern {
    /// Whether `text` has one of the characters that make it a pattern.
    pub fn is_pattern(text: impl AsRef<OsStr>) -> bool {
        text.as_ref()
            .as_bytes()
            .iter()
            .any(|byte| matches!(byte, b'*' | b'?'))
    }

    /// Checks `text`, which need not be UTF-8, and keeps a copy of it.
    ///
    /// # Errors
    ///
    /// It is a plain name, or none can match.
    pub fn new(text: impl AsRef<OsStr>) -> Result<Self, PatternError> {
        let text = text.as_ref();
        let bytes = text.as_bytes();
        if !Self::is_pattern(text) {
            return Err(PatternError::Plain);
        }
        if let Some(at) = bytes.iter().position(|byte| matches!(byte, b'/' | 0)) {
            return Err(PatternError::NotInNames { byte: bytes[at], at });
        }
        if bytes.len() > NetnsName::MAX_LEN {
            return Err(PatternError::TooLong { len: bytes.len() });
        }
        Ok(Self(Arc::from(text)))
    }

    /// Whether there is a name that both stand for.
    pub fn overlaps(&self, other: &Self) -> bool {
        overlap(self.0.as_bytes(), other.0.as_bytes())
    }

    /// Whether it stands for this name. Takes at most as many steps as the product of both lengths.
    pub fn matches(&self, name: &NetnsName) -> bool {
        matches(self.0.as_bytes(), name.as_bytes())
    }
}

/// Goes on with the last `*` that was met whenever what is behind it does not fit: an earlier one need not be tried
/// again, since whatever it could skip, the last one can skip.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    // Behind the last `*`, and where the name goes on if that one skips no more.
    let mut star: Option<(usize, usize)> = None;
    while from < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                at += 1;
                star = Some((at, from));
            }
            Some(&byte) if byte == b'?' || byte == name[from] => {
                at += 1;
                from += 1;
            }
            _ => match &mut star {
                Some((behind, skipped)) => {
                    *skipped += 1;
                    (at, from) = (*behind, *skipped);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|&byte| byte == b'*')
}

/// By what of the second pattern is left, for each beginning of the first one.
fn overlap(one: &[u8], other: &[u8]) -> bool {
    // Whether what is left of each, from this byte of `other` on, has a name in common: first for nothing left of `one`.
    let mut behind: Vec<bool> = (0..=other.len())
        .map(|from| other[from..].iter().all(|&byte| byte == b'*'))
        .collect();
    for &byte in one.iter().rev() {
        let mut here = vec![false; other.len() + 1];
        here[other.len()] = byte == b'*' && behind[other.len()];
        for at in (0..other.len()).rev() {
            let both = byte == b'?' || other[at] == b'?' || byte == other[at];
            here[at] = if byte == b'*' || other[at] == b'*' {
                // The star stands for nothing more, or for whatever the other has here.
                behind[at] || here[at + 1]
            } else {
                both && behind[at + 1]
            };
        }
        behind = here;
    }
    behind[0]
}

impl FromStr for NetnsPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        Self::new(text)
    }
}

/// The text that was parsed; bytes that are not UTF-8 are replaced, as in [`std::path::Path::display`].
impl fmt::Display for NetnsPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.display(), f)
    }
}

impl fmt::Debug for NetnsPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NetnsPattern({self})")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fits(pattern: &str, name: &str) -> bool {
        let pattern: NetnsPattern = pattern.parse().unwrap();
        pattern.matches(&name.parse().unwrap())
    }

    #[test]
    fn a_star_stands_for_anything_and_a_question_mark_for_one_byte() {
        assert!(fits("tenant-*", "tenant-"));
        assert!(fits("tenant-*", "tenant-12"));
        assert!(!fits("tenant-*", "a-tenant-1"));
        assert!(fits("*-blue", "light-blue"));
        assert!(fits("?*", "x"));
        assert!(fits("a?c", "abc"));
        assert!(!fits("a?c", "ac"));
        assert!(fits("a*b*c", "a-b-b-c"));
        assert!(!fits("a*b*c", "a-c-b"));
    }

    #[test]
    fn what_matches_no_name_or_one_name_only_is_no_pattern() {
        assert_eq!(NetnsPattern::new("blue"), Err(PatternError::Plain));
        let slash = PatternError::NotInNames { byte: b'/', at: 1 };
        assert_eq!(NetnsPattern::new("a/*"), Err(slash));
        let long = format!("{}*", "a".repeat(NetnsName::MAX_LEN));
        assert_eq!(NetnsPattern::new(long), Err(PatternError::TooLong { len: 256 }));
    }

    #[test]
    fn patterns_overlap_when_a_name_is_in_both() {
        for (one, other, expected) in [
            ("tenant-*", "tenant-1*", true),
            ("tenant-*", "*-7", true),
            ("tenant-*", "blue-*", false),
            ("a?", "?b", true),
            ("a?", "a??", false),
            ("?*", "*", true),
            ("*a", "*b", false),
        ] {
            let [first, second]: [NetnsPattern; 2] = [one, other].map(|text| text.parse().unwrap());
            assert_eq!(first.overlaps(&second), expected, "{one} {other}");
            assert_eq!(second.overlaps(&first), expected, "{other} {one}");
        }
    }

    /// The definition, without a thought for the time that it takes.
    fn by_definition(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) => (0..=name.len()).any(|skip| by_definition(rest, &name[skip..])),
            (Some((b'?', rest)), Some((_, name))) => by_definition(rest, name),
            (Some((byte, rest)), Some((other, name))) => byte == other && by_definition(rest, name),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn it_matches_what_the_definition_says(pattern in "[ab*?]{0,8}", name in "[ab]{0,10}") {
            let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
            prop_assert_eq!(matches(pattern, name), by_definition(pattern, name));
        }

        #[test]
        fn two_that_match_one_name_overlap(one in "[ab*?]{0,6}", other in "[ab*?]{0,6}") {
            let (one, other) = (one.as_bytes(), other.as_bytes());
            // If there is a name, there is one no longer than both together.
            let mut names = (0..=one.len() + other.len()).flat_map(|length| {
                (0..1_u32 << length).map(move |bits| -> Vec<u8> {
                    (0..length).map(|at| if bits >> at & 1 == 0 { b'a' } else { b'b' }).collect()
                })
            });
            let expected = names.any(|name| matches(one, &name) && matches(other, &name));
            prop_assert_eq!(overlap(one, other), expected);
        }
    }
}
