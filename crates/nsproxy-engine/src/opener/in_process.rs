//! Opens sockets on the calling thread: `setns` there, `socket`, `setns` back.
//!
//! Only `socket(2)` happens inside: a socket keeps the namespace that it was born in, so options, bind and listen follow at
//! home. Upstream sockets come from a [`SocketPool`], so that one visit serves several sessions. A name is looked up after what
//! is answered was requested, once for all requests of a round: a socket always comes from the namespace that the name means
//! now, and what is in stock pins none for long.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::os::fd::RawFd;
use std::sync::Arc;

use netns_core::{EnterError, NetnsId, NetnsSpec, PoolError, PoolTurn, Root, SocketError, SocketPool};
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::local_watcher::LocalWatcher;
use super::{
    Family, NetnsWatcher, OpenAnswer, OpenError, OpenToken, OpenerFactory, Operation, SocketKind,
    SocketOpener,
};
use super::{SocketRequest, SourceBind, inherited, system_error, tuning};
use crate::control;
use crate::plan::Endpoint;

/// The kernel clamps it to `net.core.somaxconn` of the namespace.
pub(super) const BACKLOG: i32 = 65_535;

/// Makes openers that switch the calling thread between namespaces.
///
/// Entering a namespace takes `CAP_SYS_ADMIN` in the caller's user namespace and in the one that owns the target
/// (setns(2)); without any namespace to enter, no privilege is needed.
#[derive(Debug, Clone, Copy, Default)]
pub struct InProcess;

/// [`InProcess`] for a process that has left this root directory by `chroot(2)`: there it finds namespaces and `/proc`.
#[derive(Debug, Clone)]
pub struct InProcessFrom(pub Arc<Root>);

/// Sockets that one visit makes at most. By name, a visit for each costs 4.9 µs a socket, and one for sixteen 3.3 µs
/// (`cargo xtask bench netns`): with more, what is left to save is a tenth of a microsecond.
const BATCH: NonZeroUsize = NonZeroUsize::new(16).unwrap();

impl OpenerFactory for InProcess {
    fn opener(&self, stock: usize) -> io::Result<Box<dyn SocketOpener>> {
        Ok(Box::new(InProcessOpener::new(stock, None)))
    }

    fn watcher(&self) -> io::Result<Option<Box<dyn NetnsWatcher>>> {
        Ok(Some(Box::new(LocalWatcher::new(None))))
    }
}

impl OpenerFactory for InProcessFrom {
    fn opener(&self, stock: usize) -> io::Result<Box<dyn SocketOpener>> {
        Ok(Box::new(InProcessOpener::new(stock, Some(Arc::clone(&self.0)))))
    }

    fn watcher(&self) -> io::Result<Option<Box<dyn NetnsWatcher>>> {
        Ok(Some(Box::new(LocalWatcher::new(Some(Arc::clone(&self.0))))))
    }
}

struct InProcessOpener {
    /// Sockets that may be held in stock.
    stock: usize,
    /// Where paths begin, if not at the root of the process.
    root: Option<Arc<Root>>,
    /// Made when it is first needed, since that takes the privilege to enter a namespace, and a relay without one needs no
    /// privilege at all.
    pool: Option<SocketPool>,
    /// While requests are answered, once one of them was for the pool.
    turn: Option<PoolTurn>,
    queue: Vec<(OpenToken, SocketRequest)>,
}

impl SocketOpener for InProcessOpener {
    fn request(&mut self, token: OpenToken, request: SocketRequest) {
        self.queue.push((token, request));
    }

    fn answers(&mut self, answers: &mut Vec<OpenAnswer>) {
        let mut queue = std::mem::take(&mut self.queue);
        self.turn = None;
        answers.extend(queue.drain(..).map(|(token, request)| OpenAnswer {
            token,
            result: self.open(request),
        }));
        self.queue = queue;
    }

    fn stock(&self) -> usize {
        self.pool.as_ref().map_or(0, SocketPool::idle)
    }

    fn stock_by_netns(&self, tell: &mut dyn FnMut(&NetnsSpec, usize)) {
        for (netns, sockets) in self.pool.iter().flat_map(SocketPool::stock) {
            tell(netns, sockets);
        }
    }

    fn sweep(&mut self) {
        if let Some(pool) = &mut self.pool {
            pool.sweep();
        }
    }

    fn release_unused(&mut self) {
        if let Some(pool) = &mut self.pool {
            pool.release_unused();
        }
    }
}

impl InProcessOpener {
    fn new(stock: usize, root: Option<Arc<Root>>) -> Self {
        Self {
            stock,
            root,
            pool: None,
            turn: None,
            queue: Vec::new(),
        }
    }

    fn open(&mut self, SocketRequest { netns, kind }: SocketRequest) -> Result<Socket, OpenError> {
        let made = match (&netns, &kind) {
            (
                _,
                SocketKind::Listener {
                    address: Endpoint::Inherited(descriptor),
                    ..
                },
            ) => self.inherit(*descriptor, netns.as_deref()),
            (None, _) => self.create_here(&kind),
            (Some(spec), _) => self.create_in(spec, &kind),
        };
        made.and_then(|socket| prepare(socket, &kind))
            .map_err(|(operation, source)| OpenError {
                operation,
                netns,
                source,
            })
    }

