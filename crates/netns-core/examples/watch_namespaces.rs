//! Tells which network namespaces come, go, and become usable. What is there already is told first.
//!
//! ```sh
//! cargo run --example watch_namespaces            # those of `ip netns`, until it is interrupted
//! cargo run --example watch_namespaces -- DIR 5   # those of another directory, for five seconds
//! ```
//!
//! An event loop would poll the watch's descriptor instead of waiting; with the feature `mio` it is an event
//! source.

use std::env;
use std::error::Error;
use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use netns_core::{Registry, WatchEvent};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1);
    let registry = arguments.next().map_or_else(Registry::system, Registry::at);
    let deadline = match arguments.next() {
        Some(seconds) => {
            let seconds = seconds.to_str().unwrap_or_default().parse()?;
            Some(Instant::now() + Duration::from_secs(seconds))
        }
        None => None,
    };

    let mut out = io::stdout().lock();
    if let Some(warning) = registry.reach()?.warning() {
        writeln!(out, "note: {warning}")?;
    }
    let mut watch = registry.watch()?;
    for (name, id) in watch.known() {
        match id {
            Some(id) => writeln!(out, "{name}: is there, namespace {id}")?,
            None => writeln!(out, "{name}: is there, but no namespace")?,
        }
    }
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        for event in watch.wait(left)? {
            match event {
                WatchEvent::Added { name } => writeln!(out, "{name}: added")?,
                WatchEvent::Ready { name, id } => writeln!(out, "{name}: ready, namespace {id}")?,
                WatchEvent::Replaced { name, was, id } => {
                    writeln!(out, "{name}: namespace {id} in place of {was}")?;
                }
                WatchEvent::Unmounted { name } => writeln!(out, "{name}: no namespace any more")?,
                WatchEvent::Removed { name } => writeln!(out, "{name}: removed")?,
                other => writeln!(out, "{other:?}")?,
            }
        }
        if left == Some(Duration::ZERO) {
            return Ok(());
        }
    }
}
