//! Opens sockets on the calling thread: `setns` there, every socket that is wanted there, `setns` back.
//!
//! Requests of one turn are grouped by namespace, so that one visit serves them all. Only `socket(2)` happens inside: a
//! socket keeps the namespace that it was born in, so options, bind and listen follow at home. A name is opened anew for
//! each visit: the socket always comes from the namespace that the name means now, and no handle pins a dead one.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use netns_core::{Home, Netns, NetnsSpec};
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::{Family, OpenAnswer, OpenError, OpenToken, OpenerFactory, Operation, SocketKind, SocketOpener};
use super::{SocketRequest, SourceBind, system_error};
use crate::plan::Endpoint;

/// The kernel clamps it to `net.core.somaxconn` of the namespace.
const BACKLOG: i32 = 65_535;

/// Makes openers that switch the calling thread between namespaces.
///
/// Entering a namespace takes `CAP_SYS_ADMIN` in the caller's user namespace and in the one that owns the target
/// (setns(2)); without any namespace to enter, no privilege is needed.
#[derive(Debug, Clone, Copy, Default)]
pub struct InProcess;

impl OpenerFactory for InProcess {
    fn opener(&self) -> io::Result<Box<dyn SocketOpener>> {
        Ok(Box::<InProcessOpener>::default())
    }
}

#[derive(Default)]
struct InProcessOpener {
    /// The way back. Found when it is first needed, since that takes the privilege to enter a namespace, and a relay
    /// without one needs no privilege at all.
    home: Option<Home>,
    queue: Vec<(OpenToken, SocketRequest)>,
    /// What a visit has made; kept so that a visit allocates nothing.
    made: Vec<io::Result<Socket>>,
}

impl SocketOpener for InProcessOpener {
    fn request(&mut self, token: OpenToken, request: SocketRequest) {
        self.queue.push((token, request));
    }

    fn answers(&mut self, answers: &mut Vec<OpenAnswer>) {
        if self.queue.len() > 1 {
            self.queue.sort_by(|(_, a), (_, b)| a.netns.cmp(&b.netns));
        }
        let mut queue = std::mem::take(&mut self.queue);
        for visit in queue.chunk_by(|(_, a), (_, b)| a.netns == b.netns) {
            self.visit(visit, answers);
        }
        queue.clear();
        self.queue = queue;
    }
}

impl InProcessOpener {
    /// Answers requests that all concern one namespace.
    fn visit(&mut self, requests: &[(OpenToken, SocketRequest)], answers: &mut Vec<OpenAnswer>) {
        let Some((_, SocketRequest { netns, .. })) = requests.first() else {
            return;
        };
        let made = &mut self.made;
        let mut create = || made.extend(requests.iter().map(|(_, request)| create(&request.kind)));
        let entered = match netns {
            None => {
                create();
                Ok(())
            }
            Some(spec) => visit(&mut self.home, spec, create),
        };
        if let Err(error) = entered {
            answers.extend(requests.iter().map(|(token, _)| OpenAnswer {
                token: *token,
                result: Err(OpenError {
                    operation: Operation::EnterNetns,
                    netns: netns.clone(),
                    source: error.to_io(),
                }),
            }));
            return;
        }
        answers.extend(
            self.made
                .drain(..)
                .zip(requests)
                .map(|(socket, (token, request))| {
                    let result = socket
                        .map_err(|source| (Operation::CreateSocket, source))
                        .and_then(|socket| prepare(socket, &request.kind))
                        .map_err(|(operation, source)| OpenError {
                            operation,
                            netns: netns.clone(),
                            source,
                        });
                    OpenAnswer {
                        token: *token,
                        result,
                    }
                }),
        );
    }
}

/// Calls `body` in that namespace, as it is named now.
fn visit(home: &mut Option<Home>, spec: &NetnsSpec, body: impl FnOnce()) -> Result<(), Shared> {
    let netns = Netns::open(spec).map_err(Shared::unopened)?;
    let home = match home {
        Some(home) => home,
        None => home.insert(Home::of_this_thread().map_err(Shared::new)?),
    };
    home.visit(&netns, body).map_err(Shared::new)
}

/// An error that several answers share.
struct Shared {
    kind: io::ErrorKind,
    error: Arc<dyn Error + Send + Sync>,
}

impl Shared {
    /// Some of these come without an answer of the system's; their kind says as much.
    fn unopened(error: netns_core::OpenError) -> Self {
        let kind = match &error {
            netns_core::OpenError::NotFound { .. } => io::ErrorKind::NotFound,
            netns_core::OpenError::NotNetns { .. } => io::ErrorKind::InvalidInput,
            _ => return Self::new(error),
        };
        Self {
            kind,
            error: Arc::new(error),
        }
    }
    fn new(error: impl Error + Send + Sync + 'static) -> Self {
        let kind = system_error(&error).map_or(io::ErrorKind::Other, io::Error::kind);
        Self {
            kind,
            error: Arc::new(error),
        }
    }

    fn to_io(&self) -> io::Error {
        io::Error::new(self.kind, Arc::clone(&self.error))
    }
}

/// `socket(2)`, in whichever namespace the thread is in.
fn create(kind: &SocketKind) -> io::Result<Socket> {
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
            address: Endpoint::Unix(_),
            ..
        } => (Domain::UNIX, None),
        SocketKind::Listener {
            address: Endpoint::Ip(address),
            ..
        } => (Domain::for_address(*address), Some(Protocol::TCP)),
    };
    Socket::new_raw(domain, Type::STREAM.nonblocking().cloexec(), protocol)
}

type Failure = (Operation, io::Error);

/// Everything that may happen outside of the namespace.
fn prepare(socket: Socket, kind: &SocketKind) -> Result<Socket, Failure> {
    match kind {
        SocketKind::Upstream {
            family: Family::Unix, ..
        } => {}
        SocketKind::Upstream { source, .. } => {
            tune(&socket)?;
            if let Some(source) = source {
                bind_source(&socket, *source)?;
            }
        }
        SocketKind::Listener {
            address: Endpoint::Ip(address),
            transparent,
        } => {
            listen(&socket, *address, *transparent)?;
        }
        SocketKind::Listener {
            address: Endpoint::Unix(path),
            ..
        } => crate::unix_listener::listen(&socket, path, BACKLOG)?,
    }
    Ok(socket)
}

/// Options of every relayed TCP socket. Accepted sockets inherit them from their listener.
fn tune(socket: &Socket) -> Result<(), Failure> {
    option("TCP_NODELAY", socket.set_tcp_nodelay(true))?;
    // Without it, the byte that an urgent mark points at would be lost to a relay.
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

fn listen(socket: &Socket, address: SocketAddr, transparent: bool) -> Result<(), Failure> {
    tune(socket)?;
    option("SO_REUSEADDR", socket.set_reuse_address(true))?;
    if transparent {
        set_transparent(socket, &address)?;
    }
    let place = || Endpoint::Ip(address);
    socket
        .bind(&SockAddr::from(address))
        .map_err(|error| (Operation::Bind(place()), error))?;
    socket
        .listen(BACKLOG)
        .map_err(|error| (Operation::Listen(place()), error))
}

fn set_transparent(socket: &Socket, address: &SocketAddr) -> Result<(), Failure> {
    if address.is_ipv4() {
        option("IP_TRANSPARENT", socket.set_ip_transparent_v4(true))
    } else {
        option("IPV6_TRANSPARENT", socket.set_ip_transparent_v6(true))
    }
}

fn option(name: &'static str, result: io::Result<()>) -> Result<(), Failure> {
    result.map_err(|error| (Operation::SetOption(name), error))
}
