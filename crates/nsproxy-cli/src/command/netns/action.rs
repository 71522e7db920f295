//! What is done to addresses and routes alike.

use super::context::Context;
use super::failure::Result;
use super::words::Words;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Show,
    Add,
    Delete,
}

/// In the order in which `ip` looks at an abbreviation.
const ACTIONS: [(&str, Action); 4] = [
    ("show", Action::Show),
    ("list", Action::Show),
    ("add", Action::Add),
    ("delete", Action::Delete),
];

/// The full words, for the completions of shells.
pub(super) const NAMES: [&str; 3] = ["add", "delete", "show"];

/// The next word; without one, what is there is shown. Only that can be JSON.
pub(super) fn choose(context: &Context, words: &mut Words<'_>) -> Result<Action> {
    let action = words.choose(&ACTIONS)?.unwrap_or(Action::Show);
    if action != Action::Show {
        context.options.refuse_json()?;
    }
    Ok(action)
}
