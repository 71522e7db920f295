//! "Did you mean": the nearest of some known words.
//!
//! Comparing is bounded for a whole configuration, so that a hostile text with a hundred thousand unknown
//! words costs no more than its length: after the budget is spent, messages come without a suggestion.

use std::cell::Cell;

/// How many pairs of words may be compared for one configuration.
const BUDGET: u32 = 500_000;

/// Words longer than this are not slips of the pen for any keyword or sensible name.
const MAX_LEN: usize = 64;

/// Finds near misses until its budget is spent.
#[derive(Debug)]
pub(crate) struct Suggester {
    budget: Cell<u32>,
}

impl Default for Suggester {
    fn default() -> Self {
        Self {
            budget: Cell::new(BUDGET),
        }
    }
}

impl Suggester {
    /// The candidate nearest to `word`, if one is near enough to be what was meant.
    pub(crate) fn nearest<'c>(
        &self,
        word: &str,
        candidates: impl IntoIterator<Item = &'c str>,
    ) -> Option<&'c str> {
        let limit = tolerance(word);
        let mut best: Option<(usize, &'c str)> = None;
        for candidate in candidates {
            self.budget.set(self.budget.get().checked_sub(1)?);
            let bound = best.map_or(limit, |(distance, _)| distance.saturating_sub(1));
            if let Some(distance) = distance_within(word, candidate, bound) {
                if distance == 0 {
                    return Some(candidate);
                }
                best = Some((distance, candidate));
            }
        }
        best.map(|(_, candidate)| candidate)
    }
}

/// How many slips a word of this length may hold and still be recognised.
fn tolerance(word: &str) -> usize {
    match word.len() {
        0..=2 => 0,
        3..=5 => 1,
        6..=12 => 2,
        _ => 3,
    }
}

/// The edit distance (insert, delete, replace, swap of neighbours; case does not count) when it is at most
/// `limit`.
pub(crate) fn distance_within(a: &str, b: &str, limit: usize) -> Option<usize> {
    if a.len().max(b.len()) > MAX_LEN || a.len().abs_diff(b.len()) > limit {
        return None;
    }
    let (a, b) = (a.as_bytes(), b.as_bytes());
    // Three rows of the usual table: the swap of neighbours looks two rows back.
    let mut before = [0usize; MAX_LEN + 1];
    let mut previous = [0usize; MAX_LEN + 1];
    let mut current = [0usize; MAX_LEN + 1];
    for (column, cell) in previous.iter_mut().enumerate() {
        *cell = column;
    }
    for row in 1..=a.len() {
        current[0] = row;
        for column in 1..=b.len() {
            let same = a[row - 1].eq_ignore_ascii_case(&b[column - 1]);
            let mut cost = (previous[column - 1] + usize::from(!same))
                .min(previous[column] + 1)
                .min(current[column - 1] + 1);
            if row > 1 && column > 1 && a[row - 1] == b[column - 2] && a[row - 2] == b[column - 1] {
                cost = cost.min(before[column - 2] + 1);
            }
            current[column] = cost;
        }
        if current[..=b.len()].iter().all(|&cost| cost > limit) {
            return None;
        }
        before = previous;
        previous = current;
    }
    Some(previous[b.len()]).filter(|&distance| distance <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swap_of_neighbours_is_one_slip() {
        assert_eq!(distance_within("bnid", "bind", 1), Some(1));
        assert_eq!(distance_within("frontned", "frontend", 2), Some(1));
    }

    #[test]
    fn a_word_that_is_too_far_away_is_not_suggested() {
        assert_eq!(Suggester::default().nearest("quux", ["bind", "server"]), None);
        assert_eq!(
            Suggester::default().nearest("sever", ["bind", "server"]),
            Some("server")
        );
    }

    #[test]
    fn suggestions_stop_when_the_budget_is_spent() {
        let suggester = Suggester { budget: Cell::new(1) };
        assert_eq!(suggester.nearest("bnid", ["bind"]), Some("bind"));
        assert_eq!(suggester.nearest("bnid", ["bind"]), None);
    }
}
