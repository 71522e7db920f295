//! A connection for each request: connect, send, compare the answer, close, and again.

use std::io::{ErrorKind, IoSlice, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use netns_core::Netns;
use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Socket, Type};

use super::PATIENCE;
use super::meter::{Measured, Meter, Part};
use super::pattern;

/// Bytes of a request, and of its answer.
const SIZE: usize = 64;

/// The PROXY v2 header of the clients: TCP over IPv4, 192.0.2.1:4000 to 192.0.2.2:443.
pub(in crate::relay) const HEADER: [u8; 28] = [
    0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, // the signature
    0x21, 0x11, 0x00, 0x0c, // version 2, PROXY; TCP over IPv4; 12 bytes follow
    192, 0, 2, 1, 192, 0, 2, 2, 0x0f, 0xa0, 0x01, 0xbb,
];

/// Where a connection goes.
#[derive(Debug)]
pub(in crate::relay) struct Place {
    pub(in crate::relay) address: SocketAddr,
    /// The namespace to connect from, if it is not the calling thread's.
    pub(in crate::relay) netns: Option<Netns>,
    /// The address to connect from, if it is not the kernel's choice.
    pub(in crate::relay) from: Option<IpAddr>,
}

/// A closed loop of connections: as many at a time as there are slots, each to the next place in turn.
pub(in crate::relay) struct Connect {
    poll: Poll,
    places: Vec<Place>,
    slots: Vec<Slot>,
    /// What goes before each request.
    header: &'static [u8],
    serial: usize,
    open: usize,
}

struct Slot {
    stream: Option<TcpStream>,
    begun: Instant,
    position: u64,
    sent: usize,
    got: usize,
}

impl Connect {
    pub(in crate::relay) fn new(
        places: Vec<Place>,
        at_a_time: usize,
        with_header: bool,
    ) -> anyhow::Result<Self> {
        let begun = Instant::now();
        let slots = (0..at_a_time).map(|_| Slot {
            stream: None,
            begun,
            position: 0,
            sent: 0,
            got: 0,
        });
        Ok(Self {
            poll: Poll::new().context("epoll")?,
            places,
            slots: slots.collect(),
            header: if with_header { &HEADER } else { &[] },
            serial: 0,
            open: 0,
        })
    }

    /// Connections until the meter says that it is over, and the last ones are done. The calling thread ends up in the namespace
    /// of some place.
    pub(in crate::relay) fn run(&mut self, mut meter: Meter<'_>) -> anyhow::Result<Measured> {
        for index in 0..self.slots.len() {
            self.begin(index, Instant::now())?;
        }
        let mut events = Events::with_capacity(self.slots.len().max(64));
        let mut scratch = [0; 4 * SIZE];
        while self.open > 0 {
            match self.poll.poll(&mut events, Some(PATIENCE)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result.context("epoll")?,
            }
            ensure!(
                !events.is_empty(),
                "{} connections have no answer after {PATIENCE:?}",
                self.open
            );
            for event in &events {
                let index = event.token().0;
                if !self.is_answered(index, event, &mut scratch)? {
                    continue;
                }
                self.slots[index].stream = None;
                self.open -= 1;
                let now = Instant::now();
                let part = meter.part(now)?;
                meter.record(self.slots[index].begun, now, SIZE as u64);
                if part != Part::Over {
                    self.begin(index, now)?;
                }
            }
        }
        Ok(meter.finish())
    }

    fn begin(&mut self, index: usize, now: Instant) -> anyhow::Result<()> {
        let place = &self.places[self.serial % self.places.len()];
        let slot = &mut self.slots[index];
        slot.begun = now;
        slot.position = (self.serial as u64) * 67 % 65_536;
        slot.sent = 0;
        slot.got = 0;
        self.serial += 1;
        let mut stream = place.connect()?;
        slot.send(&mut stream, self.header)?;
        // What has been sent needs no event that says that it can be.
        let interest = if slot.sent < self.header.len() + SIZE {
            Interest::READABLE | Interest::WRITABLE
        } else {
            Interest::READABLE
        };
        self.poll
            .registry()
            .register(&mut stream, Token(index), interest)?;
        slot.stream = Some(stream);
        self.open += 1;
        Ok(())
    }

    fn is_answered(&mut self, index: usize, event: &Event, scratch: &mut [u8]) -> anyhow::Result<bool> {
        let slot = &mut self.slots[index];
        let Some(mut stream) = slot.stream.take() else {
            return Ok(false);
        };
        if event.is_writable() {
            slot.send(&mut stream, self.header)?;
        }
        while event.is_readable() && slot.got < SIZE {
            match stream.read(scratch) {
                Ok(0) => bail!("a connection was ended after {} bytes of its answer", slot.got),
                Ok(length) => slot.check(&scratch[..length])?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error).context("no answer"),
            }
        }
        slot.stream = Some(stream);
        Ok(slot.got == SIZE)
    }
}

impl Slot {
    /// Sends what is left of header and request, as far as the socket takes it; one that is still connecting takes nothing.
    fn send(&mut self, stream: &mut TcpStream, header: &[u8]) -> anyhow::Result<()> {
        let request = &pattern::at(self.position)[..SIZE];
        while self.sent < header.len() + SIZE {
            let result = match self.sent.checked_sub(header.len()) {
                None => stream.write_vectored(&[IoSlice::new(&header[self.sent..]), IoSlice::new(request)]),
                Some(sent) => stream.write(&request[sent..]),
            };
            match result {
                Ok(length) => self.sent += length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error).context("cannot connect and send"),
            }
        }
        Ok(())
    }

    fn check(&mut self, piece: &[u8]) -> anyhow::Result<()> {
        let end = self.got + piece.len();
        ensure!(
            end <= SIZE,
            "an answer has {end} bytes where {SIZE} were asked for"
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

impl Place {
    fn connect(&self) -> anyhow::Result<TcpStream> {
        if let Some(netns) = &self.netns {
            setns(netns, CloneFlags::CLONE_NEWNET).context("cannot enter a namespace")?;
        }
        let Some(from) = self.from else {
            return TcpStream::connect(self.address)
                .with_context(|| format!("cannot connect to {}", self.address));
        };
        let socket = Socket::new(
            Domain::for_address(self.address),
            Type::STREAM.nonblocking().cloexec(),
            None,
        )?;
        setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)?;
        socket
            .bind(&SocketAddr::new(from, 0).into())
            .with_context(|| format!("cannot bind {from}"))?;
        match socket.connect(&self.address.into()) {
            Err(error) if error.raw_os_error() != Some(nix::libc::EINPROGRESS) => {
                return Err(error).with_context(|| format!("cannot connect to {} from {from}", self.address));
            }
            _ => {}
        }
        Ok(TcpStream::from_std(socket.into()))
    }
}
