//! The one way to get a socket in a namespace, for listeners as for upstream connections.
//!
//! A [`SocketOpener`] is *asynchronous*: a request carries a token, and the answer comes later, together with others. A
//! session waits for it in a state of its own, so nothing outside this seam may assume that the process can switch
//! namespaces. [`InProcess`] switches the calling thread and answers at once; a privileged broker in another process that
//! passes sockets over a unix socket, or an embedding program's own way, fits in the same place.

mod adopting;
mod front;
mod in_process;
mod inherited;
mod local_watcher;
mod prepared;
mod tuning;
mod watcher;

pub use adopting::Adopting;
pub use in_process::{InProcess, InProcessFrom};
pub(crate) use inherited::{make_opaque, take_back};
pub use prepared::{PrepareError, Prepared};
pub(crate) use tuning::{buffers, change, keep_alive};
pub use watcher::{NetnsChange, NetnsInterest, NetnsWatcher, Presence};

use std::error::Error;
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use netns_core::NetnsSpec;
use socket2::Socket;

use crate::core::close::Errno;
use crate::plan::{Endpoint, ListenerTuning};

/// What kind of socket is wanted, and where.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SocketRequest {
    /// The namespace, as its name is understood when the request is carried out; `None` is the default namespace.
    pub netns: Option<Arc<NetnsSpec>>,
    /// What it is for.
    pub kind: SocketKind,
}

/// What a socket is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SocketKind {
    /// A non-blocking stream socket, ready for `connect`. One of TCP has urgent data in line (`SO_OOBINLINE`); `TCP_NODELAY` is
    /// for whoever has asked for it to set.
    Upstream {
        /// Its family.
        family: Family,
        /// Address to bind before connecting.
        source: Option<SourceBind>,
        /// The link that it is bound to (`SO_BINDTODEVICE`).
        interface: Option<Arc<str>>,
    },
    /// A non-blocking listening socket: bound, `listen` called.
    Listener {
        /// Address to bind.
        address: Endpoint,
        /// Whether it takes connections to addresses that the host does not have (`IP_TRANSPARENT`).
        transparent: bool,
        /// Whether one of IPv6 is for IPv6 only (`IPV6_V6ONLY`); `None` leaves it as it is.
        only_v6: Option<bool>,
        /// The link that it is bound to (`SO_BINDTODEVICE`).
        interface: Option<String>,
        /// What it is like.
        tuning: ListenerTuning,
        /// Whether a listener of this engine is at the address, and makes way once this one is there: until then both are
        /// (`SO_REUSEPORT`), and nobody else can have it in between.
        beside: bool,
    },
    /// A non-blocking netlink socket, for questions about routes (rtnetlink(7)).
    Routes,
    /// A non-blocking datagram socket, for questions to a name server.
    Datagram {
        /// Its family: UDP for an internet one.
        family: Family,
    },
}

/// Family of an upstream socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// TCP over IPv4.
    Inet,
    /// TCP over IPv6.
    Inet6,
    /// A unix stream socket.
    Unix,
}

impl From<&SocketAddr> for Family {
    fn from(address: &SocketAddr) -> Self {
        if address.is_ipv4() {
            Self::Inet
        } else {
            Self::Inet6
        }
    }
}

/// Where an upstream connection comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SourceBind {
    /// The address; port 0 lets the kernel choose one when it connects.
    pub address: SocketAddr,
    /// Whether the address is not this host's own (`IP_TRANSPARENT`).
    pub transparent: bool,
}

/// Identifies a request among those of one opener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OpenToken(pub u64);

/// The answer to one request.
#[derive(Debug)]
pub struct OpenAnswer {
    /// The request's token.
    pub token: OpenToken,
    /// The socket.
    pub result: Result<Socket, OpenError>,
}

/// Makes sockets in namespaces. Each worker has one of its own, and the engine one for listeners.
pub trait SocketOpener {
    /// Registers whatever will tell that answers are there, with this token: a socket or a pipe. Not a [`mio::Waker`]: a
    /// poller has only one, and that is the worker's. An opener that answers within [`SocketOpener::answers`] needs none.
    ///
    /// # Errors
    ///
    /// The registration failed.
    fn register(&mut self, registry: &mio::Registry, token: mio::Token) -> io::Result<()> {
        let _ = (registry, token);
        Ok(())
    }

    /// Takes a request. Nothing needs to happen before [`SocketOpener::answers`].
    fn request(&mut self, token: OpenToken, request: SocketRequest);

    /// Carries out or sends off what was requested, and adds the answers that are there. Called once after each turn of
    /// requests, and when the registered descriptor is ready. Must not block.
    fn answers(&mut self, answers: &mut Vec<OpenAnswer>);

    /// How many sockets are in stock, for requests to come. One that wraps another opener passes the question on: while
    /// the answer is 0, nobody calls [`SocketOpener::release_unused`].
    fn stock(&self) -> usize;

    /// Says how many of these are in which namespace, as their requests have called it.
    fn stock_by_netns(&self, tell: &mut dyn FnMut(&NetnsSpec, usize)) {
        let _ = tell;
    }

    /// Throws away what is in stock for names that are gone or lead elsewhere now. Called when one does.
    fn sweep(&mut self) {}

    /// Throws away what was not asked for since the last call. While there is something in stock, this is called every
    /// [`STOCK_INTERVAL`]: sockets keep their namespace alive, and must not do so for long.
    fn release_unused(&mut self);
}

