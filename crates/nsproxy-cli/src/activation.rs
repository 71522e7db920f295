//! Sockets that a service manager has opened, and started this process with: `fd@NAME` (`sd_listen_fds(3)`).

use std::collections::HashMap;
use std::env;
use std::os::fd::RawFd;
use std::process;
use std::sync::LazyLock;

use nsproxy_config::model::{BindAddress, Config};

use crate::upgrade::Predecessor;

/// The first of them (`SD_LISTEN_FDS_START`).
const FIRST: RawFd = 3;

/// Where they are told of.
const VARIABLES: [&str; 3] = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"];

/// Whether that is meant for this process. Worked out once: a daemon has another number than the process that was meant.
static IS_OURS: LazyLock<bool> = LazyLock::new(|| {
    // A process that takes over has what the other one has, and is not the one that was meant.
    variable(VARIABLES[0]).parse() == Ok(process::id()) || Predecessor::is_there()
});

/// Their numbers, by name.
static SOCKETS: LazyLock<HashMap<String, Vec<RawFd>>> = LazyLock::new(|| {
    if *IS_OURS {
        by_name(&variable(VARIABLES[1]), &variable(VARIABLES[2]))
    } else {
        HashMap::new()
    }
});

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}

/// Variables that speak of sockets of another process, which a process that takes over from this one must not take for its own.
pub(crate) fn not_ours() -> &'static [&'static str] {
    if *IS_OURS { &[] } else { &VARIABLES }
}

/// The sockets of this name.
pub(crate) fn named(name: &str) -> impl Iterator<Item = RawFd> {
    SOCKETS.get(name).into_iter().flatten().copied()
}

/// Whether every name that a configuration has is one of a socket.
///
/// # Errors
///
/// There is none of that name.
pub(crate) fn check(config: &Config) -> anyhow::Result<()> {
    // Before this process becomes a daemon, also if they are not wanted until later.
    LazyLock::force(&SOCKETS);
    for frontend in &config.frontends {
        for bind in &frontend.binds {
            if let BindAddress::Activated(name) = &bind.address
                && named(name).next().is_none()
            {
                anyhow::bail!(
                    "`fd@{name}` in `{}`: nsproxy was not started with a socket of that name (LISTEN_FDNAMES)",
                    frontend.name
                );
            }
        }
    }
    Ok(())
}

fn by_name(count: &str, names: &str) -> HashMap<String, Vec<RawFd>> {
    let count: RawFd = count.parse().unwrap_or(0);
    let mut sockets: HashMap<String, Vec<RawFd>> = HashMap::new();
    for (number, name) in (FIRST..FIRST.saturating_add(count)).zip(names.split(':')) {
        sockets.entry(name.to_owned()).or_default().push(number);
    }
    sockets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_for_all_of_its_sockets_and_no_others() {
        let sockets = by_name("3", "web:dns:web:more");
        assert_eq!(sockets["web"], [3, 5]);
        assert_eq!(sockets["dns"], [4]);
        assert!(!sockets.contains_key("more"));
        assert!(by_name("", "").is_empty());
        assert!(by_name("-1", "web").is_empty());
    }
}
