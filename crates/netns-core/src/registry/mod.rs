//! `Registry`: the directory in which network namespaces have names.
//!
//! # How a name works
//!
//! An entry is an empty file with the namespace's own file bind-mounted on it; the mount keeps the namespace
//! alive. The directory is a shared mount of its own, so that a name made in one mount namespace is seen in
//! the others. All this is `ip netns`'s convention (iproute2, `ip/ipnetns.c`), and each can use what the
//! other made.
//!
//! # What differs from iproute2
//!
//! - The lock (`flock` on the directory, the same that iproute2 takes) covers the entry too, not only the
//!   directory's set-up.
//! - The namespace is made on a thread that ends inside it; the caller never moves, so a failed return cannot
//!   leave a name behind.
//! - The directory is made private before it is shared; otherwise each name would be mounted twice where
//!   `/run` is shared (iproute2 does so since 7.0).
//! - `remove` does not follow symlinks when it unmounts, and takes away stacked mounts.
//! - Whatever fails, no half-made entry stays.
//!
//! # Files
//!
//! This one adds, removes and opens names; [`each`] does it with many at once. [`entry`] says what stands under
//! them, [`identify`] which name a namespace or a process has, [`reach`] who else sees them, and [`watch`] when
//! they change.

mod directory;
mod each;
mod entry;
mod error;
mod identify;
mod reach;
mod sight;
mod watch;

pub use entry::{Entry, EntryState};
pub use error::{RegistryError, RegistryOperation};
pub use reach::Reach;
pub use sight::Sight;
pub use watch::{Watch, WatchEvent};

use std::borrow::Borrow;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};

use nix::fcntl::{AtFlags, OFlag, open};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::{Mode, fstatat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::error::{OpenError, Target};
use crate::{Netns, NetnsName};

/// The directory of `ip netns`. Distributions that write `/var/run/netns` have a symlink.
const SYSTEM_REGISTRY: &str = "/run/netns";

/// A directory of named network namespaces.
///
/// ```no_run
/// use netns_core::{NetnsName, Registry};
///
/// let registry = Registry::system();
/// let blue: NetnsName = "blue".parse()?;
/// let netns = registry.add(&blue)?;
/// println!("blue is namespace {}", netns.id()?);
/// registry.remove(&blue)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    path: PathBuf,
}

impl Registry {
    /// `/run/netns`, which is that of `ip netns`.
    pub fn system() -> Self {
        Self::at(SYSTEM_REGISTRY)
    }

    /// Any directory. It need not exist: the first [`Registry::add`] makes it, though not its parents.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a new network namespace, gives it `name`, and returns it open. Its `lo` is down.
    /// [`Registry::add_each`] is for many.
    ///
    /// # Errors
    ///
    /// The name is taken, or the kernel refuses. Then there is no new name and no new namespace.
    pub fn add(&self, name: &NetnsName) -> Result<Netns, RegistryError> {
        let netns = Netns::create()?;
        self.attach(name, &netns)?;
        Ok(netns)
    }

    /// Makes the directory what the first name makes it: a mount of its own, from which mounts spread. A mount namespace that is
    /// made afterwards, such as that of a service with private mounts, then sees the names that are added here later.
    ///
    /// # Errors
    ///
    /// It cannot be made, or the kernel refuses.
    pub fn prepare(&self) -> Result<(), RegistryError> {
        directory::prepare(&self.path).map(drop)
    }

    /// Gives a namespace a name; it may have others, here and elsewhere.
    ///
    /// # Errors
    ///
    /// The name is taken, or the kernel refuses. Then there is no new name.
    pub fn attach(&self, name: &NetnsName, netns: &Netns) -> Result<(), RegistryError> {
        let _lock = directory::prepare(&self.path)?;
        self.attach_locked(name, || Ok(netns))
    }

    /// Gives the namespace a name that is made, or borrowed, once it is clear that the name is free.
    fn attach_locked<N: Borrow<Netns>>(
        &self,
        name: &NetnsName,
        netns: impl FnOnce() -> Result<N, RegistryError>,
    ) -> Result<(), RegistryError> {
        let path = self.path.join(name);
        let placeholder = Placeholder::create(&path)?;
        let netns = netns()?;
        let netns = netns.borrow();
        // The descriptor's magic link: the namespace may have no path of its own. The descriptors are this
        // thread's, which may differ from those of the process.
        let source = format!("/proc/thread-self/fd/{}", netns.as_fd().as_raw_fd());
        mount(Some(source.as_str()), &path, NO_TEXT, MsFlags::MS_BIND, NO_TEXT)
            .map_err(RegistryError::during(RegistryOperation::MountEntry, &path))?;
        placeholder.keep();
        Ok(())
    }

