//! `Netns`: an open network namespace.
//!
//! Whatever it was opened from, a `Netns` was asked two questions before it came into being: is it a file of
//! the kernel's namespace filesystem, and is it of the network kind. So no thread ever tries to enter
//! `/etc/passwd`. This file moves no thread; see [`run`](crate::run), [`Netns::enter`] and
//! [`Home`](crate::Home) for that.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, open};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::Mode;
use nix::sys::statfs::{NSFS_MAGIC, fstatfs};

use crate::error::{Found, OpenError, OpenOperation, Target};
use crate::file_id::FileId;
use crate::spec::Form;
use crate::{
    NamespaceType, NetnsId, NetnsName, NetnsSpec, Registry, Root, UserNamespace, process, scoped, sys,
};

/// The calling thread's own network namespace. `/proc/self/ns/net` would be the main thread's.
const THREAD_NETNS: &str = "/proc/thread-self/ns/net";

/// An open network namespace. It keeps the namespace alive until it is dropped.
///
/// Two handles of the same namespace are told by their ids: `a.id()? == b.id()?`.
#[derive(Debug)]
pub struct Netns {
    fd: OwnedFd,
}

impl Netns {
    /// Opens the namespace that `spec` names. A name is looked up in `/run/netns`.
    ///
    /// # Errors
    ///
    /// There is none, it is something else, or the kernel refuses to open it.
    pub fn open(spec: &NetnsSpec) -> Result<Self, OpenError> {
        match spec.form() {
            Form::Name(name) => Self::open_name(name),
            Form::Path(path) => Self::open_path(path),
            Form::Pid(pid) => Self::open_pid(*pid),
        }
    }

    /// Opens the namespace called `name` in `/run/netns`. [`Registry::open`] does it for other directories.
    ///
    /// # Errors
    ///
    /// As [`Netns::open`].
    pub fn open_name(name: &NetnsName) -> Result<Self, OpenError> {
        Registry::system().open(name)
    }

    /// Opens the namespace file at `path`, for example `/proc/4711/ns/net` or a bind mount of it.
    ///
    /// # Errors
    ///
    /// As [`Netns::open`].
    pub fn open_path(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = path.as_ref();
        Self::open_file(path, || Target::Path(path.to_owned()))
    }

    /// Opens the network namespace in which the main thread of process `pid` is.
    ///
    /// # Errors
    ///
    /// As [`Netns::open`]. A number does not hold its process: if that may end and its number be used again,
    /// compare what you know of it afterwards.
    pub fn open_pid(pid: u32) -> Result<Self, OpenError> {
        Self::open_file(&PathBuf::from(format!("/proc/{pid}/ns/net")), || Target::Pid(pid))
    }

    /// Opens the network namespace in which thread `tid` of process `pid` is.
    ///
    /// # Errors
    ///
    /// As [`Netns::open_pid`].
    pub fn open_tid(pid: u32, tid: u32) -> Result<Self, OpenError> {
        let path = PathBuf::from(format!("/proc/{pid}/task/{tid}/ns/net"));
        Self::open_file(&path, || Target::Thread { pid, tid })
    }

    /// Opens the network namespace in which the main thread of a process is, given by a descriptor
    /// (`pidfd_open(2)`). It is that of this process, and not of another one that has got its number.
    ///
    /// # Errors
    ///
    /// The process has ended, `pidfd` is not the descriptor of one, or the kernel refuses.
    pub fn open_pidfd(pidfd: impl AsFd) -> Result<Self, OpenError> {
        process::open_pidfd(pidfd.as_fd())
    }

    /// Opens the network namespace in which the calling thread is now.
    ///
    /// # Errors
    ///
    /// `/proc` is not mounted, or the process has no descriptor left.
    pub fn current() -> Result<Self, OpenError> {
        open_thread_netns()
            .map(|fd| Self { fd })
            .map_err(|source| OpenError::System {
                operation: OpenOperation::Open,
                target: Target::CurrentThread,
                source,
            })
    }

