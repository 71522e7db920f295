//! `NamespaceType`: the kinds of namespace that Linux has. Only to say what something is that is not a
//! network namespace; this crate handles no other kind.

use std::ffi::c_int;
use std::fmt;

/// The kind of a namespace (`namespaces(7)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NamespaceType {
    /// Network devices, addresses, ports, routes.
    Net,
    /// Mount points.
    Mount,
    /// Process numbers.
    Pid,
    /// User and group numbers.
    User,
    /// Host name.
    Uts,
    /// System V IPC, POSIX message queues.
    Ipc,
    /// Root of the control groups.
    Cgroup,
    /// Boot and monotonic clocks.
    Time,
    /// A kind which this crate does not know, with its `CLONE_NEW*` flag.
    Other(u32),
}

impl NamespaceType {
    /// From the answer of `NS_GET_NSTYPE`.
    pub(crate) fn from_clone_flag(flag: c_int) -> Self {
        match flag {
            libc::CLONE_NEWNET => Self::Net,
            libc::CLONE_NEWNS => Self::Mount,
            libc::CLONE_NEWPID => Self::Pid,
            libc::CLONE_NEWUSER => Self::User,
            libc::CLONE_NEWUTS => Self::Uts,
            libc::CLONE_NEWIPC => Self::Ipc,
            libc::CLONE_NEWCGROUP => Self::Cgroup,
            libc::CLONE_NEWTIME => Self::Time,
            other => Self::Other(other.cast_unsigned()),
        }
    }
}

/// The word in `/proc/PID/ns`, except `mount` for `mnt` and `network` for `net`.
impl fmt::Display for NamespaceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self {
            Self::Net => "network",
            Self::Mount => "mount",
            Self::Pid => "pid",
            Self::User => "user",
            Self::Uts => "uts",
            Self::Ipc => "ipc",
            Self::Cgroup => "cgroup",
            Self::Time => "time",
            Self::Other(flag) => return write!(f, "unknown (type {flag:#x})"),
        };
        f.pad(word)
    }
}
