//! What can go wrong with a registry.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::OpenError;

/// An operation on a registry failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The name is taken.
    #[error("cannot create `{}`: File exists (the name is taken)", path.display())]
    Exists {
        /// The entry's path.
        path: PathBuf,
    },
    /// There is no such entry.
    #[error("cannot remove `{}`: No such file or directory (no network namespace has this name)", path.display())]
    NotFound {
        /// The entry's path.
        path: PathBuf,
    },
    /// A directory stands under the name. It is left alone.
    #[error("cannot remove `{}`: it is a directory, not a network namespace", path.display())]
    IsDirectory {
        /// The entry's path.
        path: PathBuf,
    },
    /// The kernel holds on to the entry. Trying again does not help.
    #[error(
        "cannot remove `{}`: a mount on it cannot be undone from here (it came from outside this user \
         namespace, or another mount hides it); remove it where it was made",
        path.display()
    )]
    Busy {
        /// The entry's path.
        path: PathBuf,
        /// The errno.
        source: io::Error,
    },
    /// The namespace itself could not be made.
    #[error(transparent)]
    Netns(#[from] OpenError),
    /// The kernel refused.
    #[error("cannot {operation} `{}`{}", path.display(), hint(*operation, source))]
    System {
        /// What was tried.
        operation: RegistryOperation,
        /// The registry's directory, or the entry's path.
        path: PathBuf,
        /// The errno.
        source: io::Error,
    },
}

impl RegistryError {
    /// For `map_err`: the errno of `operation` on `path`.
    pub(super) fn during(operation: RegistryOperation, path: &Path) -> impl Fn(nix::Error) -> Self {
        move |errno| Self::System {
            operation,
            path: path.to_owned(),
            source: errno.into(),
        }
    }

    /// There is no such file, entry or directory.
    pub(super) fn is_missing(&self) -> bool {
        match self {
            Self::NotFound { .. } => true,
            Self::System { source, .. } => source.kind() == io::ErrorKind::NotFound,
            _ => false,
        }
    }
}

/// The step of a registry operation that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegistryOperation {
    /// Making the directory.
    CreateDirectory,
    /// Opening the directory.
    OpenDirectory,
    /// Locking the directory.
    Lock,
    /// Mounting the directory on itself.
    BindDirectory,
    /// Setting how mounts in the directory spread.
    ShareDirectory,
    /// Making the entry's file.
    CreateEntry,
    /// Mounting the namespace on the entry's file.
    MountEntry,
    /// Looking at the entry.
    Inspect,
    /// Unmounting the entry.
    Unmount,
    /// Removing the entry's file.
    RemoveEntry,
    /// Reading the directory.
    List,
    /// Reading how mounts in the directory spread.
    ReadPropagation,
    /// Watching the directory.
    Watch,
}

impl fmt::Display for RegistryOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CreateDirectory => "create the directory",
            Self::OpenDirectory => "open the directory",
            Self::Lock => "lock the directory",
            Self::BindDirectory => "make a mount point of the directory",
            Self::ShareDirectory => "set the mount propagation of the directory",
            Self::CreateEntry => "create",
            Self::MountEntry => "mount the network namespace on",
            Self::Inspect => "look at",
            Self::Unmount => "unmount",
            Self::RemoveEntry => "remove",
            Self::List => "read the directory",
            Self::ReadPropagation => "read the mount propagation of the directory",
            Self::Watch => "watch the directory",
        })
    }
}

fn hint(operation: RegistryOperation, source: &io::Error) -> &'static str {
    use RegistryOperation::{
        BindDirectory, CreateDirectory, CreateEntry, MountEntry, ReadPropagation, RemoveEntry,
        ShareDirectory, Unmount, Watch,
    };
    match (operation, source.raw_os_error()) {
        (BindDirectory | ShareDirectory | MountEntry | Unmount, Some(libc::EPERM | libc::EACCES)) => {
            " (CAP_SYS_ADMIN is needed in the user namespace that owns this mount namespace)"
        }
        (CreateDirectory | CreateEntry | RemoveEntry, Some(libc::EACCES)) => {
            " (only root may change this directory)"
        }
        (CreateDirectory, Some(libc::ENOENT)) => " (its parent directory does not exist)",
        (Watch, Some(libc::EMFILE)) => " (see /proc/sys/fs/inotify/max_user_instances, and `ulimit -n`)",
        (Watch, Some(libc::ENOSPC)) => " (see /proc/sys/fs/inotify/max_user_watches)",
        (MountEntry, Some(libc::ENOENT)) => " (is /proc mounted? Or did someone remove the name meanwhile?)",
        (ReadPropagation | Watch, Some(libc::ENOENT)) => " (is /proc mounted?)",
        (BindDirectory | MountEntry, Some(libc::ENOSPC)) => " (see /proc/sys/fs/mount-max)",
        _ => "",
    }
}
