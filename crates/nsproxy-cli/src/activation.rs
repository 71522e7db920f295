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

/// Their numbers, by name. Worked out once: a daemon has another number than the process that was meant.
static SOCKETS: LazyLock<HashMap<String, Vec<RawFd>>> = LazyLock::new(|| {
    let variable = |name: &str| env::var(name).unwrap_or_default();
    let is_ours = variable("LISTEN_PID").parse() == Ok(process::id());
    // A process that takes over has what the other one has, and is not the one that was meant.
    if !is_ours && !Predecessor::is_there() {
        return HashMap::new();
    }
    by_name(&variable("LISTEN_FDS"), &variable("LISTEN_FDNAMES"))
});

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