    /// Opens the network namespace in which `socket` was made (`SIOCGSKNS`).
    ///
    /// # Errors
    ///
    /// `socket` is not a socket, or the caller lacks `CAP_NET_ADMIN` in the user namespace that owns the
    /// network namespace. [`NetnsId::of_socket`] needs no privilege.
    pub fn of_socket(socket: &impl AsFd) -> Result<Self, OpenError> {
        sys::socket::open_netns(socket.as_fd())
            .map(|fd| Self { fd })
            .map_err(|source| OpenError::System {
                operation: OpenOperation::Open,
                target: Target::Socket,
                source,
            })
    }

    /// Takes over a descriptor, if it is one of a network namespace.
    ///
    /// # Errors
    ///
    /// It is something else. The descriptor is closed.
    pub fn from_fd(fd: OwnedFd) -> Result<Self, OpenError> {
        Self::checked(fd, || Target::Descriptor)
    }

    /// Makes a new network namespace that has no name. It lives until the last handle, socket and thread
    /// in it is gone; [`Registry::attach`] gives it a name. Its `lo` is down and it has no other interface.
    ///
    /// The calling thread does not move: a thread made for this purpose does, and ends.
    ///
    /// # Errors
    ///
    /// The caller lacks `CAP_SYS_ADMIN`, or a limit is reached.
    pub fn create() -> Result<Self, OpenError> {
        scoped::on_own_thread(Self::create_here).map_err(cannot_create)?
    }

