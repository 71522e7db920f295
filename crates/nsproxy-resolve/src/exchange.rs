//! One question to one server, from the socket to the reply: a datagram each way, or a stream.

use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};

use nix::poll::PollFlags;
use socket2::Socket;

use crate::message::{Query, Reply};

/// Datagrams that are looked at in one turn, so that a flood of them does not keep us from others.
const MOST_DATAGRAMS: usize = 32;

/// A question that is on its way.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) query: Query,
    pub(crate) server: SocketAddr,
    socket: Socket,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The question was sent. What a datagram may have.
    Datagram(usize),
    /// Being connected, or sent: the length, the question.
    Sending(Vec<u8>),
    /// What has come: the length, then the answer.
    Receiving(Vec<u8>),
}

impl Exchange {
    /// Sends the question as a datagram. The socket takes datagrams of this server only.
    pub(crate) fn by_datagram(
        socket: Socket,
        query: Query,
        server: SocketAddr,
        size: u16,
    ) -> io::Result<Self> {
        let bytes = query.bytes(size).ok_or(io::ErrorKind::InvalidInput)?;
        socket.connect(&server.into())?;
        socket.send(&bytes)?;
        Ok(Self {
            query,
            server,
            socket,
            state: State::Datagram(usize::from(size).max(usize::from(crate::message::PLAIN_SIZE))),
        })
    }

    /// Starts connecting; the question follows.
    pub(crate) fn by_stream(socket: Socket, query: Query, server: SocketAddr) -> io::Result<Self> {
        let bytes = query
            .bytes(crate::message::PLAIN_SIZE)
            .ok_or(io::ErrorKind::InvalidInput)?;
        let length = u16::try_from(bytes.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let message = [&length.to_be_bytes(), &bytes[..]].concat();
        match socket.connect(&server.into()) {
            Err(error) if error.raw_os_error() != Some(nix::errno::Errno::EINPROGRESS as i32) => {
                return Err(error);
            }
            _ => {}
        }
        Ok(Self {
            query,
            server,
            socket,
            state: State::Sending(message),
        })
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    pub(crate) fn interest(&self) -> PollFlags {
        match self.state {
            State::Sending(_) => PollFlags::POLLOUT,
            State::Datagram(_) | State::Receiving(_) => PollFlags::POLLIN,
        }
    }

    /// Goes on. `None`: there is no reply yet.
    ///
    /// # Errors
    ///
    /// This server will not answer.
    pub(crate) fn go_on(&mut self) -> io::Result<Option<Reply>> {
        let result = match &mut self.state {
            State::Datagram(size) => receive_datagrams(&self.socket, *size, &self.query),
            State::Sending(left) => match send(&mut self.socket, left) {
                Ok(()) => {
                    self.state = State::Receiving(Vec::new());
                    Ok(None)
                }
                Err(error) => Err(error),
            },
            State::Receiving(received) => receive(&mut self.socket, received, &self.query),
        };
        match result {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            result => result,
        }
    }
}

/// Passes over what is not an answer to the question.
fn receive_datagrams(socket: &Socket, size: usize, query: &Query) -> io::Result<Option<Reply>> {
    let mut buffer = vec![0; size];
    for _ in 0..MOST_DATAGRAMS {
        let count = (&*socket).read(&mut buffer)?;
        if let Some(reply) = query.reply(&buffer[..count]) {
            return Ok(Some(reply));
        }
    }
    Ok(None)
}

fn send(socket: &mut Socket, left: &mut Vec<u8>) -> io::Result<()> {
    while !left.is_empty() {
        let count = match socket.write(left) {
            // Not connected yet.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            result => result?,
        };
        left.drain(..count);
    }
    Ok(())
}

/// A stream is one server's, so what it says first is its answer.
fn receive(socket: &mut Socket, received: &mut Vec<u8>, query: &Query) -> io::Result<Option<Reply>> {
    loop {
        let wanted = match received.first_chunk::<2>() {
            None => 2,
            Some(length) => 2 + usize::from(u16::from_be_bytes(*length)),
        };
        if received.len() >= 2 && received.len() == wanted {
            return match query.reply(&received[2..]) {
                Some(Reply::Truncated) | None => Err(io::ErrorKind::InvalidData.into()),
                reply => Ok(reply),
            };
        }
        let mut part = [0; 4096];
        let most = part.len().min(wanted - received.len());
        match socket.read(&mut part[..most])? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => received.extend_from_slice(&part[..count]),
        }
    }
}
