//! A set of whole numbers, searched in logarithmic time.

use std::ops::RangeInclusive;

/// Numbers and ranges of them. Sorted, and none touches the next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranges(Vec<(i64, i64)>);

impl FromIterator<RangeInclusive<i64>> for Ranges {
    fn from_iter<I: IntoIterator<Item = RangeInclusive<i64>>>(ranges: I) -> Self {
        let ranges = ranges.into_iter().map(RangeInclusive::into_inner);
        Self(merged(ranges.collect()))
    }
}

impl Ranges {
    /// Whether a number is in it.
    pub fn contains(&self, number: i64) -> bool {
        contains(&self.0, number)
    }
}

/// Sorted, with those that overlap made one. What is empty goes.
pub(super) fn merged<T: Ord + Copy>(mut ranges: Vec<(T, T)>) -> Vec<(T, T)> {
    ranges.retain(|(first, last)| first <= last);
    ranges.sort_unstable();
    let mut merged: Vec<(T, T)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match merged.last_mut() {
            Some((_, end)) if first <= *end => *end = last.max(*end),
            _ => merged.push((first, last)),
        }
    }
    merged.shrink_to_fit();
    merged
}

pub(super) fn contains<T: Ord + Copy>(ranges: &[(T, T)], value: T) -> bool {
    let behind = ranges.partition_point(|(first, _)| *first <= value);
    ranges[..behind].last().is_some_and(|(_, last)| value <= *last)
}
