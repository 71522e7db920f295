//! Things that go on side by side, again and again, until the time is over or one of them fails.
//!
//! What fails panics, as everything of `nsproxy-testkit` does; the first panic is the fault that is reported.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

/// Something that goes on.
pub(crate) struct Activity<'a> {
    /// What it is, for the report of its failure.
    name: &'static str,
    round: Box<dyn FnMut() + Send + 'a>,
}

impl<'a> Activity<'a> {
    /// Does `round` over and over. One that takes long makes the others go on for longer.
    pub(crate) fn new(name: &'static str, round: impl FnMut() + Send + 'a) -> Self {
        Self {
            name,
            round: Box::new(round),
        }
    }
}

/// Has all of them go on at the same time until `end`.
///
/// # Errors
///
/// The first failure, with the name of what failed. The others end after the round that they are in.
pub(crate) fn go_on(activities: Vec<Activity<'_>>, end: Instant) -> anyhow::Result<()> {
    let fault = Mutex::new(None);
    thread::scope(|scope| {
        for Activity { name, mut round } in activities {
            let fault = &fault;
            let go_on = move || {
                while Instant::now() < end && lock(fault).is_none() {
                    // After a panic, nothing of the round is used again.
                    if let Err(payload) = catch_unwind(AssertUnwindSafe(&mut round)) {
                        lock(fault).get_or_insert_with(|| format!("{name}: {}", message(&*payload)));
                    }
                }
            };
            let named = thread::Builder::new().name(name.to_owned());
            if let Err(error) = named.spawn_scoped(scope, go_on) {
                lock(fault).get_or_insert_with(|| format!("{name}: cannot start a thread: {error}"));
            }
        }
    });
    match fault.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(fault) => Err(anyhow::Error::msg(fault)),
        None => Ok(()),
    }
}

/// What `body` returns, or the message of its panic.
///
/// # Errors
///
/// It has panicked.
pub(crate) fn attempt<T>(body: impl FnOnce() -> T) -> anyhow::Result<T> {
    catch_unwind(AssertUnwindSafe(body)).map_err(|payload| anyhow::Error::msg(message(&*payload)))
}

fn lock(fault: &Mutex<Option<String>>) -> std::sync::MutexGuard<'_, Option<String>> {
    fault.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a panic says.
fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without a message").to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_first_failure_ends_all_and_is_told() {
        let end = Instant::now() + Duration::from_secs(600);
        let rounds = AtomicUsize::new(0);
        let good = Activity::new("good", || {
            rounds.fetch_add(1, Ordering::Relaxed);
        });
        let bad = Activity::new("bad", || {
            assert!(rounds.load(Ordering::Relaxed) < 10, "no more than ten");
        });
        assert_eq!(
            go_on(vec![good, bad], end).unwrap_err().to_string(),
            "bad: no more than ten"
        );
    }

    #[test]
    fn nothing_begins_after_the_end() {
        let never = Activity::new("late", || panic!("it is too late"));
        go_on(vec![never], Instant::now()).unwrap();
    }
}
