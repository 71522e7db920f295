//! A line of the admin socket, taken apart as HAProxy does: commands with `;` between them, of words with blanks between
//! them. A backslash takes the meaning of the character behind it away.
//!
//! Nothing here knows what a command is.

/// The longest line, in bytes, without its end: as long as HAProxy's buffers are by default.
pub(super) const LONGEST: usize = 16 * 1024;
/// The most words of a command that count, as in HAProxy. What is behind them is left out.
const WORDS: usize = 64;

/// The commands of a line, each in words. One that is empty has none.
pub(super) fn commands(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            ';' => {
                end(&mut word, &mut commands);
                commands.push(Vec::new());
            }
            '\\' => match characters.next() {
                Some(escaped) => word.get_or_insert_default().push(escaped),
                // At the end it escapes nothing.
                None => word.get_or_insert_default().push('\\'),
            },
            _ if character.is_ascii_whitespace() => end(&mut word, &mut commands),
            _ => word.get_or_insert_default().push(character),
        }
    }
    end(&mut word, &mut commands);
    // `show info;` is one command.
    if commands.len() > 1 && commands.last().is_some_and(Vec::is_empty) {
        commands.pop();
    }
    commands
}

/// A word ends, if there is one.
fn end(word: &mut Option<String>, commands: &mut [Vec<String>]) {
    if let (Some(word), Some(command)) = (word.take(), commands.last_mut())
        && command.len() < WORDS
    {
        command.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn parts(line: &str, expected: &[&[&str]]) {
        assert_eq!(commands(line), expected, "{line:?}");
    }

    #[test]
    fn a_line_is_commands_of_words() {
        parts("show info", &[&["show", "info"]]);
        parts("  show\tinfo ;; quit;", &[&["show", "info"], &[], &["quit"]]);
        parts("", &[&[]]);
        parts(";", &[&[]]);
    }

    #[test]
    fn a_backslash_takes_a_meaning_away() {
        parts(r"a\;b c\ d \\ \", &[&["a;b", "c d", r"\", r"\"]]);
    }

    #[test]
    fn words_beyond_the_last_that_counts_are_left_out() {
        let line = "w ".repeat(100);
        assert_eq!(commands(&line)[0].len(), WORDS);
    }
}
