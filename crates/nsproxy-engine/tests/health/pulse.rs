//! A place that connections can be made to, and then not, and then again.

use std::net::SocketAddr;

use socket2::{Domain, Socket, Type};

/// A place that connections can be made to, or not, without anybody who accepts them.
pub(super) struct Pulse {
    /// Keeps the address from others.
    _holder: Socket,
    listener: Option<Socket>,
    pub(super) address: SocketAddr,
}

impl Pulse {
    /// Refuses connections.
    pub(super) fn stopped() -> Self {
        let holder = bound(([127, 0, 0, 1], 0).into());
        let address = holder.local_addr().unwrap().as_socket().unwrap();
        Self {
            _holder: holder,
            listener: None,
            address,
        }
    }

    pub(super) fn beating() -> Self {
        let mut pulse = Self::stopped();
        pulse.start();
        pulse
    }

    pub(super) fn start(&mut self) {
        let listener = bound(self.address);
        listener.listen(4096).unwrap();
        self.listener = Some(listener);
    }

    pub(super) fn stop(&mut self) {
        self.listener = None;
    }
}

fn bound(address: SocketAddr) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&address.into()).unwrap();
    socket
}
