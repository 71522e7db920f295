//! CPU time of the relays' threads, from the kernel's accounting.

use std::fs;
use std::time::Duration;

/// CPU time that the threads of this process whose names begin with `prefix` have used so far.
pub(super) fn of_threads(prefix: &str) -> Duration {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else {
        return Duration::ZERO;
    };
    let times = tasks.flatten().filter_map(|task| {
        let name = fs::read_to_string(task.path().join("comm")).ok()?;
        name.starts_with(prefix).then_some(())?;
        // The first number is the time on a CPU, in nanoseconds (proc(5), schedstat).
        let times = fs::read_to_string(task.path().join("schedstat")).ok()?;
        times
            .split_whitespace()
            .next()?
            .parse()
            .ok()
            .map(Duration::from_nanos)
    });
    times.sum()
}
