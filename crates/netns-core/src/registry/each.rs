//! Many names at once: one thread for all, and one lock for many.
//!
//! A name costs little beside the directory's preparation, for which the kernel goes through all mounts in it. The
//! lock is given away now and then, so that others need not wait for a thousand namespaces.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use nix::sys::stat::fstat;
use nix::sys::statfs::{TMPFS_MAGIC, fstatfs};

use super::{Registry, RegistryError, RegistryOperation, directory, remove_entry};
use crate::{Netns, NetnsName, scoped};

/// Names that are added under one lock: some 10 ms.
const ADDED: usize = 32;
/// Names that are removed under one lock, and after one reading of the directory: a few milliseconds.
const REMOVED: usize = 256;

impl Registry {
    /// [`Registry::add`] for many names, each with an outcome of its own, in their order. A name that cannot be
    /// added does not stop those behind it.
    ///
    /// # Errors
    ///
    /// Each as [`Registry::add`].
    pub fn add_each(&self, names: &[NetnsName]) -> Vec<Result<(), RegistryError>> {
        // Without a thread each has to fail in its own words.
        scoped::on_own_thread(|| self.add_each_and_stay(names))
            .unwrap_or_else(|_| names.iter().map(|name| self.add(name).map(drop)).collect())
    }

    /// [`Registry::add_each`] without a thread for it: **the calling thread goes from one new namespace to the
    /// next, and stays in the last.** It is for a program that has no other thread, and ends after this.
    ///
    /// # Errors
    ///
    /// Each as [`Registry::add`].
    pub fn add_each_and_stay(&self, names: &[NetnsName]) -> Vec<Result<(), RegistryError>> {
        let mut outcomes = Vec::with_capacity(names.len());
        for group in names.chunks(ADDED) {
            match directory::prepare(self.path()) {
                Ok(_lock) => outcomes.extend(
                    group
                        .iter()
                        .map(|name| self.attach_locked(name, || Ok(Netns::create_here()?))),
                ),
                // Each has to fail in its own words.
                Err(_) => outcomes.extend(group.iter().map(|name| self.attach(name, &Netns::create_here()?))),
            }
        }
        outcomes
    }

    /// [`Registry::remove`] for many names, each with an outcome of its own, in their order. A name that cannot
    /// be removed does not stop those behind it.
    ///
    /// # Errors
    ///
    /// Each as [`Registry::remove`].
    pub fn remove_each(&self, names: &[NetnsName]) -> Vec<Result<(), RegistryError>> {
        let mut outcomes = Vec::with_capacity(names.len());
        // That of each name in turn.
        let mut path = PathBuf::new();
        for group in names.chunks(REMOVED) {
            match directory::lock(self.path()).and_then(|lock| Ok((self.subdirectories(lock.as_fd())?, lock)))
            {
                Ok((subdirectories, lock)) => outcomes.extend(group.iter().map(|name| {
                    let file: &Path = name.as_ref();
                    path.clear();
                    path.push(self.path());
                    path.push(file);
                    if subdirectories.contains::<OsStr>(name.as_ref()) {
                        return Err(RegistryError::IsDirectory { path: path.clone() });
                    }
                    remove_entry(&path, file, lock.as_fd())
                })),
                Err(_) => outcomes.extend(group.iter().map(|name| self.remove(name))),
            }
        }
        outcomes
    }

    /// The entries that are directories: most often none. One reading of the registry says it of all names, and
    /// the number of its links often makes that needless.
    fn subdirectories(&self, directory: BorrowedFd<'_>) -> Result<HashSet<OsString>, RegistryError> {
        if has_no_subdirectory(directory) {
            return Ok(HashSet::new());
        }
        let failed = |source| RegistryError::System {
            operation: RegistryOperation::Inspect,
            path: self.path().to_owned(),
            source,
        };
        let mut found = HashSet::new();
        for entry in fs::read_dir(self.path()).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                found.insert(entry.file_name());
            }
        }
        Ok(found)
    }
}

/// Whether the links of a directory say that it has none below it: its own name and `.` are two, and each
/// subdirectory's `..` is another. That is so on tmpfs, as /run is; other file systems need not count them.
fn has_no_subdirectory(directory: BorrowedFd<'_>) -> bool {
    fstatfs(directory).is_ok_and(|system| system.filesystem_type() == TMPFS_MAGIC)
        && fstat(directory).is_ok_and(|stat| stat.st_nlink == 2)
}
