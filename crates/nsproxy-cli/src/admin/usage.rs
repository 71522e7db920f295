//! What the process has used lately: between two questions that are a second apart at least, so that whoever asks now and then
//! has all of the time in between.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

/// The shortest time that says something.
const LEAST: Duration = Duration::from_secs(1);

/// What was used by when.
#[derive(Debug)]
pub(super) struct Usage(Mutex<State>);

#[derive(Debug)]
struct State {
    at: Instant,
    cpu: Duration,
    bytes: u64,
    lately: Lately,
}

/// What was used between the last two moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lately {
    /// How much of so many CPUs as there are workers was left unused, in per cent.
    pub(super) idle: u64,
    /// Bytes in a second.
    pub(super) bytes: u64,
}

impl Usage {
    pub(super) fn from_now_on() -> Self {
        Self(Mutex::new(State {
            at: Instant::now(),
            cpu: cpu_time(),
            bytes: 0,
            lately: Lately { idle: 100, bytes: 0 },
        }))
    }

    /// For so many workers, which have sent so many bytes by now.
    pub(super) fn lately(&self, workers: usize, bytes: u64) -> Lately {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, cpu) = (Instant::now(), cpu_time());
        let time = now.saturating_duration_since(state.at);
        if time >= LEAST {
            let lately = between(
                time,
                cpu.saturating_sub(state.cpu),
                bytes.saturating_sub(state.bytes),
                workers,
            );
            *state = State {
                at: now,
                cpu,
                bytes,
                lately,
            };
        }
        state.lately
    }
}

fn between(time: Duration, cpu: Duration, bytes: u64, workers: usize) -> Lately {
    let millis = time.as_millis().max(1);
    let available = millis * workers.max(1) as u128;
    let used = cpu.as_millis().min(available);
    let number = |value: u128| u64::try_from(value).unwrap_or(u64::MAX);
    Lately {
        idle: number(100 * (available - used) / available),
        bytes: number(u128::from(bytes) * 1000 / millis),
    }
}

/// CPU time of all threads so far.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_the_cpus_is_idle() {
        let second = Duration::from_secs(1);
        let idle = |cpu: f64, workers| between(second, second.mul_f64(cpu), 0, workers).idle;
        assert_eq!(
            [idle(0.0, 2), idle(0.5, 2), idle(2.0, 2), idle(3.0, 2)],
            [100, 75, 0, 0]
        );
        assert_eq!(
            between(second * 10, second, 5_000, 1),
            Lately { idle: 90, bytes: 500 }
        );
    }

    #[test]
    fn questions_soon_after_each_other_have_the_same_answer() {
        let usage = Usage::from_now_on();
        assert_eq!(usage.lately(1, 1 << 40), Lately { idle: 100, bytes: 0 });
    }
}