    /// Takes a name away, whatever stands under it: a namespace, an empty file that is left over, or a
    /// symlink.
    ///
    /// The namespace itself lives on as long as a process, socket, descriptor or other mount is in it.
    ///
    /// # Errors
    ///
    /// There is no such name, it is a directory, or the kernel holds on to it ([`RegistryError::Busy`]).
    pub fn remove(&self, name: &NetnsName) -> Result<(), RegistryError> {
        let directory = match directory::lock(&self.path) {
            Err(error) if error.is_missing() => {
                return Err(RegistryError::NotFound {
                    path: self.path.join(name),
                });
            }
            lock => lock?,
        };
        let (path, file): (_, &Path) = (self.path.join(name), name.as_ref());
        match fstatat(directory.as_fd(), file, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Err(nix::Error::ENOENT) => return Err(RegistryError::NotFound { path }),
            Err(errno) => return Err(RegistryError::during(RegistryOperation::Inspect, &path)(errno)),
            Ok(stat) if stat.st_mode & libc::S_IFMT == libc::S_IFDIR => {
                return Err(RegistryError::IsDirectory { path });
            }
            Ok(_) => {}
        }
        remove_entry(&path, file, directory.as_fd())
    }

    /// All entries, in the directory's own order, each with what stands under its name. A directory that does
    /// not exist has no entries.
    ///
    /// An entry which another process is making at this moment may be seen as [`EntryState::Dangling`].
    ///
    /// # Errors
    ///
    /// The directory cannot be read. An entry that cannot be read is an [`EntryState::Unreadable`] instead.
    pub fn list(&self) -> Result<Vec<Entry>, RegistryError> {
        let mut entries = Vec::new();
        self.for_each(|entry, _| entries.push(entry))?;
        Ok(entries)
    }

    /// As [`Registry::list`], but each entry is shown in its turn, with the namespace that it leads to. That was opened
    /// to look at it, and is closed when `show` returns: whoever asks it for something need not open it again, and not
    /// more than one is open, however many there are.
    ///
    /// # Errors
    ///
    /// As [`Registry::list`].
    pub fn for_each(&self, show: impl FnMut(Entry, Option<&Netns>)) -> Result<(), RegistryError> {
        entry::for_each(self, show)
    }

    /// Opens the namespace called `name`.
    ///
    /// # Errors
    ///
    /// There is none, it is something else, or the kernel refuses to open it.
    pub fn open(&self, name: &NetnsName) -> Result<Netns, OpenError> {
        let target = || Target::Name {
            name: name.clone(),
            registry: self.path.clone(),
        };
        Netns::open_file(&self.path.join(name), target)
    }
}

/// An argument of `mount(2)` that is not used.
const NO_TEXT: Option<&str> = None;

/// Removes what is known not to be a directory, on which another file system may be mounted. `path` is that of `file` in
/// the registry's `directory`, which is locked. From there the kernel finds a name sooner than by its path.
fn remove_entry(path: &Path, file: &Path, directory: BorrowedFd<'_>) -> Result<(), RegistryError> {
    loop {
        let unmounted = umount2(path, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW);
        let Err(errno) = unlinkat(directory, file, UnlinkatFlags::NoRemoveDir) else {
            return Ok(());
        };
        return Err(match (unmounted, errno) {
            (_, nix::Error::ENOENT) => RegistryError::NotFound {
                path: path.to_owned(),
            },
            // One mount less, and there is another.
            (Ok(()), nix::Error::EBUSY) => continue,
            // Not a mount point, or a mount that came through a user namespace boundary and is locked.
            (Err(nix::Error::EINVAL), nix::Error::EBUSY) => RegistryError::Busy {
                path: path.to_owned(),
                source: errno.into(),
            },
            (Ok(()) | Err(nix::Error::EINVAL), _) => {
                RegistryError::during(RegistryOperation::RemoveEntry, path)(errno)
            }
            // The file is busy because it could not be unmounted: that is what must be told.
            (Err(errno), _) => RegistryError::during(RegistryOperation::Unmount, path)(errno),
        });
    }
}

/// The empty file of an entry that is being made. Unless it is kept, it goes away again.
struct Placeholder<'a> {
    path: &'a Path,
    is_kept: bool,
}

impl<'a> Placeholder<'a> {
    fn create(path: &'a Path) -> Result<Self, RegistryError> {
        let flags = OFlag::O_RDONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        // Mode 0, as iproute2 has it: nobody mistakes it for a namespace file.
        match open(path, flags, Mode::empty()) {
            Ok(_closed) => Ok(Self { path, is_kept: false }),
            Err(nix::Error::EEXIST) => Err(RegistryError::Exists {
                path: path.to_owned(),
            }),
            Err(errno) => Err(RegistryError::during(RegistryOperation::CreateEntry, path)(errno)),
        }
    }

    fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for Placeholder<'_> {
    fn drop(&mut self) {
        if !self.is_kept {
            // The error that led here is the one to report.
            let _ = std::fs::remove_file(self.path);
        }
    }
}
