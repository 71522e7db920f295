//! The errors of opening, entering and using a network namespace.
//!
//! Fields say what was tried, on what, and with which errno (in `source`, so that a printed chain shows it
//! once). The sentence says what a tired operator can do about it. Errors of the registry and of links live
//! beside their code.

mod hint;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::{NamespaceType, NetnsName};

/// What an operation was aimed at.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// A name in a registry directory.
    Name {
        /// The name.
        name: NetnsName,
        /// The directory in which it was looked up.
        registry: PathBuf,
    },
    /// A path.
    Path(PathBuf),
    /// The network namespace of a process.
    Pid(u32),
    /// The network namespace of a thread.
    Thread {
        /// Its process.
        pid: u32,
        /// Its own number.
        tid: u32,
    },
    /// The network namespace of a process that is given by a descriptor.
    Pidfd,
    /// The network namespace in which the calling thread is.
    CurrentThread,
    /// The network namespace of a socket.
    Socket,
    /// A network namespace that is open already.
    Handle,
    /// A descriptor which the caller had opened.
    Descriptor,
    /// The user namespace that owns a network namespace.
    UserNamespace,
    /// A namespace which is being made.
    New,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { name, registry } => {
                write!(
                    f,
                    "network namespace `{name}` ({})",
                    registry.join(name).display()
                )
            }
            Self::Path(path) => write!(f, "`{}`", path.display()),
            Self::Pid(pid) => write!(f, "the network namespace of process {pid}"),
            Self::Thread { pid, tid } => {
                write!(f, "the network namespace of thread {tid} of process {pid}")
            }
            Self::Pidfd => f.write_str("the network namespace of the process"),
            Self::CurrentThread => f.write_str("the network namespace of this thread"),
            Self::Socket => f.write_str("the network namespace of the socket"),
            Self::Handle => f.write_str("the network namespace"),
            Self::Descriptor => f.write_str("the given descriptor"),
            Self::UserNamespace => f.write_str("the owning user namespace"),
            Self::New => f.write_str("a new network namespace"),
        }
    }
}

/// What was found where a network namespace was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Found {
    /// A namespace of another type.
    Namespace(NamespaceType),
    /// A plain file. In a registry it is what remains when the namespace's mount is not visible.
    RegularFile,
    /// A directory.
    Directory,
    /// Another kind of file.
    OtherFile,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Namespace(kind) => write!(f, "a {kind} namespace"),
            Self::RegularFile => f.write_str("a plain file"),
            Self::Directory => f.write_str("a directory"),
            Self::OtherFile => f.write_str("not a namespace file"),
        }
    }
}

/// The step of opening or identifying a network namespace that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenOperation {
    /// Opening the file, or asking the kernel for a descriptor.
    Open,
    /// Asking what the descriptor is.
    Inspect,
    /// Reading the namespace's identity.
    ReadId,
    /// Finding out who owns the namespace.
    ReadOwner,
    /// Looking for the processes in the namespace.
    FindProcesses,
    /// Making a new namespace.
    Create,
    /// Duplicating the descriptor.
    Duplicate,
}

impl fmt::Display for OpenOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Inspect => "inspect",
            Self::ReadId => "read the identity of",
            Self::ReadOwner => "read the owner of",
            Self::FindProcesses => "find the processes in",
            Self::Create => "create",
            Self::Duplicate => "duplicate the descriptor of",
        })
    }
}

/// A network namespace could not be opened, made or identified.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no such entry, path or process.
    #[error("{target} does not exist{}", hint::not_found(target))]
    NotFound {
        /// What was looked for.
        target: Target,
    },
    /// It exists, and it is not a network namespace.
    #[error("{target} is not a network namespace: it is {found}{}", hint::not_netns(target, *found))]
    NotNetns {
        /// What was opened.
        target: Target,
        /// What it is.
        found: Found,
    },
    /// The kernel refused.
    #[error("cannot {operation} {target}{}", hint::open(*operation, target, source))]
    System {
        /// What was tried.
        operation: OpenOperation,
        /// On what.
        target: Target,
        /// The errno.
        source: io::Error,
    },
}

