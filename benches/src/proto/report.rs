//! The table that is printed, and whether the aims are reached.

use super::codec::Codec;
use super::measure::Row;

/// Prints a line for each row: our time, each peer's as a multiple of it, and how that stands to the aim.
pub(super) fn print(rows: &[Row], codecs: &[Codec]) {
    print!("{:<24} {:>9}", "", "ours");
    for codec in codecs.iter().skip(1) {
        print!("  {:>18}", codec.name);
    }
    println!("   aim");
    for row in rows {
        let medians = row.medians();
        let ours = medians.first().and_then(|(_, medians)| *medians);
        let (time, _) = ours.unwrap_or((f64::NAN, f64::NAN));
        print!(
            "{:<24} {time:>6.1} ns",
            format!("{} {}", row.work.name(), row.header)
        );
        for (_, medians) in medians.iter().skip(1) {
            match medians {
                Some((time, ratio)) => print!("  {:>18}", format!("{time:.1} ns ({ratio:.2}x)")),
                None => print!("  {:>18}", "n/a"),
            }
        }
        println!("   {}", verdict(row));
    }
    println!(
        "\nTimes are medians, ratios are medians over the rounds: above 1 the peer is slower. n/a: it cannot do it, or reads \
         without verifying the checksum."
    );
}

/// Ahead of every peer everywhere; by 2 in version 1, and in version 2 with TLVs.
fn verdict(row: &Row) -> String {
    let aim = if row.header == "v2-tcp4" { 1.0 } else { 2.0 };
    let fastest = row
        .medians()
        .into_iter()
        .skip(1)
        .filter_map(|(name, medians)| medians.map(|(_, ratio)| (name, ratio)))
        .min_by(|(_, one), (_, other)| one.total_cmp(other));
    match fastest {
        None => "no peer can".to_owned(),
        Some((name, ratio)) if ratio >= aim => {
            format!("reached: {ratio:.2}x the fastest, {name} (aim {aim:.0}x)")
        }
        Some((name, ratio)) => format!("not reached: {ratio:.2}x the fastest, {name} (aim {aim:.0}x)"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::codec::Work;
    use super::*;

    #[test]
    fn the_fastest_peer_decides_and_the_aim_depends_on_the_row() {
        let row = |header, theirs| Row {
            work: Work::Parse,
            header,
            times: vec![
                ("ours", Some(vec![1.0])),
                ("slow", Some(vec![9.0])),
                ("fast", Some(vec![theirs])),
                ("unable", None),
            ],
        };
        assert_eq!(
            verdict(&row("v2-tcp4", 1.5)),
            "reached: 1.50x the fastest, fast (aim 1x)"
        );
        assert_eq!(
            verdict(&row("v1-tcp4", 1.5)),
            "not reached: 1.50x the fastest, fast (aim 2x)"
        );
    }
}
