//! Many names at once: one thread for all, and one lock for many.
//!
//! A name costs little beside the directory's preparation, for which the kernel goes through all mounts in it. The
//! lock is given away now and then, so that others need not wait for a thousand namespaces.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::fcntl::Flock;

use super::{Registry, RegistryError, directory};
use crate::{Netns, NetnsName, scoped};

/// Names under one lock: some 10 ms, if all are new namespaces.
const GROUP: usize = 32;

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
        in_groups(
            names,
            || directory::prepare(self.path()),
            |name, _| self.attach_locked(name, || Ok(Netns::create_here()?)),
            |name| self.attach(name, &Netns::create_here()?),
        )
    }

    /// [`Registry::remove`] for many names, each with an outcome of its own, in their order. A name that cannot
    /// be removed does not stop those behind it.
    ///
    /// # Errors
    ///
    /// Each as [`Registry::remove`].
    pub fn remove_each(&self, names: &[NetnsName]) -> Vec<Result<(), RegistryError>> {
        in_groups(
            names,
            || directory::lock(self.path()),
            |name, directory| self.remove_locked(name, directory),
            |name| self.remove(name),
        )
    }
}

/// Does it for each name under a lock that it shares with others. If that cannot be had, each name is dealt with
/// `alone`, and has to fail in its own words.
fn in_groups(
    names: &[NetnsName],
    lock: impl Fn() -> Result<Flock<OwnedFd>, RegistryError>,
    locked: impl Fn(&NetnsName, BorrowedFd<'_>) -> Result<(), RegistryError>,
    alone: impl Fn(&NetnsName) -> Result<(), RegistryError>,
) -> Vec<Result<(), RegistryError>> {
    let mut outcomes = Vec::with_capacity(names.len());
    for group in names.chunks(GROUP) {
        match lock() {
            Ok(directory) => outcomes.extend(group.iter().map(|name| locked(name, directory.as_fd()))),
            Err(_) => outcomes.extend(group.iter().map(&alone)),
        }
    }
    outcomes
}
