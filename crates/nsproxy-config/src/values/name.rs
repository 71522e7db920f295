//! Names of proxies, servers and `defaults` sections.

/// The first character that HAProxy does not permit in a name, and its offset. Permitted are ASCII letters,
/// digits, `-`, `_`, `.` and `:`.
pub(crate) fn forbidden_char(name: &str) -> Option<(usize, char)> {
    name.char_indices()
        .find(|(_, c)| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.' | ':'))
}

/// What a name may hold, for messages.
pub(crate) const RULE: &str = "a name is made of letters, digits, `-`, `_`, `.` and `:`";
