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

/// Shows every entry once, with the namespace that it leads to while it is open.
pub(super) fn for_each(
    registry: &Registry,
    mut show: impl FnMut(Entry, Option<&Netns>),
) -> Result<(), RegistryError> {
    let failed = |source: io::Error| RegistryError::System {
        operation: RegistryOperation::List,
        path: registry.path().to_owned(),
        source,
    };
    let directory = match fs::read_dir(registry.path()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        directory => directory.map_err(failed)?,
    };
    for file in directory {
        let file = file.map_err(failed)?;
        // A file name obeys all rules of a name, so that nothing is passed over here.
        let Ok(name) = NetnsName::new(file.file_name()) else {
            continue;
        };
        // An entry that went away meanwhile is not listed.
        if let Some((state, netns)) = look_at(registry, &name) {
            show(Entry { name, state }, netns.as_ref());
        }
    }
    Ok(())
}

/// What stands under a name, and the namespace, if it is one; `None` if there is no such name.
pub(super) fn look_at(registry: &Registry, name: &NetnsName) -> Option<(EntryState, Option<Netns>)> {
    // If this fails, opening it tells why, in the words for a namespace.
    if let Ok(Some(found)) = not_a_namespace(&registry.path().join(name)) {
        return Some(found);
    }
    let opened = registry.open(name).and_then(|netns| Ok((netns.id()?, netns)));
    let state = match opened {
        Ok((id, netns)) => return Some((EntryState::Live { id }, Some(netns))),
        Err(OpenError::NotFound { .. }) => return None,
        Err(OpenError::NotNetns { found, .. }) => EntryState::WrongType { found },
        Err(error) => EntryState::Unreadable { error },
    };
    Some((state, None))
}

/// What `path` is, if it is not a file of the namespace filesystem. `O_PATH` opens it without touching it,
/// and needs no permission on it (a dangling entry has mode 0).
fn not_a_namespace(path: &Path) -> io::Result<Option<(EntryState, Option<Netns>)>> {
    let probe = open(
        path,
        OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC,
        Mode::empty(),
    )?;
    let stat = fstat(probe.as_fd())?;
    if stat.st_mode & libc::S_IFMT == libc::S_IFLNK {
        let netns = Netns::open_path(path).ok();
        let state = EntryState::Symlink {
            to: fs::read_link(path)?,
            id: netns.as_ref().and_then(|netns| netns.id().ok()),
        };
        return Ok(Some((state, netns)));
    }
    Ok(not_nsfs(probe.as_fd())?.map(|found| {
        let state = match found {
            // What has something in it was never made for a mount.
            Found::RegularFile if stat.st_size == 0 => EntryState::Dangling,
            found => EntryState::WrongType { found },
        };
        (state, None)
    }))
}
