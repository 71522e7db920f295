//! A scriptable end of a connection: say what to send and what must come, in order.
//!
//! Every call has a deadline for the whole of it, and every failed expectation says what came instead.
//! The socket is non-blocking underneath and waited for with poll(2), so one way of waiting serves
//! connections, TCP and unix sockets alike. A `&Peer` may be used from two threads, one for each
//! direction.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::{SockRef, Socket, Type};

use crate::{Address, DEFAULT_DEADLINE, Deadline, Rng, ToAddress};

/// The most bytes a message shows of what came.
const SHOWN: usize = 96;

/// One end of a connected stream socket.
#[derive(Debug)]
pub struct Peer {
    socket: Socket,
    allowed: Duration,
}

impl Peer {
    /// Connects from the calling thread's namespace.
    ///
    /// # Panics
    ///
    /// When the connection is refused or does not come about in time.
    #[track_caller]
    pub fn connect(address: impl ToAddress) -> Self {
        let address = address.to_address();
        Self::try_connect(&address).unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"))
    }

    /// Connects, or says why not.
    ///
    /// # Errors
    ///
    /// Those of socket(2) and connect(2); `TimedOut` after [`DEFAULT_DEADLINE`].
    pub fn try_connect(address: impl ToAddress) -> io::Result<Self> {
        let address = address.to_address();
        let socket = Socket::new(address.domain(), Type::STREAM, None)?;
        let target = address.to_sock_addr()?;
        match address {
            Address::Inet(_) => socket.connect_timeout(&target, DEFAULT_DEADLINE)?,
            Address::Unix(_) => socket.connect(&target)?,
        }
        Ok(Self::new(socket))
    }

    /// A peer on a socket that a test has made itself, with options or a source address of its own.
    ///
    /// # Panics
    ///
    /// When the socket cannot be made non-blocking.
    #[track_caller]
    pub fn new(socket: Socket) -> Self {
        socket
            .set_nonblocking(true)
            .expect("a socket can be made non-blocking");
        Self {
            socket,
            allowed: DEFAULT_DEADLINE,
        }
    }

    /// Gives every later call this long instead of [`DEFAULT_DEADLINE`].
    #[must_use]
    pub fn with_deadline(mut self, allowed: Duration) -> Self {
        self.allowed = allowed;
        self
    }

    /// The address of this end.
    #[track_caller]
    pub fn local_addr(&self) -> Address {
        Address::from_sock_addr(
            &self
                .socket
                .local_addr()
                .expect("a connected socket has a local address"),
        )
    }

    /// The address of the other end, as this end sees it.
    #[track_caller]
    pub fn peer_addr(&self) -> Address {
        Address::from_sock_addr(
            &self
                .socket
                .peer_addr()
                .expect("a connected socket has a peer address"),
        )
    }

