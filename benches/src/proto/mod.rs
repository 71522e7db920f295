//! `proto`: reading and writing of six realistic headers, beside the other crates that do.
//!
//! Each row is the same work for all: parse, read the addresses, visit every TLV and sub-TLV; or write the same bytes from
//! the same values into the same buffer. What a crate cannot do, or does without a check that the protocol demands, is "n/a".

mod codec;
mod measure;
mod peers;
mod report;
mod sample;

use anyhow::ensure;
use clap::Args;

use self::codec::{Codec, Work};
use self::measure::Row;
use self::sample::Sample;
use crate::record;

/// How to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Rounds; in each of them every crate has its turn, so that a slow spell of the machine hits all.
    #[arg(long, default_value_t = 101, value_parser = clap::value_parser!(u32).range(3..))]
    rounds: u32,
    /// Keep the raw results in benches/records/.
    #[arg(long)]
    record: bool,
    /// Repeat only one measurement, without measuring: for a profiler. A row and a crate, such as `parse:v1-tcp4:ppp`.
    #[arg(long, value_name = "WORK:HEADER:CRATE")]
    spin: Option<String>,
    /// How often to repeat it.
    #[arg(long, default_value_t = 1_000_000, requires = "spin")]
    times: u64,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let (samples, codecs) = (sample::all()?, peers::all());
    for sample in &samples {
        for codec in &codecs {
            codec.check(sample)?;
        }
    }
    if let Some(wanted) = &options.spin {
        return spin(wanted, options.times, &samples, &codecs);
    }
    let mut rows = Vec::new();
    for work in [Work::Parse, Work::Write] {
        for sample in &samples {
            rows.push(measure::row(work, sample, &codecs, options.rounds));
        }
    }
    report::print(&rows, &codecs);
    if options.record {
        let lines: Vec<_> = rows.iter().flat_map(Row::lines).collect();
        let path = record::write("proto", measure::COLUMNS, &lines)?;
        println!("\nraw results: {}", path.display());
    }
    Ok(())
}

fn spin(wanted: &str, times: u64, samples: &[Sample], codecs: &[Codec]) -> anyhow::Result<()> {
    let mut found = false;
    for sample in samples {
        for codec in codecs {
            for work in [Work::Parse, Work::Write] {
                if wanted == format!("{}:{}:{}", work.name(), sample.name, codec.name)
                    && codec.can(work, sample)
                {
                    found = true;
                    codec.repeat(work, sample, times);
                }
            }
        }
    }
    ensure!(found, "{wanted} is no measurement");
    Ok(())
}
