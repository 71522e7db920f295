//! Regular expressions, matched in time linear to the text.

use regex_lite::{Regex, RegexBuilder};

/// Expressions to search a text for.
#[derive(Debug, Clone)]
pub struct Expressions(Vec<Regex>);

/// The most memory of one compiled expression, in bytes: what is searched with it takes time in proportion.
const LARGEST: usize = 64 << 10;

/// An expression that cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct InvalidExpression(regex_lite::Error);

impl Expressions {
    /// Compiles expressions in the syntax of `regex-lite`. `ignores_case` concerns ASCII letters.
    ///
    /// # Errors
    ///
    /// One of them is none, or is larger than 64 KiB once compiled.
    pub fn new<'t>(
        ignores_case: bool,
        texts: impl IntoIterator<Item = &'t str>,
    ) -> Result<Self, InvalidExpression> {
        let compile = |text| {
            RegexBuilder::new(text)
                .case_insensitive(ignores_case)
                .size_limit(LARGEST)
                .build()
                .map_err(InvalidExpression)
        };
        texts.into_iter().map(compile).collect::<Result<_, _>>().map(Self)
    }

    /// Whether one of them is found in a value. What is not UTF-8 in it stands for characters that no expression names.
    pub fn match_text(&self, value: &[u8]) -> bool {
        let text = String::from_utf8_lossy(value);
        self.0.iter().any(|expression| expression.is_match(&text))
    }
}