/// How often an opener is told to throw away what nobody uses. So its stock pins a namespace for twice as long at most.
pub const STOCK_INTERVAL: Duration = Duration::from_millis(50);

/// Makes one [`SocketOpener`] for each thread that needs one, on that thread.
pub trait OpenerFactory: Send + Sync {
    /// A new opener for the calling thread. It may hold up to `stock` sockets for requests to come: so many descriptors
    /// are set aside for it. One that makes each socket when it is asked for has no use for that.
    ///
    /// # Errors
    ///
    /// What it needs is not there: the engine does not start.
    fn opener(&self, stock: usize) -> io::Result<Box<dyn SocketOpener>>;

    /// What tells when namespaces come, go and are replaced, for the calling thread. `None`: nothing does, unless somebody calls
    /// [`Handle::netns_changed`](crate::Handle::netns_changed). A factory that wraps another one passes the question on.
    ///
    /// # Errors
    ///
    /// What it needs is not there: the plan is not applied.
    fn watcher(&self) -> io::Result<Option<Box<dyn NetnsWatcher>>> {
        Ok(None)
    }
}

/// Why there is no socket.
#[derive(Debug)]
pub struct OpenError {
    /// What was being done.
    pub operation: Operation,
    /// Where; `None` is the default namespace.
    pub netns: Option<Arc<NetnsSpec>>,
    /// The system's answer.
    pub source: io::Error,
}

/// A step on the way to a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Opening or entering the namespace.
    EnterNetns,
    /// `socket(2)`.
    CreateSocket,
    /// `setsockopt(2)`; the option's name.
    SetOption(&'static str),
    /// `bind(2)` to this address.
    Bind(Endpoint),
    /// `listen(2)` at this address.
    Listen(Endpoint),
    /// Making an inherited socket one of ours.
    Inherit(RawFd),
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EnterNetns => f.write_str("enter the namespace"),
            Self::CreateSocket => f.write_str("create a socket"),
            Self::SetOption(name) => write!(f, "set {name}"),
            Self::Bind(address) => write!(f, "bind {address}"),
            Self::Listen(address) => write!(f, "listen at {address}"),
            Self::Inherit(descriptor) => write!(f, "use the inherited socket fd@{descriptor}"),
        }
    }
}

impl fmt::Display for OpenError {
    /// What was being done, and a hint. The cause is the source.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            operation,
            netns,
            source,
        } = self;
        match (operation, netns) {
            (Operation::EnterNetns, Some(netns)) => write!(f, "cannot enter netns `{netns}`")?,
            (_, Some(netns)) => write!(f, "cannot {operation} in netns `{netns}`")?,
            (_, None) => write!(f, "cannot {operation}")?,
        }
        let privilege = matches!(
            operation,
            Operation::SetOption("IP_TRANSPARENT" | "IPV6_TRANSPARENT")
        );
        let is_low = matches!(operation, Operation::Bind(Endpoint::Ip(address)) if address.port() < 1024);
        if source.kind() != io::ErrorKind::PermissionDenied {
            Ok(())
        } else if privilege {
            f.write_str(
                " (CAP_NET_ADMIN or CAP_NET_RAW is needed in the user namespace that owns the network namespace)",
            )
        } else if is_low {
            f.write_str(
                " (CAP_NET_BIND_SERVICE is needed there, or a lower net.ipv4.ip_unprivileged_port_start)",
            )
        } else {
            Ok(())
        }
    }
}

/// What the system said, however deep it is wrapped.
pub(crate) fn system_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error
            .downcast_ref::<io::Error>()
            .filter(|io| io.raw_os_error().is_some())
        {
            return Some(io);
        }
        cause = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

impl OpenError {
    /// The system's error number, or the one that the system has for this kind of error; 0 when there is none.
    pub fn errno(&self) -> Errno {
        let answer = system_error(&self.source).and_then(io::Error::raw_os_error);
        Errno(answer.unwrap_or_else(|| match self.source.kind() {
            io::ErrorKind::NotFound => libc::ENOENT,
            io::ErrorKind::InvalidInput => libc::EINVAL,
            io::ErrorKind::PermissionDenied => libc::EPERM,
            _ => 0,
        }))
    }
}

impl OpenError {
    /// There is no way into the namespace.
    pub(crate) fn missing(netns: Option<Arc<NetnsSpec>>, source: io::Error) -> Self {
        Self {
            operation: Operation::EnterNetns,
            netns,
            source,
        }
    }

    /// Whether there is no such namespace, or none yet: there will be a socket once there is one.
    pub fn is_netns_missing(&self) -> bool {
        let answer = system_error(&self.source).and_then(io::Error::raw_os_error);
        self.operation == Operation::EnterNetns
            && (matches!(self.source.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidInput)
                // A process that has just ended; something else that was mounted in between.
                || matches!(answer, Some(libc::ESRCH | libc::EINVAL | libc::ENOENT | libc::ENOTDIR)))
    }

    /// Whether it fails however often it is asked for: a socket that the process was started with is what it is, and where it is.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self.operation, Operation::Inherit(_)) && self.source.kind() == io::ErrorKind::InvalidInput
    }

    /// The same once more, for another request that failed with it: the system's answer by its kind and words.
    pub(crate) fn duplicate(&self) -> Self {
        let source = match self.source.raw_os_error() {
            Some(errno) => io::Error::from_raw_os_error(errno),
            None => io::Error::new(self.source.kind(), self.source.to_string()),
        };
        Self {
            operation: self.operation.clone(),
            netns: self.netns.clone(),
            source,
        }
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}
