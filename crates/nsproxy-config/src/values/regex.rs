//! Regular expressions, as the engine compiles them.

use regex_lite::RegexBuilder;

/// The most memory of a compiled expression, in bytes, as the engine has it.
const LARGEST: usize = 64 << 10;

/// Why a text is no expression that can be used, if so. It takes more memory where letters match in both cases.
pub(crate) fn fault(text: &str, ignores_case: bool) -> Option<String> {
    // Bytes are matched, not characters: each stands for the character of its number.
    let bytes: String = text.bytes().map(char::from).collect();
    let compiled = RegexBuilder::new(&bytes)
        .case_insensitive(ignores_case)
        .size_limit(LARGEST)
        .build();
    compiled.err().map(|error| error.to_string())
}