    /// The socket, for options.
    pub fn socket(&self) -> SockRef<'_> {
        SockRef::from(&self.socket)
    }

    /// Sends all of `bytes`.
    ///
    /// # Panics
    ///
    /// When the connection fails or takes no more before the deadline.
    #[track_caller]
    pub fn send(&self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        if let Err((sent, error)) = self.write_all(bytes) {
            panic!("sent {sent} of {} bytes: {error}", bytes.len());
        }
    }

    /// Sends all of `bytes` in pieces of random sizes up to `largest`, each with a system call of its own
    /// and, over TCP, in segments of its own.
    #[track_caller]
    pub fn send_in_chunks(&self, bytes: impl AsRef<[u8]>, largest: usize, rng: &mut Rng) {
        self.set_nodelay();
        let mut rest = bytes.as_ref();
        while !rest.is_empty() {
            let size = rng.between(1, largest.min(rest.len()));
            let (chunk, after) = rest.split_at(size);
            self.send(chunk);
            rest = after;
        }
    }

    /// Sends as [`Peer::send`] does, but hands an error back.
    ///
    /// # Errors
    ///
    /// Those of send(2), such as `BrokenPipe` and `ConnectionReset`; `TimedOut` at the deadline.
    pub fn try_send(&self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.write_all(bytes.as_ref()).map_err(|(_, error)| error)
    }

    /// Receives some bytes, at most as many as `buffer` holds; 0 is the end of the stream.
    ///
    /// # Errors
    ///
    /// Those of recv(2), such as `ConnectionReset`; `TimedOut` at the deadline.
    pub fn try_receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.receive_by(buffer, Deadline::after(self.allowed))
    }

    /// Receives exactly `count` bytes.
    ///
    /// # Panics
    ///
    /// When the stream ends or fails, or the deadline passes, before that.
    #[track_caller]
    pub fn read_exact(&self, count: usize) -> Vec<u8> {
        let (received, end) = self.receive_up_to(count);
        if let Some(end) = end {
            panic!(
                "expected {count} bytes, {end} after {}: {}",
                received.len(),
                show(&received)
            );
        }
        received
    }

    /// Receives as many bytes as `expected` has, and compares.
    ///
    /// # Panics
    ///
    /// When other bytes come, or fewer.
    #[track_caller]
    pub fn expect(&self, expected: impl AsRef<[u8]>) {
        let expected = expected.as_ref();
        let (received, end) = self.receive_up_to(expected.len());
        let same = received
            .iter()
            .zip(expected)
            .take_while(|(one, other)| one == other)
            .count();
        assert!(
            same == received.len(),
            "expected {}, other bytes came from offset {same}: {}",
            show(&expected[same..]),
            show(&received[same..])
        );
        if let Some(end) = end {
            panic!(
                "expected {}, {end} after {same} bytes: {}",
                show(expected),
                show(&received)
            );
        }
    }

    /// Expects the end of the stream: the other end's FIN, and nothing before it.
    #[track_caller]
    pub fn expect_eof(&self) {
        let mut buffer = [0; 4096];
        match self.try_receive(&mut buffer) {
            Ok(0) => {}
            Ok(count) => panic!(
                "expected the end of the stream, {count} bytes came: {}",
                show(&buffer[..count])
            ),
            Err(error) => panic!("expected the end of the stream, came: {error}"),
        }
    }

    /// Expects a reset, and no byte and no end of stream before it.
    #[track_caller]
    pub fn expect_reset(&self) {
        let mut buffer = [0; 4096];
        match self.try_receive(&mut buffer) {
            Ok(0) => panic!("expected a reset, the end of the stream came"),
            Ok(count) => panic!("expected a reset, {count} bytes came: {}", show(&buffer[..count])),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            Err(error) => panic!("expected a reset, came: {error}"),
        }
    }

    /// Expects that the other end closes in one way or the other, with no byte before it.
    #[track_caller]
    pub fn expect_closed(&self) {
        let mut buffer = [0; 4096];
        match self.try_receive(&mut buffer) {
            Ok(0) => {}
            Ok(count) => panic!("expected a close, {count} bytes came: {}", show(&buffer[..count])),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            Err(error) => panic!("expected a close, came: {error}"),
        }
    }

    /// Expects that nothing comes, neither byte nor end, for this long.
    #[track_caller]
    pub fn expect_silence(&self, lasting: Duration) {
        let mut buffer = [0; 4096];
        match self.receive_by(&mut buffer, Deadline::after(lasting)) {
            Ok(0) => panic!("expected silence, the end of the stream came"),
            Ok(count) => panic!("expected silence, {count} bytes came: {}", show(&buffer[..count])),
            Err(error) if error.kind() == ErrorKind::TimedOut => {}
            Err(error) => panic!("expected silence, came: {error}"),
        }
    }

    /// Receives up to the end of the stream.
    ///
    /// # Panics
    ///
    /// When more than `most` bytes come, the connection fails, or the end does not come in time.
    #[track_caller]
    pub fn read_to_end(&self, most: usize) -> Vec<u8> {
        let (received, end) = self.receive_up_to(most.saturating_add(1));
        match end {
            Some(End::Eof) => received,
            Some(end) => panic!(
                "expected the end of the stream, {end} after {} bytes",
                received.len()
            ),
            None => panic!("expected at most {most} bytes, more came: {}", show(&received)),
        }
    }

    /// Sends the end of the stream (FIN) and goes on receiving.
    #[track_caller]
    pub fn half_close(&self) {
        self.socket
            .shutdown(Shutdown::Write)
            .expect("a connected socket can be shut down");
    }

    /// Closes with a reset: what was not sent yet is lost (`SO_LINGER` of zero, socket(7)). A unix
    /// socket has no reset; the other end sees one only if it had sent what this end has not read.
    #[track_caller]
    pub fn reset(self) {
        self.socket
            .set_linger(Some(Duration::ZERO))
            .expect("SO_LINGER can be set");
    }

    /// Closes; over TCP with a reset instead if there are bytes that were not received.
    pub fn close(self) {}

    /// Sends what is written at once rather than waiting for more. Has no meaning on a unix socket.
    pub(crate) fn set_nodelay(&self) {
        let _ = self.socket.set_tcp_nodelay(true);
    }

    fn write_all(&self, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
        let deadline = Deadline::after(self.allowed);
        let mut sent = 0;
        while sent < bytes.len() {
            let write = || (&self.socket).write(&bytes[sent..]);
            sent +=
                retry(&self.socket, PollFlags::POLLOUT, deadline, write).map_err(|error| (sent, error))?;
        }
        Ok(())
    }

    fn receive_by(&self, buffer: &mut [u8], deadline: Deadline) -> io::Result<usize> {
        retry(&self.socket, PollFlags::POLLIN, deadline, || {
            (&self.socket).read(buffer)
        })
    }

    /// Receives `count` bytes, or fewer and the reason.
    fn receive_up_to(&self, count: usize) -> (Vec<u8>, Option<End>) {
        let deadline = Deadline::after(self.allowed);
        let mut received = Vec::new();
        let mut buffer = vec![0; count.min(64 * 1024)];
        while received.len() < count {
            let room = buffer.len().min(count - received.len());
            match self.receive_by(&mut buffer[..room], deadline) {
                Ok(0) => return (received, Some(End::Eof)),
                Ok(count) => received.extend_from_slice(&buffer[..count]),
                Err(error) => return (received, Some(End::Failed(error))),
            }
        }
        (received, None)
    }
}

/// Why no more bytes came.
enum End {
    Eof,
    Failed(io::Error),
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Eof => write!(f, "the end of the stream came"),
            Self::Failed(error) => write!(f, "came `{error}`"),
        }
    }
}

/// Calls `operation` until it does not answer `WouldBlock`, waiting for `event` in between.
pub(crate) fn retry<T>(
    socket: &impl AsFd,
    event: PollFlags,
    deadline: Deadline,
    mut operation: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    loop {
        match operation() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            done => return done,
        }
        if deadline.passed() {
            return Err(io::Error::new(
                ErrorKind::TimedOut,
                format!("nothing happened within {:?}", deadline.allowed()),
            ));
        }
        // Rounded up, so that the last wait does not become a busy loop.
        let left = deadline.remaining() + Duration::from_millis(1);
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(socket.as_fd(), event)], timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Bytes for a message: as text with escapes, cut to what a person reads.
fn show(bytes: &[u8]) -> String {
    let cut = bytes.len().min(SHOWN);
    let more = if cut < bytes.len() {
        format!(" and {} more", bytes.len() - cut)
    } else {
        String::new()
    };
    format!("b\"{}\"{more}", bytes[..cut].escape_ascii())
}
