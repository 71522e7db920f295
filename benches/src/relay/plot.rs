//! The ratios as a picture: SVG text, one line for each comparison.

use std::fmt::Write as _;

use super::metric::{Against, Comparison};
use super::report::ratios;
use super::rounds::Rounds;
use super::scenario::Scenario;
use super::statistics::Spread;

const WIDTH: f64 = 860.0;
const LEFT: f64 = 290.0;
const RIGHT: f64 = 840.0;
const LINE: f64 = 18.0;
const TOP: f64 = 52.0;
/// The scale is logarithmic: half as much and twice as much are equally far from 1.
const LOWEST: f64 = 0.02;
const HIGHEST: f64 = 4.0;
const MARKS: [f64; 8] = [0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0];

const STYLE: &str = "text{font:12px sans-serif;fill:#333}.mark{stroke:#ddd}.one{stroke:#888}\
                     .yes{stroke:#2a7f3f;fill:#2a7f3f}.no{stroke:#b5402a;fill:#b5402a}.open{stroke:#4a6fa5;fill:#4a6fa5}\
                     .spread{stroke-width:3}.target{stroke:#111;stroke-width:2}";

/// The picture; comparisons that are no ratios are left out.
pub(super) fn svg(all: &[(Scenario, Rounds)]) -> String {
    let lines: Vec<(&str, Comparison, Spread)> = all
        .iter()
        .flat_map(|(scenario, rounds)| {
            let ratios = ratios(scenario, rounds);
            ratios
                .into_iter()
                .map(|(comparison, spread)| (scenario.name, comparison, spread))
        })
        .filter(|(_, comparison, _)| comparison.against != Against::Nothing)
        .collect();
    #[expect(clippy::cast_precision_loss, reason = "there are few lines")]
    let height = TOP + LINE * lines.len() as f64 + 12.0;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\">\n\
         <style>{STYLE}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"8\" y=\"18\">nsproxy relative to the others: dot = median, bar = middle 90 %, \
         black mark = target (green: reached)</text>\n"
    );
    for mark in MARKS {
        let class = if (mark - 1.0).abs() < f64::EPSILON {
            "one"
        } else {
            "mark"
        };
        let x = place(mark);
        let _ = writeln!(
            text,
            "<line class=\"{class}\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"44\" y2=\"{height}\"/>\
             <text x=\"{x:.1}\" y=\"38\" text-anchor=\"middle\">{mark}</text>"
        );
    }
    let mut y = TOP + LINE / 2.0;
    for (name, comparison, spread) in lines {
        line(&mut text, y, name, &comparison, spread);
        y += LINE;
    }
    text.push_str("</svg>\n");
    text
}

fn line(text: &mut String, y: f64, name: &str, comparison: &Comparison, spread: Spread) {
    let class = match comparison.is_reached(spread) {
        Some(true) => "yes",
        Some(false) => "no",
        None => "open",
    };
    let (low, middle, high) = (place(spread.low), place(spread.median), place(spread.high));
    let label = format!("{name}: {} {}", comparison.metric.name(), comparison.against);
    let _ = writeln!(
        text,
        "<text x=\"8\" y=\"{:.1}\">{label}</text>\
         <line class=\"spread {class}\" x1=\"{low:.1}\" x2=\"{high:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
         <circle class=\"{class}\" cx=\"{middle:.1}\" cy=\"{y:.1}\" r=\"4\"/>",
        y + 4.0
    );
    if let Some(bound) = comparison.bound {
        let x = place(bound);
        let (from, to) = (y - 7.0, y + 7.0);
        let _ = writeln!(
            text,
            "<line class=\"target\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{from:.1}\" y2=\"{to:.1}\"/>"
        );
    }
}

fn place(ratio: f64) -> f64 {
    let part = (ratio.clamp(LOWEST, HIGHEST) / LOWEST).ln() / (HIGHEST / LOWEST).ln();
    LEFT + part * (RIGHT - LEFT)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::metric::{Figures, Metric};
    use super::super::scenario;
    use super::*;

    #[test]
    fn a_ratio_is_drawn_with_its_target_and_verdict() {
        let figures = |value| Figures::from([(Metric::Rate, value)]);
        let round = BTreeMap::from([("nsproxy", figures(1.2)), ("haproxy", figures(1.0))]);
        let rounds = Rounds {
            figures: vec![round],
            faults: Vec::new(),
        };
        let scenario = scenario::all().remove(1);
        let svg = svg(&[(scenario, rounds)]);
        assert!(svg.contains(">rr64-16: rate to the better</text>"), "{svg}");
        assert_eq!(svg.matches("class=\"yes\"").count(), 1, "{svg}");
        assert_eq!(svg.matches("class=\"target\"").count(), 1, "{svg}");
    }

    #[test]
    fn what_lies_outside_of_the_scale_is_at_its_end() {
        assert!((place(1000.0) - RIGHT).abs() < 1e-9);
        assert!((place(0.0) - LEFT).abs() < 1e-9);
    }
}