    /// One that was there before. Where it is said to be in a namespace, it has to be in that one.
    fn inherit(&mut self, descriptor: RawFd, netns: Option<&NetnsSpec>) -> Result<Socket, Failure> {
        let of = |socket: &Socket| {
            NetnsId::of_socket(socket).map_err(|error| (Operation::EnterNetns, io::Error::other(error)))
        };
        let socket = inherited::take(descriptor)?;
        if let Some(spec) = netns {
            let there = self.create_in(spec, &control::probe(None).kind)?;
            if of(&there)? != of(&socket)? {
                let cause =
                    io::Error::new(io::ErrorKind::InvalidInput, "it is a socket of another namespace");
                return Err((Operation::Inherit(descriptor), cause));
            }
        }
        Ok(socket)
    }

    fn create_here(&mut self, kind: &SocketKind) -> Result<Socket, Failure> {
        let mut made = create(kind);
        if let (Err(error), Some(pool)) = (&made, &mut self.pool)
            && matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
            && pool.idle() > 0
        {
            // What is wanted now goes before what may be wanted.
            pool.clear();
            made = create(kind);
        }
        made.map_err(|source| (Operation::CreateSocket, source))
    }

    fn create_in(&mut self, spec: &NetnsSpec, kind: &SocketKind) -> Result<Socket, Failure> {
        let root = self.root.as_ref();
        let pool = match &mut self.pool {
            Some(pool) => pool,
            none => none.insert(new_pool(root, self.stock).map_err(unentered)?),
        };
        let (domain, r#type, protocol) = arguments(kind);
        match kind {
            SocketKind::Upstream { .. } => {
                let turn = *self.turn.get_or_insert_with(|| pool.begin_turn());
                pool.socket_of_turn(turn, spec, domain, r#type, protocol)
            }
            // These are wanted once, so more of them would only lie about.
            SocketKind::Listener { .. } | SocketKind::Datagram { .. } | SocketKind::Routes => {
                pool.lone_socket(spec, domain, r#type, protocol)
            }
        }
        .map_err(|error| match error {
            PoolError::Open(error) => unopened(error),
            PoolError::Socket(SocketError::System { source, .. }) => (Operation::CreateSocket, source),
            error => unentered(error),
        })
    }
}

fn new_pool(root: Option<&Arc<Root>>, stock: usize) -> Result<SocketPool, EnterError> {
    match root {
        None => SocketPool::of_this_thread(BATCH, stock),
        Some(root) => SocketPool::of_this_thread_from(Arc::clone(root), BATCH, stock),
    }
}

/// Some of these come without an answer of the system's; their kind says as much.
fn unopened(error: netns_core::OpenError) -> Failure {
    let kind = match &error {
        netns_core::OpenError::NotFound { .. } => io::ErrorKind::NotFound,
        netns_core::OpenError::NotNetns { .. } => io::ErrorKind::InvalidInput,
        _ => return unentered(error),
    };
    (Operation::EnterNetns, io::Error::new(kind, error))
}

fn unentered(error: impl Error + Send + Sync + 'static) -> Failure {
    let kind = system_error(&error).map_or(io::ErrorKind::Other, io::Error::kind);
    (Operation::EnterNetns, io::Error::new(kind, error))
}

/// `socket(2)`, here.
fn create(kind: &SocketKind) -> io::Result<Socket> {
    let (domain, r#type, protocol) = arguments(kind);
    Socket::new_raw(domain, r#type, protocol)
}

/// The arguments of `socket(2)`.
fn arguments(kind: &SocketKind) -> (Domain, Type, Option<Protocol>) {
    let (domain, protocol) = match kind {
        SocketKind::Upstream {
            family: Family::Inet, ..
        } => (Domain::IPV4, Some(Protocol::TCP)),
        SocketKind::Upstream {
            family: Family::Inet6,
            ..
        } => (Domain::IPV6, Some(Protocol::TCP)),
        SocketKind::Upstream {
            family: Family::Unix, ..
        }
        | SocketKind::Listener {
            // An inherited one is there already.
            address: Endpoint::Unix(_) | Endpoint::Inherited(_),
            ..
        } => (Domain::UNIX, None),
        SocketKind::Listener {
            address: Endpoint::Ip(address),
            ..
        } => (Domain::for_address(*address), Some(Protocol::TCP)),
        SocketKind::Routes => {
            let protocol = Protocol::from(libc::NETLINK_ROUTE);
            let r#type = Type::RAW.nonblocking().cloexec();
            return (Domain::from(libc::AF_NETLINK), r#type, Some(protocol));
        }
        SocketKind::Datagram { family } => {
            let domain = match family {
                Family::Inet => Domain::IPV4,
                Family::Inet6 => Domain::IPV6,
                Family::Unix => Domain::UNIX,
            };
            return (domain, Type::DGRAM.nonblocking().cloexec(), None);
        }
    };
    (domain, Type::STREAM.nonblocking().cloexec(), protocol)
}

pub(super) type Failure = (Operation, io::Error);

/// Everything that may happen outside of the namespace.
fn prepare(socket: Socket, kind: &SocketKind) -> Result<Socket, Failure> {
    match kind {
        SocketKind::Upstream {
            family: Family::Unix, ..
        }
        | SocketKind::Datagram { .. }
        | SocketKind::Routes => {}
        SocketKind::Upstream {
            source, interface, ..
        } => {
            keep_urgent_in_line(&socket)?;
            if let Some(link) = interface {
                bind_device(&socket, link)?;
            }
            if let Some(source) = source {
                bind_source(&socket, *source)?;
            }
        }
        SocketKind::Listener {
            address: Endpoint::Ip(address),
            transparent,
            only_v6,
            interface,
            tuning,
            beside,
        } => {
            if let Some(link) = interface {
                bind_device(&socket, link)?;
            }
            tuning::begin(&socket, tuning)?;
            if *beside {
                option("SO_REUSEPORT", socket.set_reuse_port(true))?;
            }
            listen(
                &socket,
                *address,
                (*transparent, *only_v6),
                tuning::backlog(tuning),
            )?;
        }
        SocketKind::Listener {
            address: Endpoint::Unix(path),
            tuning,
            ..
        } => crate::unix_listener::listen(&socket, path, tuning::backlog(tuning))?,
        SocketKind::Listener {
            address: Endpoint::Inherited(descriptor),
            transparent,
            interface,
            tuning,
            ..
        } => {
            if let Some(link) = interface {
                bind_device(&socket, link)?;
            }
            inherited::listen(&socket, *descriptor, *transparent, tuning)?;
        }
    }
    Ok(socket)
}

/// Options of a TCP listener, which the sockets that are accepted from it inherit.
pub(super) fn tune(socket: &Socket) -> Result<(), Failure> {
    option("TCP_NODELAY", socket.set_tcp_nodelay(true))?;
    keep_urgent_in_line(socket)
}

/// Without it, the byte that an urgent mark points at would be lost to a relay.
fn keep_urgent_in_line(socket: &Socket) -> Result<(), Failure> {
    option("SO_OOBINLINE", socket.set_out_of_band_inline(true))
}

fn bind_source(socket: &Socket, source: SourceBind) -> Result<(), Failure> {
    if source.transparent {
        set_transparent(socket, &source.address)?;
    }
    if source.address.port() == 0 {
        // The port is chosen at connect time, so that it is shared between destinations: one source address would
        // otherwise run out of ports after 28,232 connections, whatever their destinations (ip(7)).
        option(
            "IP_BIND_ADDRESS_NO_PORT",
            setsockopt(socket, sockopt::IpBindAddressNoPort, &true).map_err(Into::into),
        )?;
    } else {
        option("SO_REUSEADDR", socket.set_reuse_address(true))?;
    }
    let bound = socket.bind(&SockAddr::from(source.address));
    bound.map_err(|error| (Operation::Bind(Endpoint::Ip(source.address)), error))
}

fn listen(
    socket: &Socket,
    address: SocketAddr,
    (transparent, only_v6): (bool, Option<bool>),
    backlog: i32,
) -> Result<(), Failure> {
    tune(socket)?;
    option("SO_REUSEADDR", socket.set_reuse_address(true))?;
    if transparent {
        set_transparent(socket, &address)?;
    }
    if let (SocketAddr::V6(_), Some(only)) = (address, only_v6) {
        option("IPV6_V6ONLY", socket.set_only_v6(only))?;
    }
    let place = || Endpoint::Ip(address);
    socket
        .bind(&SockAddr::from(address))
        .map_err(|error| (Operation::Bind(place()), error))?;
    socket
        .listen(backlog)
        .map_err(|error| (Operation::Listen(place()), error))
}

/// What does not come in, or go out, by this link of the socket's namespace is none of its business.
pub(super) fn bind_device(socket: &Socket, link: &str) -> Result<(), Failure> {
    option("SO_BINDTODEVICE", socket.bind_device(Some(link.as_bytes())))
}

pub(super) fn set_transparent(socket: &Socket, address: &SocketAddr) -> Result<(), Failure> {
    make_transparent(socket, address, true)
}

/// Taking it back needs no privilege.
pub(super) fn make_transparent(socket: &Socket, address: &SocketAddr, so: bool) -> Result<(), Failure> {
    if address.is_ipv4() {
        option("IP_TRANSPARENT", socket.set_ip_transparent_v4(so))
    } else {
        option("IPV6_TRANSPARENT", socket.set_ip_transparent_v6(so))
    }
}

pub(super) fn option(name: &'static str, result: io::Result<()>) -> Result<(), Failure> {
    result.map_err(|error| (Operation::SetOption(name), error))
}
