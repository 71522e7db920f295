//! Versions of HAProxy, as `version_atleast()` compares them.

/// The release of HAProxy whose language this is: what a configuration that asks for the version is told.
pub(crate) const LANGUAGE: &str = "3.4.0";

/// The first two numbers of [`LANGUAGE`]: HAProxy's `HAPROXY_BRANCH`.
pub(crate) const BRANCH: &str = "3.4";

/// A version that can be compared. What the text does not give is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    numbers: [u32; 3],
    stage: Stage,
}

/// What stands behind the numbers, in the order in which it appears.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// `-dev4`.
    Development(u32),
    /// `-rc1`, also `-pre1`.
    Candidate(u32),
    /// Nothing, or a number of commits since the release: `-12`.
    Release(u32),
}

impl Version {
    /// The version of the language.
    pub(crate) fn of_language() -> Self {
        Self {
            numbers: [3, 4, 0],
            stage: Stage::Release(0),
        }
    }

    /// `3`, `3.4`, `3.4.1`, `3.5-dev2`, `3.5-rc1`, `3.4.1-12`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (numbers, suffix) = match text.split_once('-') {
            None => (text, None),
            Some((numbers, suffix)) => (numbers, Some(suffix)),
        };
        let mut version = Self {
            numbers: [0; 3],
            stage: suffix.map_or(Some(Stage::Release(0)), Stage::parse)?,
        };
        let mut parts = numbers.split('.');
        for slot in &mut version.numbers {
            let Some(part) = parts.next() else { break };
            *slot = number(part)?;
        }
        parts.next().is_none().then_some(version)
    }
}

impl Stage {
    fn parse(text: &str) -> Option<Self> {
        let digits = text.find(|c: char| c.is_ascii_digit())?;
        let count = number(&text[digits..])?;
        Some(match &text[..digits] {
            "dev" => Self::Development(count),
            "rc" | "pre" => Self::Candidate(count),
            "" => Self::Release(count),
            _ => return None,
        })
    }
}

fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_they_appear() {
        let order = [
            "2",
            "2.6.12",
            "2.6.12-3",
            "3.4-dev1",
            "3.4-dev11",
            "3.4-rc1",
            "3.4",
            "3.4.0-1",
            "3.10",
        ];
        let versions: Vec<_> = order
            .iter()
            .map(|text| Version::parse(text).expect(text))
            .collect();
        assert!(versions.is_sorted(), "{versions:?}");
        assert_eq!(Version::parse("3.4"), Version::parse("3.4.0"));
    }

    #[test]
    fn the_version_of_the_language_is_that_of_its_text() {
        assert_eq!(Version::parse(LANGUAGE), Some(Version::of_language()));
        assert!(
            LANGUAGE
                .strip_prefix(BRANCH)
                .is_some_and(|rest| rest.starts_with('.'))
        );
    }

    #[test]
    fn what_is_not_a_version_is_refused() {
        for text in [
            "",
            "x",
            "3.",
            "3.x",
            "3.4.5.6",
            "3-",
            "3-x",
            "3-dev",
            "v3",
            "-dev1",
            "99999999999",
        ] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }
}
