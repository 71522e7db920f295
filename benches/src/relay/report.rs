//! The tables that people read.

use std::collections::BTreeMap;

use super::metric::{Against, Comparison, Metric};
use super::rounds::Rounds;
use super::scenario::{Scenario, Work};
use super::statistics::{Spread, median};

/// Figures and ratios of one row.
pub(super) fn print(scenario: &Scenario, rounds: &Rounds, has_second: bool) {
    println!(
        "\n{}: {} ({} rounds)",
        scenario.name,
        scenario.what,
        rounds.figures.len()
    );
    print_figures(scenario, rounds);
    println!(
        "  {:<18}{:<15}{:>8}   {:<15}{:<10}reached",
        "ratio", "", "median", "middle 90 %", "target"
    );
    for (comparison, spread) in ratios(scenario, rounds) {
        print_ratio(&comparison, spread);
    }
    if has_second {
        for metric in Metric::ALL {
            let comparison = Comparison::new(metric, Against::Second, None);
            if let Some(spread) = comparison.spread(&rounds.figures) {
                print_ratio(&comparison, spread);
            }
        }
    }
}

/// Every target of all rows with its verdict.
pub(super) fn print_summary(all: &[(Scenario, Rounds)]) {
    println!("\ntargets (the bound of the middle 90 % counts):");
    for (scenario, rounds) in all {
        for (comparison, spread) in ratios(scenario, rounds) {
            if comparison.bound.is_some() {
                print!("{:<12}", scenario.name);
                print_ratio(&comparison, spread);
            }
        }
    }
}

/// What a row compares, with what came out; comparisons without a figure are left out.
pub(super) fn ratios(scenario: &Scenario, rounds: &Rounds) -> Vec<(Comparison, Spread)> {
    let spread = |comparison: &Comparison| Some((*comparison, comparison.spread(&rounds.figures)?));
    scenario.comparisons.iter().filter_map(spread).collect()
}

fn print_figures(scenario: &Scenario, rounds: &Rounds) {
    let medians = medians(rounds);
    let is_bulk = matches!(scenario.work, Work::Bulk { .. });
    let metrics: Vec<Metric> = Metric::ALL
        .into_iter()
        .filter(|metric| medians.values().any(|figures| figures.contains_key(metric)))
        .collect();
    print!("  {:<10}", "");
    for metric in &metrics {
        print!(" {:>16}", metric.name());
    }
    println!();
    for name in ["nsproxy", "second", "haproxy", "nginx", "direct"] {
        let Some(figures) = medians.get(name) else {
            continue;
        };
        print!("  {name:<10}");
        for metric in &metrics {
            let shown = figures.get(metric).map(|value| metric.show(*value, is_bulk));
            print!(" {:>16}", shown.unwrap_or_else(|| "-".to_owned()));
        }
        println!();
    }
    print_floor(scenario.work, &medians);
}

/// What the kernel asks of any relay that uses sockets, judged by the load's two ends, and what each relay pays of it.
fn print_floor(work: Work, medians: &BTreeMap<&'static str, BTreeMap<Metric, f64>>) {
    let figure = |name: &str, metric| medians.get(name)?.get(&metric).copied();
    let (floor, what) = match work {
        // A relay receives and sends twice where an echo server does so once.
        Work::Requests { .. } => (
            figure("direct", Metric::ServerCpu).map(|echo| 2.0 * echo),
            "twice what the echo server pays without a relay",
        ),
        // A relay accepts and closes as its server does, and connects and closes as its client does. Without a relay the client
        // is so fast that it runs out of fresh ports, and pays for the search: so it is the ends of our own turns that count.
        Work::Connect { .. } => (
            figure("nsproxy", Metric::ClientCpu)
                .zip(figure("nsproxy", Metric::ServerCpu))
                .map(|(client, server)| client + server),
            "what client and server pay together in nsproxy's turns",
        ),
        _ => return,
    };
    let Some(floor) = floor else {
        return;
    };
    let paid: Vec<String> = ["nsproxy", "haproxy", "nginx"]
        .into_iter()
        .filter_map(|name| Some(format!("{name} {:.2}", figure(name, Metric::Cpu)? / floor)))
        .collect();
    println!(
        "  the kernel's floor, {what}: {}; CPU as a multiple of it: {}",
        Metric::Cpu.show(floor, false),
        paid.join(", ")
    );
}

fn medians(rounds: &Rounds) -> BTreeMap<&'static str, BTreeMap<Metric, f64>> {
    let mut values: BTreeMap<&'static str, BTreeMap<Metric, Vec<f64>>> = BTreeMap::new();
    for round in &rounds.figures {
        for (name, figures) in round {
            for (metric, value) in figures {
                values
                    .entry(name)
                    .or_default()
                    .entry(*metric)
                    .or_default()
                    .push(*value);
            }
        }
    }
    let of_one = |figures: BTreeMap<Metric, Vec<f64>>| {
        let median = |(metric, values): (Metric, Vec<f64>)| Some((metric, median(&values)?));
        figures.into_iter().filter_map(median).collect()
    };
    values
        .into_iter()
        .map(|(name, figures)| (name, of_one(figures)))
        .collect()
}

fn print_ratio(comparison: &Comparison, spread: Spread) {
    let verdict = match comparison.is_reached(spread) {
        Some(true) => "yes",
        Some(false) => "no",
        None => "",
    };
    // Ratios are near 1; a figure that stands for itself is not.
    let digits = if comparison.against == Against::Nothing {
        0
    } else {
        2
    };
    println!(
        "  {:<18}{:<15}{:>8.digits$}   {:<15}{:<10}{verdict}",
        comparison.metric.name(),
        comparison.against,
        spread.median,
        format!("{:.digits$}-{:.digits$}", spread.low, spread.high),
        comparison.condition(),
    );
}
