//! One connection of the server: what it does in its turn, by its service.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr};

use mio::event::Event;
use mio::net::TcpStream;

use super::HEADER;
use super::server::{Counters, Service};
use super::stream::{Sink, Source, Turn};

/// An accepted connection.
pub(super) struct Connection {
    stream: TcpStream,
    role: Role,
}

enum Role {
    /// The part of the header that is there, if not all of it is.
    Header(Vec<u8>),
    /// What the socket would not take, which is most often nothing.
    Echo {
        leftover: Vec<u8>,
    },
    Sink(Sink),
    Source(Source),
}

/// What to do with a connection after a turn.
pub(super) enum Next {
    Wait,
    Again,
    Close,
}

/// Why a connection has its turn.
#[derive(Clone, Copy)]
pub(super) struct Cause {
    is_readable: bool,
    is_ending: bool,
}

impl Cause {
    /// It stopped because of its budget.
    pub(super) const BUDGET: Self = Self {
        is_readable: true,
        is_ending: true,
    };

    pub(super) fn of(event: &Event) -> Self {
        Self {
            is_readable: event.is_readable(),
            is_ending: event.is_read_closed() || event.is_error(),
        }
    }
}

impl Role {
    fn of(service: Service, peer: SocketAddr) -> Option<Self> {
        let leftover = Vec::new();
        match service {
            Service::Echo => Some(Self::Echo { leftover }),
            Service::EchoFrom(addresses) => addresses.contains(&peer.ip()).then_some(Self::Echo { leftover }),
            Service::EchoAfterHeader => Some(Self::Header(leftover)),
            Service::Sink => Some(Self::Sink(Sink::default())),
            Service::Source => Some(Self::Source(Source::default())),
        }
    }
}

impl Connection {
    /// Nothing when this peer may not have this service.
    pub(super) fn new(stream: TcpStream, service: Service, peer: SocketAddr) -> Option<Self> {
        let role = Role::of(service, peer)?;
        Some(Self { stream, role })
    }

    /// For the poll.
    pub(super) fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// What a source has written.
    pub(super) fn sent(&self) -> u64 {
        match &self.role {
            Role::Source(source) => source.position,
            _ => 0,
        }
    }

    /// Does what can be done now.
    ///
    /// # Errors
    ///
    /// `InvalidData` when the client has sent something wrong; otherwise the socket's own.
    pub(super) fn turn(&mut self, cause: Cause, scratch: &mut [u8], counters: &Counters) -> io::Result<Next> {
        match &mut self.role {
            Role::Header(_) => self.header(cause, scratch),
            Role::Echo { leftover } => {
                if leftover.is_empty() && !cause.is_readable {
                    return Ok(Next::Wait);
                }
                self.echo(cause, scratch)
            }
            Role::Sink(sink) => {
                if !cause.is_readable {
                    return Ok(Next::Wait);
                }
                let before = sink.position;
                let turn = sink.drain(&self.stream, scratch, cause.is_ending);
                counters.add_received(sink.position - before);
                Ok(match turn? {
                    Turn::Blocked => Next::Wait,
                    Turn::Again => Next::Again,
                    Turn::Ended => Next::Close,
                })
            }
            Role::Source(source) => {
                if cause.is_readable {
                    match self.stream.read(scratch) {
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                        Err(error) => return Err(error),
                        Ok(_) => {
                            self.stream.shutdown(Shutdown::Write)?;
                            return Ok(Next::Close);
                        }
                    }
                }
                Ok(match source.pour(&mut self.stream)? {
                    Turn::Blocked | Turn::Ended => Next::Wait,
                    Turn::Again => Next::Again,
                })
            }
        }
    }

    fn echo(&mut self, cause: Cause, scratch: &mut [u8]) -> io::Result<Next> {
        let Role::Echo { leftover } = &mut self.role else {
            return Ok(Next::Wait);
        };
        loop {
            while !leftover.is_empty() {
                match self.stream.write(leftover) {
                    Ok(length) => drop(leftover.drain(..length)),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Next::Wait),
                    Err(error) => return Err(error),
                }
            }
            let length = match self.stream.read(scratch) {
                Ok(0) => return Ok(Next::Close),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Next::Wait),
                Err(error) => return Err(error),
            };
            let written = match self.stream.write(&scratch[..length]) {
                Ok(written) => written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                Err(error) => return Err(error),
            };
            leftover.extend_from_slice(&scratch[written..length]);
            if leftover.is_empty() && length < scratch.len() && !cause.is_ending {
                return Ok(Next::Wait);
            }
        }
    }

    /// Takes the header off, however it is cut, and echoes from there on.
    fn header(&mut self, cause: Cause, scratch: &mut [u8]) -> io::Result<Next> {
        let Role::Header(begun) = &mut self.role else {
            return Ok(Next::Wait);
        };
        if !cause.is_readable {
            return Ok(Next::Wait);
        }
        loop {
            let length = match self.stream.read(scratch) {
                Ok(0) => return Err(wrong_header("the connection ended before its end")),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Next::Wait),
                Err(error) => return Err(error),
            };
            // Nearly always all of it is there: then nothing has to be kept.
            if begun.is_empty()
                && let Some(end) = end_of_header(&scratch[..length])?
            {
                let written = match self.stream.write(&scratch[end..length]) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                    result => result?,
                };
                let leftover = scratch[end + written..length].to_vec();
                self.role = Role::Echo { leftover };
                break;
            }
            begun.extend_from_slice(&scratch[..length]);
            if let Some(end) = end_of_header(begun)? {
                let leftover = begun.split_off(end);
                self.role = Role::Echo { leftover };
                break;
            }
        }
        self.echo(cause, scratch)
    }
}

/// Where the PROXY header ends that `bytes` begin with; nothing when more bytes are needed.
fn end_of_header(bytes: &[u8]) -> io::Result<Option<usize>> {
    let Some(field) = bytes.get(14..16) else {
        return Ok(None);
    };
    let end = 16 + usize::from(u16::from_be_bytes([field[0], field[1]]));
    if bytes.len() < end {
        return Ok(None);
    }
    // The relay may add TLVs, and so change the length; all else is the client's.
    if bytes[..14] != HEADER[..14] || bytes[16..end].get(..12) != Some(&HEADER[16..]) {
        return Err(wrong_header("not the client's addresses"));
    }
    Ok(Some(end))
}

fn wrong_header(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("PROXY header: {what}"))
}
