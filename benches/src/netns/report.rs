//! The table of a run: median times, and median ratios to the first contender of each task.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Turn;

/// What [`lines`] writes.
pub(super) const COLUMNS: &str = "task,contender,round,times,nanoseconds";

/// One contender at one task, with a turn for each round.
#[derive(Debug)]
pub(super) struct Row {
    task: &'static str,
    contender: &'static str,
    turns: Vec<Turn>,
}

/// Adds a turn to its row.
pub(super) fn add(rows: &mut Vec<Row>, task: &'static str, contender: &'static str, turn: Turn) {
    let row = rows
        .iter_mut()
        .find(|row| row.task == task && row.contender == contender);
    match row {
        Some(row) => row.turns.push(turn),
        None => rows.push(Row {
            task,
            contender,
            turns: vec![turn],
        }),
    }
}

/// The raw results.
pub(super) fn lines(rows: &[Row]) -> Vec<String> {
    let mut lines = Vec::new();
    for row in rows {
        for (round, turn) in row.turns.iter().enumerate() {
            let nanoseconds = turn.time.as_nanos();
            lines.push(format!(
                "{},{},{round},{},{nanoseconds}",
                row.task.replace(',', ""),
                row.contender.replace(',', ""),
                turn.times
            ));
        }
    }
    lines
}

pub(super) fn print(rows: &[Row]) {
    let title = "as fast as the first, median (least to most)";
    println!(
        "{:<22} {:<26} {:>12} {:>9}  {title}",
        "task", "by", "each", "times"
    );
    let tasks: BTreeSet<_> = rows.iter().map(|row| row.task).collect();
    for task in tasks {
        let mut first = None;
        for row in rows.iter().filter(|row| row.task == task) {
            let first = *first.get_or_insert(row);
            let mut each: Vec<f64> = row.turns.iter().map(each).collect();
            let mut ratios: Vec<f64> = first
                .turns
                .iter()
                .zip(&row.turns)
                .map(|(first, own)| self::each(first) / self::each(own))
                .collect();
            let times = row.turns.first().map_or(0, |turn| turn.times);
            let each = Duration::from_secs_f64(median(&mut each));
            let ratio = median(&mut ratios);
            let (least, most) = (ratios.first().copied(), ratios.last().copied());
            println!(
                "{:<22} {:<26} {:>12} {times:>9}  {ratio:.2} ({:.2} to {:.2})",
                row.task,
                row.contender,
                format!("{each:.2?}"),
                least.unwrap_or_default(),
                most.unwrap_or_default(),
            );
        }
    }
}

/// Seconds for one.
fn each(turn: &Turn) -> f64 {
    turn.time.as_secs_f64() / f64::from(turn.times)
}

/// Sorts them; the lower one of two in the middle.
fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values
        .get(values.len().saturating_sub(1) / 2)
        .copied()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median(&mut [3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median(&mut [4.0, 1.0, 2.0, 3.0]) - 2.0).abs() < f64::EPSILON);
        assert!(median(&mut []).abs() < f64::EPSILON);
    }
}
