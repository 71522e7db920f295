//! What the resting process holds: memory, descriptors by what they are, threads. A later reading is compared with an earlier
//! one.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use nix::unistd::Pid;

/// What memory may have grown by between two readings, in KiB: that of allocations that come and go in another order.
const GROWTH: u64 = 4 * 1024;
/// Descriptors of pipes that rest for the next one who splices; two for each pipe, for each of two workers.
const PIPES: usize = 2 * 2 * 64;

/// How often it is looked whether something changes, and how long in between.
const LOOKS: usize = 50;
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

/// One look at a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reading {
    /// In KiB: what is its own, without what it shares with its file.
    memory: u64,
    /// By what they lead to. Sockets in stock are not among them.
    descriptors: BTreeMap<String, usize>,
    threads: usize,
}

impl Reading {
    /// The same of a process that may be about to let go of something: of two looks that see as much, the second.
    ///
    /// # Errors
    ///
    /// It is not there, or does not come to rest.
    pub(crate) fn settled(pid: Pid, stock: usize) -> anyhow::Result<Self> {
        let mut last = Self::of(pid, stock)?;
        for _ in 0..LOOKS {
            thread::park_timeout(BETWEEN_LOOKS);
            let now = Self::of(pid, stock)?;
            if (now.threads, &now.descriptors) == (last.threads, &last.descriptors) {
                return Ok(now);
            }
            last = now;
        }
        bail!("nsproxy does not come to rest; now it has {last}")
    }

    /// Looks at a process that has `stock` sockets for connections to come.
    ///
    /// # Errors
    ///
    /// It is not there.
    pub(crate) fn of(pid: Pid, stock: usize) -> anyhow::Result<Self> {
        let process = format!("/proc/{pid}");
        let status = fs::read_to_string(format!("{process}/status"))
            .with_context(|| format!("nsproxy, process {pid}, is not there"))?;
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        let mut descriptors = BTreeMap::<String, usize>::new();
        for entry in fs::read_dir(format!("{process}/fd"))? {
            // One that was closed in the meantime is none.
            if let Ok(link) = fs::read_link(entry?.path()) {
                let link = link.to_string_lossy();
                let kind = link.split_once(":[").map_or(&*link, |(kind, _)| kind);
                *descriptors.entry(kind.to_owned()).or_default() += 1;
            }
        }
        if let Some(sockets) = descriptors.get_mut("socket") {
            *sockets = sockets.saturating_sub(stock);
        }
        Ok(Self {
            memory: number("RssAnon:").context("no RssAnon in /proc/PID/status")?,
            threads: usize::try_from(number("Threads:").context("no Threads in /proc/PID/status")?)?,
            descriptors,
        })
    }

    /// Whether nothing has become more than an earlier reading of the same process has.
    ///
    /// # Errors
    ///
    /// What has.
    pub(crate) fn compare(&self, earlier: &Self) -> anyhow::Result<()> {
        ensure!(
            self.memory <= earlier.memory + GROWTH,
            "memory has grown from {} KiB to {} KiB at rest",
            earlier.memory,
            self.memory
        );
        ensure!(
            self.threads == earlier.threads,
            "there were {} threads at rest, and now there are {}",
            earlier.threads,
            self.threads
        );
        let count = |reading: &Self, kind: &str| reading.descriptors.get(kind).copied().unwrap_or(0);
        for kind in self.descriptors.keys().chain(earlier.descriptors.keys()) {
            let (before, now) = (count(earlier, kind), count(self, kind));
            let limit = if kind == "pipe" { before.max(PIPES) } else { before };
            ensure!(
                now <= limit,
                "there were {before} descriptors of `{kind}` at rest, and now there are {now}"
            );
        }
        Ok(())
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} KiB, {} threads, descriptors:", self.memory, self.threads)?;
        for (kind, count) in &self.descriptors {
            write!(f, " {count} {kind},")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(memory: u64, threads: usize, descriptors: &[(&str, usize)]) -> Reading {
        Reading {
            memory,
            threads,
            descriptors: descriptors
                .iter()
                .map(|(kind, count)| ((*kind).to_owned(), *count))
                .collect(),
        }
    }

    #[test]
    fn what_has_become_more_is_named() {
        let before = reading(10_000, 7, &[("socket", 12), ("pipe", 4)]);
        for (after, said) in [
            (reading(10_100, 7, &[("socket", 12), ("pipe", 16)]), None),
            (reading(9_000, 7, &[("socket", 11)]), None),
            (
                reading(20_000, 7, &[]),
                Some("memory has grown from 10000 KiB to 20000 KiB"),
            ),
            (
                reading(10_000, 8, &[]),
                Some("7 threads at rest, and now there are 8"),
            ),
            (
                reading(10_000, 7, &[("socket", 13)]),
                Some("12 descriptors of `socket`"),
            ),
            (reading(10_000, 7, &[("net", 1)]), Some("0 descriptors of `net`")),
        ] {
            let result = after.compare(&before).err().map(|error| error.to_string());
            assert_eq!(result.is_some(), said.is_some(), "{result:?}");
            assert!(said.is_none_or(|said| result.unwrap().contains(said)));
        }
    }

    #[test]
    fn a_process_can_be_read() {
        let reading = Reading::of(nix::unistd::getpid(), 0).unwrap();
        assert!(reading.memory > 100 && reading.threads > 0);
        assert!(!reading.descriptors.is_empty());
    }
}
