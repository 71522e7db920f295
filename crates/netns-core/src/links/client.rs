//! A blocking rtnetlink client: one request, and all of its answer.
//!
//! It knows nothing of what is asked. It takes care that an answer is believed only if it comes from the
//! kernel and bears the number of the request, that none is cut off, that a dump which the kernel marks as
//! inconsistent is done again, and that what the kernel says beside an errno is not lost.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage,
    NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use super::answer::{Answer, End, Failure, nonsense};

/// Flags of a request that makes something new.
pub(super) const CREATE: u16 = NLM_F_CREATE | NLM_F_EXCL;
/// Flags of a request about something that is there.
pub(super) const MODIFY: u16 = 0;

/// How often a dump is tried that changes while it is read.
const DUMP_ATTEMPTS: usize = 16;

/// One netlink socket.
pub(super) struct Client {
    socket: Socket,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Client {
    /// Opens a socket in the network namespace of the calling thread.
    pub(super) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        // An acknowledgement without the whole request in it, but with the kernel's words. Kernels before
        // 4.12 do without.
        let _ = socket.set_cap_ack(true);
        let _ = socket.set_ext_ack(true);
        // Without it the kernel (since 4.20) ignores what a request for a list says beside its type.
        let _ = socket.set_netlink_get_strict_chk(true);
        Ok(Self {
            socket,
            sequence: 0,
            buffer: Vec::new(),
        })
    }

    /// Asks for a change and waits until it is done.
    pub(super) fn change(&mut self, request: &RouteNetlinkMessage, flags: u16) -> Result<(), Failure> {
        self.send(request, NLM_F_ACK | flags)?;
        self.answer(End::Marked, |_| None::<()>).map(|_| ())
    }

    /// Asks for one thing. `read` makes a value of the payload of a message.
    pub(super) fn get<T>(
        &mut self,
        request: &RouteNetlinkMessage,
        read: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<T, Failure> {
        // Without an acknowledgement: what was asked for is one, and a refusal comes in any case.
        self.send(request, 0)?;
        let answer = self.answer(End::First, read)?;
        answer
            .values
            .into_iter()
            .next()
            .ok_or_else(|| nonsense("an answer without what was asked for"))
    }

    /// Asks for all things of a kind. Those of which `read` makes nothing are left out.
    pub(super) fn dump<T>(
        &mut self,
        request: &RouteNetlinkMessage,
        read: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Vec<T>, Failure> {
        for _ in 0..DUMP_ATTEMPTS {
            self.send(request, NLM_F_DUMP)?;
            let answer = self.answer(End::Marked, &read)?;
            if answer.is_consistent {
                return Ok(answer.values);
            }
        }
        Err(Failure::Exchange(io::Error::other(
            "the list changed each time it was read",
        )))
    }

    fn send(&mut self, request: &RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(request.clone()));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        let sent = self.socket.send_to(&bytes, &SocketAddr::new(0, 0), 0)?;
        if sent == bytes.len() {
            Ok(())
        } else {
            Err(io::ErrorKind::WriteZero.into())
        }
    }

    /// Reads until the request that was sent last is answered.
    fn answer<T>(&mut self, ends: End, read: impl Fn(&[u8]) -> Option<T>) -> Result<Answer<T>, Failure> {
        let mut answer = Answer::to(self.sequence, ends);
        loop {
            if self.receive()? && answer.take_datagram(&self.buffer, &read)? {
                return Ok(answer);
            }
        }
    }

    /// Reads one datagram into the buffer. The answer is `false` if it is to be ignored: anyone may send to a
    /// netlink socket, and only port 0 is the kernel.
    fn receive(&mut self) -> io::Result<bool> {
        self.buffer.clear();
        let (len, _) = retried(|| {
            self.socket
                .recv_from(&mut self.buffer, libc::MSG_PEEK | libc::MSG_TRUNC)
        })?;
        self.buffer.clear();
        self.buffer.reserve(len);
        let (received, sender) = retried(|| self.socket.recv_from(&mut self.buffer, libc::MSG_TRUNC))?;
        if received > self.buffer.len() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a datagram was cut off",
            ));
        }
        Ok(sender.port_number() == 0)
    }
}

/// The socket, which tells its namespace.
impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}

/// Calls again when a signal handler ran.
fn retried<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
