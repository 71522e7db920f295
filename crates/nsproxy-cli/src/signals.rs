//! SIGTERM and SIGINT: the first drains, the second ends every session, a third the process.

use std::io;
use std::thread;
use std::time::Duration;

use nsproxy_engine::Handle;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// How long sessions may take to finish after the first signal.
pub(crate) const DRAIN: Duration = Duration::from_secs(30);

/// Watches for signals on a thread of its own, for as long as the process lives.
pub(crate) fn drain_on_signal(engine: Handle) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    thread::Builder::new()
        .name("nsproxy-signals".to_owned())
        .spawn(move || {
            let mut signals = signals.forever();
            if signals.next().is_some() {
                engine.drain(DRAIN);
            }
            if signals.next().is_some() {
                engine.stop();
            }
            // Whatever still holds the process up, nobody wants to wait for it.
            if signals.next().is_some() {
                std::process::exit(1);
            }
        })?;
    Ok(())
}
