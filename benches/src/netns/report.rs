//! The table of a run: median times, and median ratios to the first contender of each task.

use std::time::Duration;

use super::Turn;

/// What [`Table::lines`] writes.
pub(super) const COLUMNS: &str = "task,contender,turn,times,nanoseconds,cpu_nanoseconds";

/// The turns of everyone at every task.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<Row>,
}

/// One contender at one task.
#[derive(Debug)]
struct Row {
    task: &'static str,
    contender: &'static str,
    turns: Vec<Turn>,
}

impl Table {
    /// Adds a turn to its row. Rows of a task have as many turns each; those of the same number are compared.
    pub(super) fn add(&mut self, task: &'static str, contender: &'static str, turn: Turn) {
        let row = self
            .rows
            .iter_mut()
            .find(|row| row.task == task && row.contender == contender);
        match row {
            Some(row) => row.turns.push(turn),
            None => self.rows.push(Row {
                task,
                contender,
                turns: vec![turn],
            }),
        }
    }

    /// The raw results.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for row in &self.rows {
            let (task, contender) = (row.task.replace(',', ""), row.contender.replace(',', ""));
            for (number, turn) in row.turns.iter().enumerate() {
                let (time, cpu) = (turn.time.as_nanos(), turn.cpu.as_nanos());
                lines.push(format!("{task},{contender},{number},{},{time},{cpu}", turn.times));
            }
        }
        lines
    }

    pub(super) fn print(&self) {
        println!("Times as fast as the first: the median, and the middle half. CPU: times as little.");
        println!(
            "{:<25} {:<25} {:>10}  {:<18} {:>10}  {:<18}",
            "task", "by", "each", "to the first", "CPU", "to the first"
        );
        for row in &self.rows {
            let first = self.rows.iter().find(|first| first.task == row.task);
            row.print(first.unwrap_or(row));
        }
    }
}

impl Row {
    fn print(&self, first: &Self) {
        let [time, cpu] = [Turn::seconds, Turn::cpu_seconds].map(|of| {
            let mut each: Vec<f64> = self.turns.iter().map(of).collect();
            let each = Duration::from_secs_f64(quantile(&mut each, 0.5));
            let pairs = first.turns.iter().zip(&self.turns);
            let mut ratios: Vec<f64> = pairs.map(|(first, own)| of(first) / of(own)).collect();
            let [low, middle, high] = [0.25, 0.5, 0.75].map(|part| quantile(&mut ratios, part));
            (format!("{each:.2?}"), format!("{middle:.2} ({low:.2}-{high:.2})"))
        });
        println!(
            "{:<25} {:<25} {:>10}  {:<18} {:>10}  {:<18}",
            self.task, self.contender, time.0, time.1, cpu.0, cpu.1
        );
    }
}

impl Turn {
    /// Seconds for one.
    fn seconds(&self) -> f64 {
        self.time.as_secs_f64() / f64::from(self.times)
    }

    /// Seconds of a processor for one.
    fn cpu_seconds(&self) -> f64 {
        self.cpu.as_secs_f64() / f64::from(self.times)
    }
}

/// Sorts them, and gives the one below which this part of them lies: 0.5 for the median.
fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place in a short list"
    )]
    let place = ((values.len().saturating_sub(1)) as f64 * part) as usize;
    values.get(place).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_has_its_part_of_the_values_below_it() {
        for (part, expected) in [(0.0, 1.0), (0.25, 2.0), (0.5, 3.0), (1.0, 5.0)] {
            let found = quantile(&mut [3.0, 1.0, 2.0, 5.0, 4.0], part);
            assert!((found - expected).abs() < f64::EPSILON, "{part}: {found}");
        }
        assert!(quantile(&mut [], 0.5).abs() < f64::EPSILON);
    }
}
