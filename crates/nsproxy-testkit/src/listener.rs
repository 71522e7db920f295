//! The accepting side: a listening socket of a test, usually on a port that the kernel chooses.

use std::fs;
use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::poll::PollFlags;
use socket2::{SockRef, Socket, Type};

use crate::peer::retry;
use crate::sys;
use crate::{Address, DEFAULT_DEADLINE, Deadline, Peer, ToAddress};

/// Large enough that no test fills it by accident.
const BACKLOG: i32 = 1024;

/// A listening socket; dropped, a unix one removes its path.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    address: Address,
}

impl Listener {
    /// Binds in the calling thread's namespace and listens. Bind port 0 and ask for
    /// [`Listener::address`], unless the port is what the test is about.
    ///
    /// # Panics
    ///
    /// When the address cannot be bound.
    #[track_caller]
    pub fn bind(address: impl ToAddress) -> Self {
        let wanted = address.to_address();
        let bind = || {
            let socket = Socket::new(wanted.domain(), Type::STREAM, None)?;
            if let Address::Inet(inet) = wanted {
                socket.set_reuse_address(true)?;
                if inet.is_ipv6() {
                    socket.set_only_v6(true)?;
                }
            }
            socket.bind(&wanted.to_sock_addr()?)?;
            socket.listen(BACKLOG)?;
            socket.set_nonblocking(true)?;
            let address = Address::from_sock_addr(&socket.local_addr()?);
            Ok(Self { socket, address })
        };
        bind().unwrap_or_else(|error: std::io::Error| panic!("cannot listen on {wanted}: {error}"))
    }

    /// The address it is bound to, with the port that the kernel chose.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The socket, for options.
    pub fn socket(&self) -> SockRef<'_> {
        SockRef::from(&self.socket)
    }

    /// Takes no connection before bytes have come: an acknowledgement that only ends the handshake is dropped, and counted by the
    /// kernel as `TCPDeferAcceptDrop` (`TCP_DEFER_ACCEPT`, tcp(7)).
    ///
    /// # Panics
    ///
    /// When the kernel refuses.
    #[track_caller]
    pub fn defer_accept(&self) {
        sys::defer_accept(&self.socket, 60).unwrap_or_else(|error| panic!("cannot defer accepting: {error}"));
    }

    /// The next connection, within [`DEFAULT_DEADLINE`].
    ///
    /// # Panics
    ///
    /// When none comes.
    #[track_caller]
    pub fn accept(&self) -> Peer {
        self.try_accept(DEFAULT_DEADLINE)
            .unwrap_or_else(|error| panic!("no connection came to {}: {error}", self.address))
    }

    /// Expects that nobody connects for this long.
    ///
    /// # Panics
    ///
    /// When somebody does.
    #[track_caller]
    pub fn expect_no_connection(&self, lasting: Duration) {
        match self.try_accept(lasting) {
            Ok(peer) => panic!("expected no connection, one came from {}", peer.peer_addr()),
            Err(error) if error.kind() == ErrorKind::TimedOut => {}
            Err(error) => panic!("expected no connection, came: {error}"),
        }
    }

    /// The next connection, or why there is none.
    ///
    /// # Errors
    ///
    /// Those of accept(2); `TimedOut` when none comes within `allowed`.
    pub fn try_accept(&self, allowed: Duration) -> std::io::Result<Peer> {
        let accept = || self.socket.accept();
        let (socket, _) = retry(&self.socket, PollFlags::POLLIN, Deadline::after(allowed), accept)?;
        Ok(Peer::new(socket))
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Address::Unix(path) = &self.address {
            // The test may have removed it.
            let _ = fs::remove_file(path);
        }
    }
}
