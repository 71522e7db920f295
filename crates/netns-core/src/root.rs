//! `Root`: the directory that absolute paths begin at, kept open by a process that leaves it.
//!
//! After `chroot(2)` there is no `/run/netns` and no `/proc` any more. Whoever has kept the root directory open still finds
//! namespaces by name, by path and by process, as they are then. A descriptor of a directory outside is also a way out of the
//! new root, for whoever can make the process use it: such a process is confined by what it may do, not by where it is.

use std::borrow::Cow;
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, open, openat, openat2, readlinkat};
use nix::sys::stat::{FileStat, Mode, fstat, fstatat};
use nix::unistd::fchdir;

use crate::error::{OpenError, Target};
use crate::spec::Form;
use crate::{Netns, NetnsSpec, Registry};

const PROC: &str = "/proc";
/// How many symbolic links to the links of /proc are followed, one to the other.
const MOST_LINKS: usize = 8;
/// How often a lookup is made that something moved under.
const MOST_LOOKUPS: usize = 128;

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

    /// Opens a file for reading, by its absolute path from this root. Symbolic links on the way begin at this root, too, and
    /// do not lead out of it. The exception is `/proc`: its links lead to what they stand for, wherever that is, and so do
    /// links to them.
    ///
    /// # Errors
    ///
    /// As [`File::open`].
    pub fn open_file(&self, path: &Path) -> io::Result<File> {
        let fd = self.open_at(path, OFlag::O_RDONLY | OFlag::O_CLOEXEC)?;
        Ok(File::from(fd))
    }

    /// What a file is, by its absolute path from this root as in [`Root::open_file`]. It is not opened for reading, so a pipe
    /// without a writer does not make this wait.
    ///
    /// # Errors
    ///
    /// As [`std::fs::metadata`].
    pub fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        let fd = self.open_at(path, OFlag::O_PATH | OFlag::O_CLOEXEC)?;
        File::from(fd).metadata()
    }

    /// Makes this root the working directory of the calling thread and of those that share it (`CLONE_FS`).
    pub(crate) fn make_working_directory(&self) -> nix::Result<()> {
        fchdir(&self.0)
    }

    /// Opens the file at an absolute path.
    pub(crate) fn open_at(&self, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
        let mut path = Cow::Borrowed(path);
        for _ in 0..MOST_LINKS {
            // The links of /proc lead where no path does, and where no lookup that is kept within a root may go.
            if path.starts_with(PROC) {
                return openat(&self.0, beneath(&path), flags, Mode::empty());
            }
            match self.open_kept(&path, flags) {
                // A link to one of those: a name that was made for a container, for example.
                Err(nix::Error::EXDEV) => path = Cow::Owned(self.follow(&path)?),
                result => return result,
            }
        }
        Err(nix::Error::ELOOP)
    }

    /// What `stat(2)` says of an absolute path.
    pub(crate) fn stat(&self, path: &Path) -> nix::Result<FileStat> {
        let follow = if path.starts_with(PROC) {
            AtFlags::empty()
        } else {
            AtFlags::AT_SYMLINK_NOFOLLOW
        };
        match fstatat(&self.0, beneath(path), follow) {
            Ok(stat) if stat.st_mode & libc::S_IFMT != libc::S_IFLNK => Ok(stat),
            // A symbolic link on the way would begin at the root that the process has now.
            _ => fstat(self.open_at(path, OFlag::O_PATH | OFlag::O_CLOEXEC)?),
        }
    }

    /// Opens the file at `path`, with all symbolic links on the way beginning at this root.
    fn open_kept(&self, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
        let how = OpenHow::new().flags(flags).resolve(ResolveFlag::RESOLVE_IN_ROOT);
        for _ in 1..MOST_LOOKUPS {
            match openat2(&self.0, beneath(path), how) {
                // A rename or a mount anywhere while the kernel was at a `..`: it cannot tell whether that led out
                // (openat2(2)).
                Err(nix::Error::EAGAIN) => {}
                result => return result,
            }
        }
        openat2(&self.0, beneath(path), how)
    }

    /// Where the symbolic link at `path` leads.
    fn follow(&self, path: &Path) -> nix::Result<PathBuf> {
        let link = self.open_kept(path, OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC)?;
        let target = readlinkat(&link, "")?;
        Ok(path.parent().unwrap_or(path).join(target))
    }
}

/// The same path, relative to a root.
pub(crate) fn beneath(path: &Path) -> &Path {
    path.strip_prefix("/").unwrap_or(path)
}
