//! Numbers of things, as a person says them. What runs and what a command says about it have the same words.

/// `no session`, `1 session`, `2 sessions`.
pub(crate) fn counted(count: u64, thing: &str) -> String {
    match count {
        0 => format!("no {thing}"),
        1 => format!("1 {thing}"),
        _ => format!("{count} {thing}s"),
    }
}
