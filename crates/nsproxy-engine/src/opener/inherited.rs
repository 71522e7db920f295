//! Listening sockets that the process was started with: they are bound, and may listen already. Another process may share
//! them, so nothing is done to them that it would notice, but for what a relay cannot do without.

use std::io;
use std::os::fd::RawFd;

use socket2::{Domain, Socket, Type};

use super::in_process::{Failure, make_transparent, option, set_transparent, tune};
use super::{Operation, tuning};
use crate::plan::ListenerTuning;
use crate::sys;

/// A duplicate of the socket, which has to be one that a relay can listen at.
pub(super) fn take(descriptor: RawFd) -> Result<Socket, Failure> {
    let failed = |error| (Operation::Inherit(descriptor), error);
    let socket = Socket::from(sys::duplicate(descriptor).map_err(failed)?);
    check(&socket).map_err(failed)?;
    Ok(socket)
}

/// Whether it is one that a relay can listen at.
pub(super) fn check(socket: &Socket) -> io::Result<()> {
    let is_stream = socket.r#type()? == Type::STREAM;
    let is_known = matches!(socket.domain()?, Domain::IPV4 | Domain::IPV6 | Domain::UNIX);
    let wrong = |what| Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    if !is_stream || !is_known {
        return wrong("it is no socket of TCP and no unix stream socket");
    }
    if socket.peer_addr().is_ok() {
        return wrong("it is a connection");
    }
    Ok(())
}

/// Gives it the options that relayed connections have, and listens unless it does.
pub(super) fn listen(
    socket: &Socket,
    descriptor: RawFd,
    transparent: bool,
    options: &ListenerTuning,
) -> Result<(), Failure> {
    let failed = |error| (Operation::Inherit(descriptor), error);
    set_up(socket, transparent)?;
    if socket.domain().map_err(failed)? != Domain::UNIX {
        tuning::begin(socket, options)?;
    }
    if socket.is_listener().map_err(failed)? && options.backlog.is_none() {
        return Ok(());
    }
    socket.listen(tuning::backlog(options)).map_err(failed)
}

/// Gives it the options that relayed connections have.
pub(super) fn set_up(socket: &Socket, transparent: bool) -> Result<(), Failure> {
    // Shared with whoever has the socket too; without it, one worker would wait for a connection that another one took.
    option("O_NONBLOCK", socket.set_nonblocking(true))?;
    let address = socket.local_addr().ok();
    if let Some(address) = address.and_then(|address| address.as_socket()) {
        tune(socket)?;
        if transparent {
            set_transparent(socket, &address)?;
        }
    }
    Ok(())
}

/// Makes a listening socket of TCP again what it was, after another process may have given it the options of its own plan.
pub(crate) fn take_back(socket: &Socket, transparent: bool, options: &ListenerTuning) -> Result<(), Failure> {
    if !transparent {
        make_opaque(socket)?;
    }
    tuning::impose(socket, options)
}

/// Has a listening socket of TCP take connections to addresses of this host only. It takes no privilege.
pub(crate) fn make_opaque(socket: &Socket) -> Result<(), Failure> {
    let address = socket.local_addr().ok();
    match address.and_then(|address| address.as_socket()) {
        Some(address) => make_transparent(socket, &address, false),
        None => Ok(()),
    }
}
