//! `Root`: the directory that absolute paths begin at, kept open by a process that leaves it.
//!
//! After `chroot(2)` there is no `/run/netns` and no `/proc` any more. Whoever has kept the root directory open still finds
//! namespaces by name, by path and by process, as they are then. A descriptor of a directory outside is also a way out of the
//! new root, for whoever can make the process use it: such a process is confined by what it may do, not by where it is.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, open, openat, openat2};
use nix::sys::stat::{FileStat, Mode, fstatat};

use crate::error::{OpenError, Target};
use crate::spec::Form;
use crate::{Netns, NetnsSpec, Registry};

/// A root directory that was the process's own when this was made.
///
/// ```no_run
/// use std::num::NonZeroUsize;
/// use std::sync::Arc;
/// use netns_core::{Root, SocketPool};
///
/// let root = Arc::new(Root::current()?);
/// // ... chroot(2) ...
/// let blue = root.open(&"blue".parse()?)?;
/// let pool = SocketPool::of_this_thread_from(root, NonZeroUsize::new(16).unwrap(), 256)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Root(OwnedFd);

impl Root {
    /// The root directory that the process has now.
    ///
    /// # Errors
    ///
    /// It may not be searched, or the process has no descriptor left.
    pub fn current() -> io::Result<Self> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(Self(open("/", flags, Mode::empty())?))
    }

    /// Opens the namespace that `spec` names, as seen from this root.
    ///
    /// # Errors
    ///
    /// As [`Netns::open`].
    pub fn open(&self, spec: &NetnsSpec) -> Result<Netns, OpenError> {
        let target = || match spec.form() {
            Form::Name(name) => Target::Name {
                name: name.clone(),
                registry: Registry::system().path().to_owned(),
            },
            Form::Path(path) => Target::Path(path.to_path_buf()),
            Form::Pid(pid) => Target::Pid(*pid),
        };
        Netns::open_file_with(|flags| self.open_at(&spec.file(), flags), target)
    }

    /// Opens the file at an absolute path.
    pub(crate) fn open_at(&self, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
        // The links of /proc lead where no path does, and where no lookup that is kept within a root may go.
        if path.starts_with("/proc") {
            return openat(&self.0, beneath(path), flags, Mode::empty());
        }
        // Absolute symbolic links begin at this root, too.
        let how = OpenHow::new().flags(flags).resolve(ResolveFlag::RESOLVE_IN_ROOT);
        openat2(&self.0, beneath(path), how)
    }

    /// What `stat(2)` says of an absolute path.
    pub(crate) fn stat(&self, path: &Path) -> nix::Result<FileStat> {
        fstatat(&self.0, beneath(path), AtFlags::empty())
    }
}

fn beneath(path: &Path) -> &Path {
    path.strip_prefix("/").unwrap_or(path)
}
