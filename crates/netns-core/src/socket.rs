//! A socket made inside a network namespace, for use from anywhere.
//!
//! A socket belongs to the namespace in which `socket(2)` was called, for all its life. So only that call
//! happens inside; binding, listening and connecting are done by the calling thread, and mean the socket's
//! namespace. One thread is started for each socket; [`Home::visit`](crate::Home::visit) is the form for many
//! sockets.
//!
//! No name is resolved here: a resolver would ask the servers of one namespace about the addresses of
//! another.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};

use crate::error::{SocketError, SocketOperation};
use crate::{Netns, scoped};

/// What `listen(2)` is asked for; the kernel lowers it to `net.core.somaxconn` of the namespace.
const BACKLOG: i32 = 4096;

/// Makes a socket in `netns`. It is close-on-exec and blocking.
///
/// # Errors
///
/// The namespace cannot be entered, or the socket cannot be made.
pub fn socket(
    netns: &Netns,
    domain: Domain,
    kind: Type,
    protocol: Option<Protocol>,
) -> Result<Socket, SocketError> {
    let made = scoped::run(netns, || Socket::new(domain, kind, protocol))?;
    on(SocketOperation::Create, made)
}

/// A TCP listener in `netns`, with `SO_REUSEADDR`, as [`TcpListener::bind`] makes it.
///
/// In a namespace where no interface was ever up, Linux lets a socket bind to any IPv4 address: a success
/// there does not mean that the address exists.
///
/// # Errors
///
/// The namespace cannot be entered, or the address cannot be had there.
pub fn tcp_listener(netns: &Netns, address: SocketAddr) -> Result<TcpListener, SocketError> {
    let socket = inet(netns, address, Type::STREAM, Protocol::TCP)?;
    on(SocketOperation::Configure, socket.set_reuse_address(true))?;
    on(SocketOperation::Bind(address), socket.bind(&address.into()))?;
    on(SocketOperation::Listen(address), socket.listen(BACKLOG))?;
    Ok(socket.into())
}

/// A TCP connection from `netns` to `address`. It waits as [`TcpStream::connect`] does.
///
/// # Errors
///
/// The namespace cannot be entered, or the connection cannot be made from there.
pub fn tcp_stream(netns: &Netns, address: SocketAddr) -> Result<TcpStream, SocketError> {
    let socket = inet(netns, address, Type::STREAM, Protocol::TCP)?;
    on(SocketOperation::Connect(address), connect(&socket, address))?;
    Ok(socket.into())
}

/// A UDP socket in `netns`, bound to `address`.
///
/// # Errors
///
/// The namespace cannot be entered, or the address cannot be had there.
pub fn udp_socket(netns: &Netns, address: SocketAddr) -> Result<UdpSocket, SocketError> {
    let socket = inet(netns, address, Type::DGRAM, Protocol::UDP)?;
    on(SocketOperation::Bind(address), socket.bind(&address.into()))?;
    Ok(socket.into())
}

/// A socket of the address's family.
fn inet(netns: &Netns, address: SocketAddr, kind: Type, protocol: Protocol) -> Result<Socket, SocketError> {
    socket(netns, Domain::for_address(address), kind, Some(protocol))
}

/// Connects, and waits on when a signal handler has run: the kernel goes on meanwhile, and the next call waits for the
/// same connection, unless it is there by then.
fn connect(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    loop {
        match socket.connect(&address.into()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.raw_os_error() == Some(libc::EISCONN) => return Ok(()),
            result => return result,
        }
    }
}

fn on<T>(operation: SocketOperation, result: io::Result<T>) -> Result<T, SocketError> {
    result.map_err(|source| SocketError::System { operation, source })
}
