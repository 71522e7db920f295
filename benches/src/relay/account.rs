//! What the kernel has counted: CPU time in nanoseconds, resident memory, slab, and who listens.

use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context as _;
use socket2::{Domain, Socket, Type};

/// A process and all its descendants.
pub(super) fn with_children(pid: u32) -> anyhow::Result<Vec<u32>> {
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        next += 1;
        for task in tasks(parent)? {
            let path = format!("/proc/{parent}/task/{task}/children");
            found.extend(
                read(&path)?
                    .split_whitespace()
                    .filter_map(|child| child.parse::<u32>().ok()),
            );
        }
    }
    Ok(found)
}

/// User and system time of all threads of these processes.
pub(super) fn cpu_ns(processes: &[u32]) -> anyhow::Result<u64> {
    let mut sum = 0;
    for process in processes {
        for task in tasks(*process)? {
            sum += schedstat(&format!("/proc/{process}/task/{task}/schedstat"))?;
        }
    }
    Ok(sum)
}

/// The same of threads of this process.
pub(super) fn threads_cpu_ns(threads: &[i32]) -> anyhow::Result<u64> {
    threads
        .iter()
        .map(|thread| schedstat(&format!("/proc/self/task/{thread}/schedstat")))
        .sum()
}

/// The same of the calling thread.
pub(super) fn this_thread_cpu_ns() -> anyhow::Result<u64> {
    schedstat("/proc/thread-self/schedstat")
}

/// Resident bytes of these processes, counted anew and not from the kernel's per-CPU estimates as `VmRSS` is.
pub(super) fn resident(processes: &[u32]) -> anyhow::Result<u64> {
    processes
        .iter()
        .map(|process| kilobytes(&format!("/proc/{process}/smaps_rollup"), "Rss:"))
        .sum()
}

/// Bytes in the kernel's slabs, of the whole machine.
pub(super) fn slab() -> anyhow::Result<u64> {
    kilobytes("/proc/meminfo", "Slab:")
}

/// Whether somebody listens on this port of the loopback address in the calling thread's namespace.
///
/// Of two sockets with `SO_REUSEADDR` on one port, the second is refused only if the first listens (socket(7)). So this disturbs
/// nobody, and unlike /proc/net/tcp does not take milliseconds to look through the sockets of all namespaces.
pub(super) fn is_listening(port: u16) -> anyhow::Result<bool> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM.cloexec(), None)?;
    socket.set_reuse_address(true)?;
    match socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into()) {
        Ok(()) => Ok(false),
        Err(error) if error.kind() == ErrorKind::AddrInUse => Ok(true),
        Err(error) => Err(error).with_context(|| format!("port {port}")),
    }
}

fn tasks(process: u32) -> anyhow::Result<Vec<u32>> {
    let path = format!("/proc/{process}/task");
    let entries = fs::read_dir(&path).with_context(|| format!("{path}: has the process ended?"))?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(names.collect())
}

/// The first field: nanoseconds on a CPU (Documentation/scheduler/sched-stats.rst of the kernel).
fn schedstat(path: &str) -> anyhow::Result<u64> {
    let text = read(path)?;
    let field = text.split_whitespace().next().unwrap_or_default();
    field.parse().with_context(|| format!("{path}: {text:?}"))
}

fn kilobytes(path: &str, key: &str) -> anyhow::Result<u64> {
    let text = read(path)?;
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    let number = line
        .and_then(|line| line.split_whitespace().next())
        .unwrap_or_default();
    let number: u64 = number.parse().with_context(|| format!("{path} has no {key}"))?;
    Ok(number * 1024)
}

fn read(path: &str) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_busy_thread_uses_cpu_time() {
        let before = this_thread_cpu_ns().unwrap();
        while this_thread_cpu_ns().unwrap() < before + 1_000_000 {}
        assert!(cpu_ns(&[std::process::id()]).unwrap() >= 1_000_000);
        assert!(resident(&[std::process::id()]).unwrap() > 100_000);
    }

    #[test]
    fn a_listener_is_seen_while_it_is_open() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(is_listening(port).unwrap());
        let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        drop(listener);
        // A connection of that port is no listener.
        assert!(!is_listening(port).unwrap());
        drop(client);
    }
}
