//! Requests and answers on connections that stay: each connection has one request on its way at any time.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::PATIENCE;
use super::meter::{Measured, Meter, Part};
use super::pattern::{self, WINDOW};

/// Connections that are open.
pub(in crate::relay) struct Requests {
    poll: Poll,
    events: Events,
    connections: Vec<Connection>,
    size: usize,
    scratch: Box<[u8]>,
    /// How many requests have been begun, ever: it decides which bytes the next one has.
    serial: u64,
    on_their_way: usize,
}

struct Connection {
    stream: TcpStream,
    begun: Instant,
    position: u64,
    sent: usize,
    got: usize,
}

impl Requests {
    /// Opens the connections, one after the other, from the namespace of the calling thread. `size` is that of a request and of
    /// its answer, at most [`WINDOW`].
    pub(in crate::relay) fn open(
        address: SocketAddr,
        connections: usize,
        size: usize,
    ) -> anyhow::Result<Self> {
        let poll = Poll::new().context("epoll")?;
        let connections = (0..connections)
            .map(|index| {
                let stream = std::net::TcpStream::connect_timeout(&address, PATIENCE)
                    .with_context(|| format!("connection {index} to {address}"))?;
                stream.set_nodelay(true)?;
                stream.set_nonblocking(true)?;
                let mut stream = TcpStream::from_std(stream);
                let interest = Interest::READABLE | Interest::WRITABLE;
                poll.registry().register(&mut stream, Token(index), interest)?;
                Ok(Connection {
                    stream,
                    begun: Instant::now(),
                    position: 0,
                    sent: size,
                    got: size,
                })
            })
            .collect::<anyhow::Result<Vec<_>>>()?;
        Ok(Self {
            poll,
            events: Events::with_capacity(connections.len().clamp(64, 1024)),
            connections,
            size,
            scratch: vec![0; WINDOW].into_boxed_slice(),
            serial: 0,
            on_their_way: 0,
        })
    }

    /// One request and its answer on each connection.
    pub(in crate::relay) fn exchange(&mut self) -> anyhow::Result<()> {
        self.drive(&mut |_, _| Ok(false))
    }

    /// Requests without a pause until the meter says that it is over, and all have been answered.
    pub(in crate::relay) fn run(&mut self, mut meter: Meter<'_>) -> anyhow::Result<Measured> {
        let size = self.size as u64;
        self.drive(&mut |begun, now| {
            let part = meter.part(now)?;
            meter.record(begun, now, size);
            Ok(part != Part::Over)
        })?;
        Ok(meter.finish())
    }

    /// Begins a request on each connection, and after each answer another one if `go_on` says so.
    fn drive(
        &mut self,
        go_on: &mut dyn FnMut(Instant, Instant) -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        for index in 0..self.connections.len() {
            self.begin(index, Instant::now())?;
        }
        let mut events = std::mem::replace(&mut self.events, Events::with_capacity(1));
        while self.on_their_way > 0 {
            match self.poll.poll(&mut events, Some(PATIENCE)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result.context("epoll")?,
            }
            ensure!(
                !events.is_empty(),
                "{} of {} requests have no answer after {PATIENCE:?}",
                self.on_their_way,
                self.connections.len()
            );
            for event in &events {
                let index = event.token().0;
                if self.is_answered(index, event)? {
                    self.on_their_way -= 1;
                    let now = Instant::now();
                    if go_on(self.connections[index].begun, now)? {
                        self.begin(index, now)?;
                    }
                }
            }
        }
        self.events = events;
        Ok(())
    }

    fn begin(&mut self, index: usize, now: Instant) -> anyhow::Result<()> {
        let connection = &mut self.connections[index];
        // A step that is no multiple of the size, within what fits into the cache.
        connection.position = self.serial * 67 % 65_536;
        self.serial += 1;
        connection.begun = now;
        connection.sent = 0;
        connection.got = 0;
        self.on_their_way += 1;
        connection.send(self.size)
    }

    fn is_answered(&mut self, index: usize, event: &Event) -> anyhow::Result<bool> {
        let connection = &mut self.connections[index];
        if event.is_writable() {
            connection.send(self.size)?;
        }
        if !event.is_readable() {
            return Ok(false);
        }
        let was_waiting = connection.got < self.size;
        loop {
            match connection.stream.read(&mut self.scratch) {
                Ok(0) => bail!("connection {index} was ended by the other side"),
                Ok(length) => {
                    connection.check(&self.scratch[..length], self.size)?;
                    if length < self.scratch.len() && !event.is_read_closed() {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error).with_context(|| format!("connection {index}")),
            }
        }
        Ok(was_waiting && connection.got == self.size)
    }
}

impl Connection {
    fn send(&mut self, size: usize) -> anyhow::Result<()> {
        while self.sent < size {
            match self.stream.write(&pattern::at(self.position)[self.sent..size]) {
                Ok(length) => self.sent += length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error).context("cannot send a request"),
            }
        }
        Ok(())
    }

    fn check(&mut self, piece: &[u8], size: usize) -> anyhow::Result<()> {
        let end = self.got + piece.len();
        ensure!(
            end <= size,
            "an answer has {end} bytes where {size} were asked for"
        );
        ensure!(
            *piece == pattern::at(self.position)[self.got..end],
            "an answer has wrong bytes between {} and {end}",
            self.got
        );
        self.got = end;
        Ok(())
    }
}