/// A thread could not enter a network namespace, or could not leave it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnterError {
    /// The way back could not be prepared, so the thread has not moved.
    #[error("cannot open the home network namespace of this thread (is /proc mounted?)")]
    OpenHome {
        /// The errno.
        source: io::Error,
    },
    /// The kernel would not let the thread come back, so it has not moved. [`run`](crate::run) needs no way
    /// back, and may work.
    #[error(
        "this thread may not return to its own network namespace once it has left it (CAP_SYS_ADMIN is needed \
         in the user namespace that owns it)"
    )]
    NoWayBack {
        /// The errno.
        source: io::Error,
    },
    /// The namespace could not be entered. The thread has not moved.
    #[error("cannot enter the network namespace{}", hint::enter(source))]
    Enter {
        /// The errno.
        source: io::Error,
    },
    /// The thread could not go home, and is still inside.
    #[error("cannot return to the home network namespace{}", hint::enter(source))]
    Leave {
        /// The errno.
        source: io::Error,
    },
    /// A visit inside a visit of the same thread. The inner one was not begun.
    #[error("this thread is visiting a network namespace already; a visit cannot contain another")]
    Nested,
    /// The thread which should have entered could not be started.
    #[error("cannot start a thread to enter the network namespace")]
    StartThread {
        /// The errno.
        source: io::Error,
    },
}

/// What was done with a socket in a network namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SocketOperation {
    /// `socket(2)`.
    Create,
    /// `setsockopt(2)` or `fcntl(2)`.
    Configure,
    /// `bind(2)` to this address.
    Bind(SocketAddr),
    /// `listen(2)` on this address.
    Listen(SocketAddr),
    /// `connect(2)` to this address.
    Connect(SocketAddr),
}

impl fmt::Display for SocketOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create => f.write_str("create a socket"),
            Self::Configure => f.write_str("configure a socket"),
            Self::Bind(address) => write!(f, "bind to {address}"),
            Self::Listen(address) => write!(f, "listen on {address}"),
            Self::Connect(address) => write!(f, "connect to {address}"),
        }
    }
}

/// A socket could not be had in a network namespace.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// The namespace could not be entered.
    #[error(transparent)]
    Enter(#[from] EnterError),
    /// The socket's own system call failed.
    #[error("cannot {operation} in the network namespace{}", hint::socket(*operation, source))]
    System {
        /// What was tried, and with which address.
        operation: SocketOperation,
        /// The errno.
        source: io::Error,
    },
}

impl OpenError {
    /// The kind of the errno behind it.
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::NotFound { .. } => io::ErrorKind::NotFound,
            Self::NotNetns { .. } => io::ErrorKind::InvalidInput,
            Self::System { source, .. } => source.kind(),
        }
    }
}

impl EnterError {
    /// The kind of the errno behind it.
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::OpenHome { source }
            | Self::NoWayBack { source }
            | Self::Enter { source }
            | Self::Leave { source }
            | Self::StartThread { source } => source.kind(),
            Self::Nested => io::ErrorKind::Other,
        }
    }
}

impl SocketError {
    /// The kind of the errno behind it.
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Enter(error) => error.kind(),
            Self::System { source, .. } => source.kind(),
        }
    }
}

/// Keeps the kind, and this error as the inner one.
impl From<OpenError> for io::Error {
    fn from(error: OpenError) -> Self {
        Self::new(error.kind(), error)
    }
}

/// Keeps the kind, and this error as the inner one.
impl From<EnterError> for io::Error {
    fn from(error: EnterError) -> Self {
        Self::new(error.kind(), error)
    }
}

/// Keeps the kind, and this error as the inner one.
impl From<SocketError> for io::Error {
    fn from(error: SocketError) -> Self {
        Self::new(error.kind(), error)
    }
}
