//! Signals, on a thread of their own. What they lead to is decided by whoever is told of them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

/// What a process is told by a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGTERM, SIGINT: to end soon; a second one, at once.
    Stop,
    /// SIGUSR1: to end when the last session has.
    Retire,
    /// SIGHUP: to read its configuration again.
    Reload,
    /// SIGUSR2: to have a new process take its place.
    Upgrade,
}

/// How often the process was told to stop: what waits for something can see that it need not.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stops(Arc<AtomicUsize>);

impl Stops {
    pub(crate) fn any(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

/// Watches for signals for as long as the process lives. A third signal to stop ends the process.
pub(crate) fn watch(mut tell: impl FnMut(Signal) + Send + 'static) -> io::Result<Stops> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGUSR1, SIGHUP, SIGUSR2])?;
    let stops = Stops::default();
    let counted = stops.clone();
    thread::Builder::new()
        .name("nsproxy-signals".to_owned())
        .spawn(move || {
            for signal in signals.forever() {
                let signal = match signal {
                    SIGHUP => Signal::Reload,
                    SIGUSR1 => Signal::Retire,
                    SIGUSR2 => Signal::Upgrade,
                    _ => Signal::Stop,
                };
                if signal == Signal::Stop && counted.0.fetch_add(1, Ordering::Relaxed) >= 2 {
                    // Whatever still holds the process up, nobody wants to wait for it.
                    std::process::exit(1);
                }
                tell(signal);
            }
        })?;
    Ok(stops)
}
