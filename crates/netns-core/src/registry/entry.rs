//! What stands under the names of a registry.
//!
//! `ip netns list` prints any file of the directory as if it were a namespace. Here each entry is looked at,
//! without following a symlink and without opening anything that is not on the namespace filesystem.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, fstat};

use super::Registry;
use super::error::{RegistryError, RegistryOperation};
use crate::error::{Found, OpenError};
use crate::netns::not_nsfs;
use crate::{Netns, NetnsId, NetnsName};

/// An entry of a registry.
#[derive(Debug)]
pub struct Entry {
    /// Its name.
    pub name: NetnsName,
    /// What stands under the name.
    pub state: EntryState,
}

/// What stands under a name.
#[derive(Debug)]
#[non_exhaustive]
pub enum EntryState {
    /// A network namespace.
    Live {
        /// Which one.
        id: NetnsId,
    },
    /// An empty file: the namespace's mount was undone, or was made in another mount namespace and is not
    /// seen in this one. [`Registry::remove`] takes it away.
    Dangling,
    /// Neither a network namespace nor the remains of one.
    WrongType {
        /// What it is.
        found: Found,
    },
    /// A symlink, as people make for the namespaces of Docker.
    Symlink {
        /// What is written in it.
        to: PathBuf,
        /// The network namespace to which it leads, if it leads to one.
        id: Option<NetnsId>,
    },
    /// It could not be looked at.
    Unreadable {
        /// Why.
        error: OpenError,
    },
}

pub(super) fn list(registry: &Registry) -> Result<Vec<Entry>, RegistryError> {
    let failed = |source: io::Error| RegistryError::System {
        operation: RegistryOperation::List,
        path: registry.path().to_owned(),
        source,
    };
    let directory = match fs::read_dir(registry.path()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        directory => directory.map_err(failed)?,
    };
    let mut entries = Vec::new();
    for file in directory {
        let file = file.map_err(failed)?;
        // A file name obeys all rules of a name, so that nothing is passed over here.
        let Ok(name) = NetnsName::new(file.file_name()) else {
            continue;
        };
        // An entry that went away meanwhile is not listed.
        if let Some(state) = look_at(registry, &name) {
            entries.push(Entry { name, state });
        }
    }
    Ok(entries)
}

fn look_at(registry: &Registry, name: &NetnsName) -> Option<EntryState> {
    // If this fails, opening it tells why, in the words for a namespace.
    if let Ok(Some(state)) = not_a_namespace(&registry.path().join(name)) {
        return Some(state);
    }
    match registry.open(name).and_then(|netns| netns.id()) {
        Ok(id) => Some(EntryState::Live { id }),
        Err(OpenError::NotFound { .. }) => None,
        Err(OpenError::NotNetns { found, .. }) => Some(EntryState::WrongType { found }),
        Err(error) => Some(EntryState::Unreadable { error }),
    }
}

/// What `path` is, if it is not a file of the namespace filesystem. `O_PATH` opens it without touching it,
/// and needs no permission on it (a dangling entry has mode 0).
fn not_a_namespace(path: &Path) -> io::Result<Option<EntryState>> {
    let probe = open(
        path,
        OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC,
        Mode::empty(),
    )?;
    let stat = fstat(probe.as_fd())?;
    if stat.st_mode & libc::S_IFMT == libc::S_IFLNK {
        let id = Netns::open_path(path).and_then(|netns| netns.id()).ok();
        return Ok(Some(EntryState::Symlink {
            to: fs::read_link(path)?,
            id,
        }));
    }
    Ok(not_nsfs(probe.as_fd())?.map(|found| match found {
        // What has something in it was never made for a mount.
        Found::RegularFile if stat.st_size == 0 => EntryState::Dangling,
        found => EntryState::WrongType { found },
    }))
}
