//! What is measured of a turn, and how two contenders are compared by it.

use std::collections::BTreeMap;
use std::fmt;

use super::statistics::Spread;

/// One kind of figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Metric {
    /// Operations a second; bytes a second in bulk.
    Rate,
    /// Bytes a second of the streams beside requests.
    BulkRate,
    /// Latency, in seconds.
    P50,
    P99,
    Max,
    /// The relay's CPU seconds for an operation; for a gigabyte in bulk.
    Cpu,
    /// The same of the client's thread.
    ClientCpu,
    /// The same of the servers' threads. Without a relay, this is what an echo server pays.
    ServerCpu,
    /// Resident bytes of the relay.
    Resident,
    /// How many more for each idle session.
    SessionResident,
    /// Kernel slab for each idle session: of the machine, with the client's and the server's socket.
    SessionSlab,
    /// Seconds from the start of the program until all listeners are open.
    Listen,
}

impl Metric {
    pub(super) const ALL: [Self; 12] = [
        Self::Rate,
        Self::BulkRate,
        Self::P50,
        Self::P99,
        Self::Max,
        Self::Cpu,
        Self::ClientCpu,
        Self::ServerCpu,
        Self::Resident,
        Self::SessionResident,
        Self::SessionSlab,
        Self::Listen,
    ];

    /// The head of its column.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::BulkRate => "streams",
            Self::P50 => "p50",
            Self::P99 => "p99",
            Self::Max => "max",
            Self::Cpu => "CPU",
            Self::ClientCpu => "client CPU",
            Self::ServerCpu => "server CPU",
            Self::Resident => "resident",
            Self::SessionResident => "resident/session",
            Self::SessionSlab => "slab/session",
            Self::Listen => "listens after",
        }
    }

    const fn is_better_when_high(self) -> bool {
        matches!(self, Self::Rate | Self::BulkRate)
    }

    /// A value as people read it. In bulk, rates are of bytes and CPU is for a gigabyte.
    pub(super) fn show(self, value: f64, is_bulk: bool) -> String {
        match self {
            Self::Rate if !is_bulk => format!("{value:.0}/s"),
            Self::Rate | Self::BulkRate => format!("{:.2} GB/s", value / 1e9),
            Self::Cpu | Self::ClientCpu | Self::ServerCpu if is_bulk => format!("{value:.3} s/GB"),
            Self::P50 | Self::P99 | Self::Max | Self::Cpu | Self::ClientCpu | Self::ServerCpu => {
                format!("{:.1} us", value * 1e6)
            }
            Self::Resident => format!("{:.1} MiB", value / 1_048_576.0),
            Self::SessionResident | Self::SessionSlab => format!("{value:.0} B"),
            Self::Listen => format!("{:.1} ms", value * 1e3),
        }
    }
}

/// Whom nsproxy is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Against {
    Haproxy,
    Nginx,
    /// In each round, whichever of the two is better.
    Best,
    /// Another build of nsproxy.
    Second,
    /// The figure itself counts.
    Nothing,
}

impl fmt::Display for Against {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Haproxy => "to haproxy",
            Self::Nginx => "to nginx",
            Self::Best => "to the better",
            Self::Second => "to the second",
            Self::Nothing => "itself",
        })
    }
}

/// A ratio, and what it should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Comparison {
    pub(super) metric: Metric,
    pub(super) against: Against,
    pub(super) bound: Option<f64>,
}

/// The figures of one contender in one round.
pub(super) type Figures = BTreeMap<Metric, f64>;

impl Comparison {
    pub(super) const fn new(metric: Metric, against: Against, bound: Option<f64>) -> Self {
        Self {
            metric,
            against,
            bound,
        }
    }

    /// The spread of the ratios; each element of `rounds` has the figures of that round by contender. A round in which a figure
    /// is missing does not count.
    pub(super) fn spread(&self, rounds: &[BTreeMap<&'static str, Figures>]) -> Option<Spread> {
        let ratios: Vec<f64> = rounds.iter().filter_map(|round| self.ratio(round)).collect();
        Spread::of(&ratios)
    }

    /// Whether the less favourable end of the middle 90 % keeps the bound.
    pub(super) fn is_reached(&self, spread: Spread) -> Option<bool> {
        let bound = self.bound?;
        Some(if self.metric.is_better_when_high() {
            spread.low >= bound
        } else {
            spread.high <= bound
        })
    }

    /// The bound as a condition, such as `<= 0.75`.
    pub(super) fn condition(&self) -> String {
        let sign = if self.metric.is_better_when_high() {
            ">="
        } else {
            "<="
        };
        self.bound
            .map_or_else(String::new, |bound| format!("{sign} {bound}"))
    }

    fn ratio(&self, round: &BTreeMap<&'static str, Figures>) -> Option<f64> {
        let figure = |name: &str| round.get(name)?.get(&self.metric).copied();
        let ours = figure("nsproxy")?;
        let theirs = match self.against {
            Against::Haproxy => figure("haproxy")?,
            Against::Nginx => figure("nginx")?,
            Against::Second => figure("second")?,
            Against::Nothing => 1.0,
            Against::Best => {
                let both = [figure("haproxy"), figure("nginx")];
                let known = both.into_iter().flatten();
                if self.metric.is_better_when_high() {
                    known.reduce(f64::max)?
                } else {
                    known.reduce(f64::min)?
                }
            }
        };
        (theirs > 0.0).then(|| ours / theirs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(metric: Metric, figures: &[(&'static str, f64)]) -> BTreeMap<&'static str, Figures> {
        figures
            .iter()
            .map(|(name, value)| (*name, Figures::from([(metric, *value)])))
            .collect()
    }

    #[test]
    fn the_better_one_is_the_faster_or_the_cheaper() {
        let best = |metric| Comparison::new(metric, Against::Best, None);
        let figures = [("nsproxy", 60.0), ("haproxy", 40.0), ("nginx", 50.0)];
        let ratio = |metric| best(metric).ratio(&round(metric, &figures)).unwrap();
        assert!((ratio(Metric::Rate) - 1.2).abs() < 1e-9);
        assert!((ratio(Metric::P99) - 1.5).abs() < 1e-9);
    }

    #[test]
    fn a_bound_is_reached_only_if_the_bad_end_of_the_spread_keeps_it() {
        let spread = Spread {
            median: 1.1,
            low: 0.9,
            high: 1.3,
        };
        let rate = |bound| Comparison::new(Metric::Rate, Against::Best, bound);
        let cpu = |bound| Comparison::new(Metric::Cpu, Against::Best, bound);
        assert_eq!(rate(Some(0.9)).is_reached(spread), Some(true));
        assert_eq!(rate(Some(1.0)).is_reached(spread), Some(false));
        assert_eq!(cpu(Some(1.3)).is_reached(spread), Some(true));
        assert_eq!(cpu(Some(1.2)).is_reached(spread), Some(false));
        assert_eq!(cpu(None).is_reached(spread), None);
    }

    #[test]
    fn a_round_in_which_one_failed_does_not_count() {
        let comparison = Comparison::new(Metric::Rate, Against::Nginx, None);
        let whole = round(Metric::Rate, &[("nsproxy", 2.0), ("nginx", 1.0)]);
        let failed = round(Metric::Rate, &[("nsproxy", 9.0)]);
        let spread = comparison.spread(&[whole, failed]).unwrap();
        assert!((spread.low - 2.0).abs() < 1e-9 && (spread.high - 2.0).abs() < 1e-9);
    }
}