    /// Makes a new network namespace, and leaves the calling thread in it, which must be one that ends.
    pub(crate) fn create_here() -> Result<Self, OpenError> {
        unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| cannot_create(errno.into()))?;
        let fd = open_thread_netns().map_err(cannot_create)?;
        Ok(Self { fd })
    }

    /// The namespace's identity.
    ///
    /// One system call on Linux 6.18 and later. An older kernel tells it only to a socket inside, so there
    /// a thread is started which enters the namespace.
    ///
    /// # Errors
    ///
    /// On a kernel before 6.18 the namespace cannot be entered, or the kernel is older than 5.14.
    pub fn id(&self) -> Result<NetnsId, OpenError> {
        NetnsId::of_netns(self).map_err(|source| OpenError::System {
            operation: OpenOperation::ReadId,
            target: Target::Handle,
            source,
        })
    }

    /// The number of the namespace's file, which `ls -i` and `/proc/PID/ns/net` show. It tells namespaces from
    /// each other as long as both are open; the kernel uses it again when one has died.
    ///
    /// # Errors
    ///
    /// The kernel refuses.
    pub fn inode(&self) -> Result<u64, OpenError> {
        self.file_id().map(|file| file.inode)
    }

    /// Opens the user namespace that owns this network namespace: privileges count that one has there.
    ///
    /// # Errors
    ///
    /// It is outside of the caller's user namespace.
    pub fn owner(&self) -> Result<UserNamespace, OpenError> {
        UserNamespace::of_netns(self)
    }

    /// Another handle of the same namespace.
    ///
    /// # Errors
    ///
    /// The process has no descriptor left.
    pub fn try_clone(&self) -> Result<Self, OpenError> {
        self.fd
            .try_clone()
            .map(|fd| Self { fd })
            .map_err(|source| OpenError::System {
                operation: OpenOperation::Duplicate,
                target: Target::Descriptor,
                source,
            })
    }

    /// What tells this namespace's file from others as long as this handle is held.
    pub(crate) fn file_id(&self) -> Result<FileId, OpenError> {
        FileId::of(&self.fd).map_err(|source| OpenError::System {
            operation: OpenOperation::Inspect,
            target: Target::Handle,
            source,
        })
    }

    /// Takes over a descriptor which the kernel has just made for the network namespace of something.
    pub(crate) fn trusted(fd: OwnedFd) -> Self {
        Self { fd }
    }

    pub(crate) fn open_file(path: &Path, target: impl Fn() -> Target) -> Result<Self, OpenError> {
        Self::open_file_with(|flags| open(path, flags, Mode::empty()), target)
    }

    /// Opens a file by `open`, which is given the flags of `open(2)`.
    pub(crate) fn open_file_with(
        open: impl FnOnce(OFlag) -> nix::Result<OwnedFd>,
        target: impl Fn() -> Target,
    ) -> Result<Self, OpenError> {
        // O_NONBLOCK and O_NOCTTY: the path may be anything, a FIFO without a writer or a terminal too.
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let fd = open(flags).map_err(|errno| match errno {
            nix::Error::ENOENT | nix::Error::ESRCH => OpenError::NotFound { target: target() },
            // A socket file, or a device without a driver.
            nix::Error::ENXIO | nix::Error::ENODEV => OpenError::NotNetns {
                target: target(),
                found: Found::OtherFile,
            },
            errno => OpenError::System {
                operation: OpenOperation::Open,
                target: target(),
                source: errno.into(),
            },
        })?;
        Self::checked(fd, target)
    }

    fn checked(fd: OwnedFd, target: impl Fn() -> Target) -> Result<Self, OpenError> {
        match inspect(fd.as_fd()) {
            Ok(None) => Ok(Self { fd }),
            Ok(Some(found)) => Err(OpenError::NotNetns {
                target: target(),
                found,
            }),
            Err(source) => Err(OpenError::System {
                operation: OpenOperation::Inspect,
                target: target(),
                source,
            }),
        }
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl From<Netns> for OwnedFd {
    fn from(netns: Netns) -> Self {
        netns.fd
    }
}

/// Takes over a descriptor after the checks of [`Netns::from_fd`].
impl TryFrom<OwnedFd> for Netns {
    type Error = OpenError;

    fn try_from(fd: OwnedFd) -> Result<Self, OpenError> {
        Self::from_fd(fd)
    }
}

fn cannot_create(source: io::Error) -> OpenError {
    OpenError::System {
        operation: OpenOperation::Create,
        target: Target::New,
        source,
    }
}

/// As [`open_thread_netns`], in a process that has left `root`.
pub(crate) fn open_thread_netns_from(root: &Root) -> io::Result<OwnedFd> {
    Ok(root.open_at(Path::new(THREAD_NETNS), OFlag::O_RDONLY | OFlag::O_CLOEXEC)?)
}

/// Opens the namespace of the calling thread, without the checks that its path makes needless.
pub(crate) fn open_thread_netns() -> io::Result<OwnedFd> {
    File::open(THREAD_NETNS).map(OwnedFd::from)
}

/// What `fd` is, if it is not a network namespace. It may be opened with `O_PATH`, unless it is on nsfs.
fn inspect(fd: BorrowedFd<'_>) -> io::Result<Option<Found>> {
    if let Some(found) = not_nsfs(fd)? {
        return Ok(Some(found));
    }
    Ok(
        match NamespaceType::from_clone_flag(sys::nsfs::namespace_type(fd)?) {
            NamespaceType::Net => None,
            other => Some(Found::Namespace(other)),
        },
    )
}

/// What `fd` is, if it is not a namespace file at all. It may be opened with `O_PATH`.
pub(crate) fn not_nsfs(fd: BorrowedFd<'_>) -> io::Result<Option<Found>> {
    if fstatfs(fd)?.filesystem_type() == NSFS_MAGIC {
        return Ok(None);
    }
    let mode = nix::sys::stat::fstat(fd)?.st_mode;
    Ok(Some(match mode & libc::S_IFMT {
        libc::S_IFREG => Found::RegularFile,
        libc::S_IFDIR => Found::Directory,
        _ => Found::OtherFile,
    }))
}
