//! Time, in interleaved rounds: the machine's slow and fast spells hit every crate alike.

use std::time::{Duration, Instant};

use super::codec::{Codec, Work};
use super::sample::Sample;

/// How long one crate's turn in a round is meant to take.
const TURN: Duration = Duration::from_micros(400);
/// Columns of [`Row::lines`].
pub(super) const COLUMNS: &str = "work,header,crate,round,nanoseconds";

/// All rounds of one kind of work on one header.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) work: Work,
    pub(super) header: &'static str,
    /// Nanoseconds a time, one for each round; one list for each crate, `None` where it cannot.
    pub(super) times: Vec<(&'static str, Option<Vec<f64>>)>,
}

/// Measures one row. The first crate is ours.
pub(super) fn row(work: Work, sample: &Sample, codecs: &[Codec], rounds: u32) -> Row {
    let mut turns: Vec<_> = codecs
        .iter()
        .map(|codec| {
            codec
                .can(work, sample)
                .then(|| (calibrate(codec, work, sample), Vec::new()))
        })
        .collect();
    for _ in 0..rounds {
        for (codec, turn) in codecs.iter().zip(&mut turns) {
            if let Some((count, times)) = turn {
                times.push(nanoseconds(codec, work, sample, *count));
            }
        }
    }
    Row {
        work,
        header: sample.name,
        times: codecs
            .iter()
            .zip(turns)
            .map(|(codec, turn)| (codec.name, turn.map(|(_, times)| times)))
            .collect(),
    }
}

impl Row {
    /// Median of our time, and for each peer that of its own and of the ratio to ours in the same round.
    pub(super) fn medians(&self) -> Vec<(&'static str, Option<(f64, f64)>)> {
        let ours = self
            .times
            .first()
            .and_then(|(_, times)| times.as_deref())
            .unwrap_or_default();
        self.times
            .iter()
            .map(|(name, times)| {
                let medians = times.as_ref().map(|times| {
                    let ratios = times.iter().zip(ours).map(|(theirs, ours)| theirs / ours);
                    (median(times.clone()), median(ratios.collect()))
                });
                (*name, medians)
            })
            .collect()
    }

    /// Every single result.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (name, times) in &self.times {
            for (round, time) in times.iter().flatten().enumerate() {
                lines.push(format!(
                    "{},{},{name},{round},{time:.2}",
                    self.work.name(),
                    self.header
                ));
            }
        }
        lines
    }
}

/// How often to repeat, for one turn.
fn calibrate(codec: &Codec, work: Work, sample: &Sample) -> u64 {
    let mut count = 64;
    loop {
        let start = Instant::now();
        codec.repeat(work, sample, count);
        if start.elapsed() >= TURN {
            return count;
        }
        count *= 2;
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn nanoseconds(codec: &Codec, work: Work, sample: &Sample, count: u64) -> f64 {
    let start = Instant::now();
    codec.repeat(work, sample, count);
    start.elapsed().as_nanos() as f64 / count as f64
}

/// The middle value; of an even number the upper of the two.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_that_of_the_same_round() {
        let row = Row {
            work: Work::Parse,
            header: "header",
            times: vec![
                ("ours", Some(vec![1.0, 10.0, 2.0])),
                ("peer", Some(vec![3.0, 30.0, 6.0])),
                ("other", None),
            ],
        };
        let medians = row.medians();
        assert_eq!(medians[0], ("ours", Some((2.0, 1.0))));
        assert_eq!(medians[1], ("peer", Some((6.0, 3.0))));
        assert_eq!(medians[2], ("other", None));
        assert_eq!(row.lines().len(), 6);
        assert_eq!(row.lines()[3], "parse,header,peer,0,3.00");
    }
}
