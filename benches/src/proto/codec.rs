//! What is measured: one crate, reading and writing one header many times.

use std::hint::black_box;

use anyhow::ensure;

use super::sample::Sample;

/// A crate that reads and writes PROXY headers.
#[derive(Debug)]
pub(super) struct Codec {
    pub(super) name: &'static str,
    /// Whether it reads this header with everything that the protocol demands.
    pub(super) parses: fn(&Sample) -> bool,
    /// Whether it can write this header.
    pub(super) writes: fn(&Sample) -> bool,
    /// Reads the bytes; returns the [`Digest`](super::sample::Digest) of all that it saw.
    pub(super) read: fn(&[u8]) -> Option<u64>,
    /// Reads the bytes so often, and touches what it saw.
    pub(super) parse: fn(&[u8], u64) -> Option<u64>,
    /// Writes the header so often; returns its last length.
    pub(super) write: fn(&Sample, &mut [u8], u64) -> Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Parse,
    Write,
}

impl Work {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Parse => "parse",
            Self::Write => "write",
        }
    }
}

impl Codec {
    pub(super) fn can(&self, work: Work, sample: &Sample) -> bool {
        match work {
            Work::Parse => (self.parses)(sample),
            Work::Write => (self.writes)(sample),
        }
    }

    /// Does the work so often.
    pub(super) fn repeat(&self, work: Work, sample: &Sample, times: u64) {
        match work {
            Work::Parse => {
                black_box((self.parse)(&sample.bytes, times));
            }
            Work::Write => {
                let mut buffer = [0; 512];
                black_box((self.write)(sample, &mut buffer, times));
            }
        }
    }

    /// Checks that it reads and writes what it should, as far as it can do so at all.
    pub(super) fn check(&self, sample: &Sample) -> anyhow::Result<()> {
        let name = format!("{}: {}", self.name, sample.name);
        if (self.parses)(sample) {
            let digest = (self.read)(&sample.bytes);
            ensure!(
                digest == Some(sample.digest),
                "{name}: what was read is not what was written"
            );
        }
        if (self.writes)(sample) {
            let mut buffer = [0; 512];
            let len = (self.write)(sample, &mut buffer, 1);
            ensure!(
                len.is_some_and(|len| buffer[..len] == sample.bytes),
                "{name}: not the bytes that we write: {:?}",
                len.map(|len| buffer[..len].escape_ascii().to_string())
            );
        }
        Ok(())
    }
}

/// The loop around a reader. The compiler is told nothing of the bytes, and has to produce each digest.
#[inline]
pub(super) fn parse_loop(bytes: &[u8], times: u64, read: impl Fn(&[u8]) -> Option<u64>) -> Option<u64> {
    let mut last = None;
    for _ in 0..times {
        last = black_box(read(black_box(bytes)));
    }
    last
}

/// The loop around a writer, likewise.
#[inline]
pub(super) fn write_loop(
    sample: &Sample,
    buffer: &mut [u8],
    times: u64,
    write: impl Fn(&Sample, &mut [u8]) -> Option<usize>,
) -> Option<usize> {
    let mut last = None;
    for _ in 0..times {
        last = write(black_box(sample), black_box(&mut *buffer));
        black_box(&mut *buffer);
    }
    last
}
