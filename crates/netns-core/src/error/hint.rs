//! What a tired operator can do about an error: the ends of the sentences in the parent module.
//!
//! Each begins with a blank or a semicolon, or is empty. They say what is missing and where, not what to
//! think of it.

use std::io;
use std::path::Path;

use super::{Found, OpenOperation, SocketOperation, Target};

const ENTER_NEEDS: &str = " (CAP_SYS_ADMIN is needed both in the caller's own user namespace and in the one \
                           that owns the network namespace)";

pub(super) fn not_found(target: &Target) -> &'static str {
    match target {
        Target::Name { registry, .. } if registry == Path::new("/run/netns") => {
            "; `nsproxy netns` or `ip netns` lists the namespaces that do"
        }
        Target::Pidfd => " (the process has ended)",
        Target::Thread { .. } => " (the thread has ended, or lives in another pid namespace)",
        Target::Pid(_) => " (the process has ended, or lives in another pid namespace)",
        _ => "",
    }
}

pub(super) fn not_netns(target: &Target, found: Found) -> &'static str {
    match (target, found) {
        (Target::Name { .. }, Found::RegularFile) => {
            " without a namespace mounted on it; the namespace is gone, or its mount is not visible in this \
             mount namespace"
        }
        _ => "",
    }
}

pub(super) fn open(operation: OpenOperation, target: &Target, source: &io::Error) -> &'static str {
    match (operation, target, source.raw_os_error()) {
        (OpenOperation::Create, _, Some(libc::EPERM)) => {
            " (CAP_SYS_ADMIN is needed in the caller's user namespace; a new user namespace gives it)"
        }
        (OpenOperation::Create, _, Some(libc::ENOSPC)) => {
            " (the limit in /proc/sys/user/max_net_namespaces is reached)"
        }
        (OpenOperation::Open, Target::Socket, Some(libc::EPERM)) => {
            " (CAP_NET_ADMIN is needed in the user namespace that owns it)"
        }
        (
            OpenOperation::Open,
            Target::Pid(_) | Target::Pidfd | Target::Thread { .. },
            Some(libc::EACCES | libc::EPERM),
        ) => " (the process belongs to another user; CAP_SYS_PTRACE is needed)",
        (OpenOperation::Open, Target::Pidfd, Some(libc::ENOTTY)) => {
            " (the descriptor is not one of a process)"
        }
        (OpenOperation::ReadOwner, Target::Handle, Some(libc::EPERM)) => {
            " (it belongs to a user namespace outside of the caller's)"
        }
        (OpenOperation::FindProcesses | OpenOperation::Create, _, Some(libc::ENOENT))
        | (OpenOperation::Open, Target::CurrentThread, Some(libc::ENOENT)) => " (is /proc mounted?)",
        (OpenOperation::ReadId, _, Some(libc::ENOPROTOOPT)) => " (Linux 5.14 or later is needed)",
        (OpenOperation::ReadId, _, Some(libc::EPERM)) => ENTER_NEEDS,
        (_, _, Some(libc::EMFILE)) => " (the limit of open files is reached; see `ulimit -n`)",
        _ => "",
    }
}

pub(super) fn enter(source: &io::Error) -> &'static str {
    match source.raw_os_error() {
        Some(libc::EPERM) => ENTER_NEEDS,
        _ => "",
    }
}

pub(super) fn socket(operation: SocketOperation, source: &io::Error) -> &'static str {
    match (operation, source.raw_os_error()) {
        (SocketOperation::Bind(_), Some(libc::EADDRNOTAVAIL)) => {
            " (no interface there has this address, or none that is up)"
        }
        (SocketOperation::Bind(address), Some(libc::EACCES)) if address.port() < 1024 => {
            " (CAP_NET_BIND_SERVICE is needed for ports below 1024)"
        }
        (SocketOperation::Connect(address), Some(libc::ENETUNREACH)) if address.ip().is_loopback() => {
            " (is the interface `lo` up there? In a new namespace it is down)"
        }
        (SocketOperation::Connect(_), Some(libc::ENETUNREACH)) => " (there is no route to it there)",
        _ => "",
    }
}
