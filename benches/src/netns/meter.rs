//! What a piece of work took: time on the wall, and time on a processor.

use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

/// What one turn took.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Turn {
    pub(super) time: Duration,
    /// Of this process and of its children that have ended. What the kernel does later on its own account is not in it.
    pub(super) cpu: Duration,
    /// How often the task was done in it.
    pub(super) times: u32,
}

impl Turn {
    /// Measures `work`, which does the task `times` times.
    pub(super) fn measure(times: u32, work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Self> {
        let cpu = cpu()?;
        let begun = Instant::now();
        work()?;
        Ok(Self {
            time: begun.elapsed(),
            cpu: self::cpu()?.saturating_sub(cpu),
            times,
        })
    }

    pub(super) fn add(&mut self, other: Self) {
        self.time += other.time;
        self.cpu += other.cpu;
        self.times += other.times;
    }
}

fn cpu() -> anyhow::Result<Duration> {
    let mut sum = Duration::ZERO;
    for who in [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN] {
        let usage = getrusage(who)?;
        sum += duration(usage.user_time()) + duration(usage.system_time());
    }
    Ok(sum)
}

fn duration(time: TimeVal) -> Duration {
    let seconds = u64::try_from(time.tv_sec()).unwrap_or_default();
    let micros = u64::try_from(time.tv_usec()).unwrap_or_default();
    Duration::from_secs(seconds) + Duration::from_micros(micros)
}
