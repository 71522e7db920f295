//! A line of the admin socket, as the program takes it apart.

#[path = "../../crates/nsproxy-cli/src/admin/line.rs"]
mod line;

/// Any line: no panic, never more words than count, and what is written with escapes is read as it was.
pub fn line(bytes: &[u8]) {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(line::LONGEST)]);
    let commands = line::commands(&text);
    assert!(!commands.is_empty(), "a line has a command, if an empty one");
    let written: Vec<_> = commands
        .iter()
        .map(|words| {
            words
                .iter()
                .map(|word| escaped(word))
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    // One that is empty at the end would be lost without its end.
    let written = format!("{};", written.join(";"));
    let again = line::commands(&written);
    assert_eq!(again, commands, "{written:?}");
}

/// A word that is read as it is.
fn escaped(word: &str) -> String {
    word.chars()
        .flat_map(|character| {
            let special = matches!(character, ';' | '\\') || character.is_ascii_whitespace();
            special.then_some('\\').into_iter().chain([character])
        })
        .collect()
}
