//! Skipping loudly: a test that cannot run says why, and where `CI=true` is set it fails instead.
//!
//! There is no silent skip and no `#[ignore]`: a green run in CI means that every test ran.

use std::env;

/// Unwraps what a test needs, or skips the test.
///
/// Takes a `Result`; on an error the reason is printed by [`skip`] and the surrounding function
/// or closure returns.
///
/// ```no_run
/// use nsproxy_testkit::{Program, require};
///
/// fn nginx_answers_through_the_relay() {
///     let nginx = require!(Program::find("nginx"));
///     // ...
/// #   let _ = nginx;
/// }
/// ```
#[macro_export]
macro_rules! require {
    ($need:expr) => {
        match $need {
            Ok(value) => value,
            Err(reason) => {
                $crate::skip(&reason.to_string());
                return;
            }
        }
    };
}

/// Prints `SKIPPED test: reason` on standard error. The caller must return from the test.
///
/// # Panics
///
/// When `CI` is `true` in the environment: there, what tests need must be installed.
#[track_caller]
#[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
pub fn skip(reason: &str) {
    assert!(
        !in_ci(),
        "a test cannot run, and CI=true forbids to skip it: {reason}"
    );
    let thread = std::thread::current();
    eprintln!("SKIPPED test: {}: {reason}", thread.name().unwrap_or("unnamed"));
}

fn in_ci() -> bool {
    env::var("CI").is_ok_and(|value| value == "true" || value == "1")
}
