//! Medians, and the middle of a spread.

/// What the paired ratios of a comparison say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    /// Where the middle 90 % begin and end.
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Spread {
    /// Nothing for no values.
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        Some(Self {
            median: quantile(&sorted, 0.5)?,
            low: quantile(&sorted, 0.05)?,
            high: quantile(&sorted, 0.95)?,
        })
    }
}

/// The median of `values`; nothing for none.
pub(super) fn median(values: &[f64]) -> Option<f64> {
    Spread::of(values).map(|spread| spread.median)
}

/// The value below which this part of the values lies, between the two nearest in proportion.
fn quantile(sorted: &[f64], part: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    #[expect(clippy::cast_precision_loss, reason = "there are few values")]
    let place = part * last as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and the number of values"
    )]
    let below = place.floor() as usize;
    let above = (below + 1).min(last);
    Some(sorted[below] + (sorted[above] - sorted[below]) * place.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_a_hundred_and_one_leaves_out_five_on_each_side() {
        let values: Vec<f64> = (0..=100).rev().map(f64::from).collect();
        let spread = Spread::of(&values).unwrap();
        assert!((spread.median - 50.0).abs() < 1e-9);
        assert!((spread.low - 5.0).abs() < 1e-9);
        assert!((spread.high - 95.0).abs() < 1e-9);
    }

    #[test]
    fn few_values_have_a_spread_too() {
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(median(&[7.0]), Some(7.0));
        let spread = Spread::of(&[1.0, 2.0]).unwrap();
        assert!((spread.low - 1.05).abs() < 1e-9);
        assert!((spread.high - 1.95).abs() < 1e-9);
    }
}
