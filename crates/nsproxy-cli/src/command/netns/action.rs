//! What is to be done: the first word behind `link`, `address` and `route`.

use super::context::Context;
use super::failure::Result;
use super::words::Words;

/// What is done to addresses and routes alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Show,
    Add,
    Delete,
}

/// In the order in which `ip` looks at an abbreviation.
pub(super) const ACTIONS: [(&str, Action); 4] = [
    ("show", Action::Show),
    ("list", Action::Show),
    ("add", Action::Add),
    ("delete", Action::Delete),
];

/// One word for each, for the completions of shells: the first one.
pub(super) fn names<T: PartialEq>(actions: &[(&'static str, T)]) -> Vec<&'static str> {
    let is_first = |index: usize| {
        let action = &actions[index].1;
        actions[..index].iter().all(|(_, before)| before != action)
    };
    (0..actions.len())
        .filter(|&index| is_first(index))
        .map(|index| actions[index].0)
        .collect()
}

/// The next word; without one, what is there is shown. Only that can be JSON.
pub(super) fn choose<T: Copy + PartialEq>(
    context: &Context,
    words: &mut Words<'_>,
    actions: &[(&str, T)],
    show: T,
) -> Result<T> {
    let action = words.choose(actions)?.unwrap_or(show);
    if action != show {
        context.options.refuse_json()?;
    }
    Ok(action)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_action_has_one_name() {
        assert_eq!(names(&ACTIONS), ["show", "add", "delete"]);
    }
}
