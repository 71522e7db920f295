//! What can go wrong on the way to the environment of a program, and what can be done without.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The environment could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation}{}", hint(*operation, source))]
#[non_exhaustive]
pub struct ExecError {
    /// What was tried.
    pub operation: ExecOperation,
    /// The errno.
    pub source: io::Error,
}

impl ExecError {
    /// For `map_err`: the errno of `operation`.
    pub(super) fn during(operation: ExecOperation) -> impl FnOnce(nix::Error) -> Self {
        move |errno| Self {
            operation,
            source: errno.into(),
        }
    }

    /// The thread is no longer where it was, and must end.
    pub fn has_moved(&self) -> bool {
        self.operation != ExecOperation::EnterNetns
    }
}

/// A step on the way to the environment of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExecOperation {
    /// `setns(2)` into the network namespace.
    EnterNetns,
    /// `unshare(2)` of the mount namespace.
    UnshareMounts,
    /// Making all mounts slaves of those outside.
    SetPropagation,
    /// Mounting a `/sys` that shows the network namespace.
    MountSys,
}

impl fmt::Display for ExecOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EnterNetns => "enter the network namespace",
            Self::UnshareMounts => "make a mount namespace",
            Self::SetPropagation => "set the propagation of the mounts below `/`",
            Self::MountSys => "mount a sysfs of the network namespace on `/sys`",
        })
    }
}

fn hint(operation: ExecOperation, source: &io::Error) -> &'static str {
    match (operation, source.raw_os_error()) {
        (ExecOperation::EnterNetns, Some(libc::EPERM)) => {
            " (CAP_SYS_ADMIN is needed both in the caller's own user namespace and in the one that owns the \
             network namespace)"
        }
        (ExecOperation::UnshareMounts, Some(libc::EPERM)) => {
            " (CAP_SYS_ADMIN is needed in the caller's user namespace)"
        }
        (ExecOperation::UnshareMounts, Some(libc::ENOSPC)) => {
            " (the limit in /proc/sys/user/max_mnt_namespaces is reached)"
        }
        (ExecOperation::MountSys, Some(libc::EPERM)) => {
            " (CAP_SYS_ADMIN is needed in the user namespace that owns the network namespace, and in a user \
             namespace the old `/sys` must be wholly visible)"
        }
        _ => "",
    }
}

/// Something that the environment lacks. The program can run without it. The text is all there is to say: it
/// has no source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecWarning {
    /// A file of the namespace could not be laid on the one in `/etc`, which most often does not exist.
    #[error("Bind {} -> {} failed: {}", from.display(), to.display(), errno_text(error))]
    Bind {
        /// The namespace's file.
        from: PathBuf,
        /// That in `/etc`.
        to: PathBuf,
        /// The errno.
        error: io::Error,
    },
    /// The directory with the namespace's files could not be read.
    #[error("cannot read {}: {}", path.display(), errno_text(error))]
    Read {
        /// The directory.
        path: PathBuf,
        /// The errno.
        error: io::Error,
    },
    /// A mount below `/sys` could not be kept.
    #[error("cannot keep {}: {}", path.display(), errno_text(error))]
    Keep {
        /// Where it was.
        path: PathBuf,
        /// The errno.
        error: io::Error,
    },
}

impl ExecWarning {
    pub(super) fn bind(from: PathBuf, to: PathBuf, error: io::Error) -> Self {
        Self::Bind { from, to, error }
    }

    pub(super) fn read(path: &Path, error: io::Error) -> Self {
        Self::Read {
            path: path.to_owned(),
            error,
        }
    }

    pub(super) fn keep(path: &Path, error: io::Error) -> Self {
        Self::Keep {
            path: path.to_owned(),
            error,
        }
    }
}

/// The kernel's word alone, without the number that [`io::Error`] adds: a warning is one line for a person.
fn errno_text(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(errno) => nix::Error::from_raw(errno).desc().to_owned(),
        None => error.to_string(),
    }
}
