//! As many bytes as go through, on a few connections, in one direction.

use std::io::{ErrorKind, Write as _};
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::meter::{Measured, Meter, Part};
use super::pattern::WINDOW;
use super::stream::{Sink, Source, Turn};
use super::{Counters, PATIENCE};

/// Which way the bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::relay) enum BulkDirection {
    /// To the server's sink.
    Up,
    /// From the server's source.
    Down,
}

/// Connections that are open.
pub(in crate::relay) struct Bulk {
    poll: Poll,
    streams: Vec<Stream>,
    direction: BulkDirection,
    scratch: Box<[u8]>,
    open: usize,
    again: Vec<usize>,
}

struct Stream {
    socket: TcpStream,
    end: End,
    is_open: bool,
}

enum End {
    Source(Source),
    Sink(Sink),
}

impl Bulk {
    /// Opens the connections from the namespace of the calling thread.
    pub(in crate::relay) fn open(
        address: SocketAddr,
        streams: usize,
        direction: BulkDirection,
    ) -> anyhow::Result<Self> {
        let poll = Poll::new().context("epoll")?;
        let streams = (0..streams)
            .map(|index| {
                let socket = std::net::TcpStream::connect_timeout(&address, PATIENCE)
                    .with_context(|| format!("stream {index} to {address}"))?;
                socket.set_nonblocking(true)?;
                let mut socket = TcpStream::from_std(socket);
                let interest = Interest::READABLE | Interest::WRITABLE;
                poll.registry().register(&mut socket, Token(index), interest)?;
                let end = match direction {
                    BulkDirection::Up => End::Source(Source::default()),
                    BulkDirection::Down => End::Sink(Sink::default()),
                };
                Ok(Stream {
                    socket,
                    end,
                    is_open: true,
                })
            })
            .collect::<anyhow::Result<Vec<_>>>()?;
        Ok(Self {
            poll,
            open: streams.len(),
            streams,
            direction,
            scratch: vec![0; WINDOW].into_boxed_slice(),
            again: Vec::new(),
        })
    }

    /// Transfers until the meter says that it is over, ends all streams, and makes sure that what was sent has arrived: all of
    /// it, and nothing else. `server` has served no other bulk connections in the meantime.
    pub(in crate::relay) fn run(
        mut self,
        mut meter: Meter<'_>,
        server: &Counters,
    ) -> anyhow::Result<Measured> {
        let (sent, received) = (server.sent(), server.received());
        let mut events = Events::with_capacity(64);
        let mut is_stopped = false;
        let mut moved_at = Instant::now();
        while self.open > 0 {
            let now = Instant::now();
            if meter.part(now)? == Part::Over && !is_stopped {
                is_stopped = true;
                self.stop()?;
            }
            let wait = if self.again.is_empty() {
                meter.remaining(now).min(PATIENCE)
            } else {
                Duration::ZERO
            };
            match self.poll.poll(&mut events, Some(wait)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result.context("epoll")?,
            }
            let mut moved = 0;
            for event in &events {
                let is_ending = event.is_read_closed() || event.is_error();
                moved += self.turn(event.token().0, event.is_readable(), is_ending, is_stopped)?;
            }
            for index in std::mem::take(&mut self.again) {
                moved += self.turn(index, true, true, is_stopped)?;
            }
            if self.direction == BulkDirection::Down {
                meter.add_bytes(moved);
            }
            if moved > 0 {
                moved_at = now;
            }
            ensure!(now - moved_at < PATIENCE, "nothing has moved for {PATIENCE:?}");
        }
        let ours: u64 = self.streams.iter().map(|stream| stream.end.position()).sum();
        let mut measured = meter.finish();
        match self.direction {
            BulkDirection::Down => arrives(ours, &|| server.sent() - sent)?,
            BulkDirection::Up => {
                arrives(ours, &|| server.received() - received)?;
                measured.bytes = measured.end.server_received - measured.begin.server_received;
            }
        }
        Ok(measured)
    }

    /// Tells the other side that it is enough.
    fn stop(&mut self) -> anyhow::Result<()> {
        if self.direction == BulkDirection::Up {
            // Nothing is written any more.
            self.again.clear();
        }
        for stream in &mut self.streams {
            match self.direction {
                BulkDirection::Up => stream.socket.shutdown(Shutdown::Write)?,
                BulkDirection::Down => {
                    stream.socket.write_all(b".").context("cannot stop a stream")?;
                }
            }
        }
        Ok(())
    }

    /// Moves what can be moved on one stream, and returns how much that was.
    fn turn(
        &mut self,
        index: usize,
        is_readable: bool,
        is_ending: bool,
        is_stopped: bool,
    ) -> anyhow::Result<u64> {
        let stream = &mut self.streams[index];
        if !stream.is_open {
            return Ok(0);
        }
        let before = stream.end.position();
        let turn = match &mut stream.end {
            End::Sink(sink) if is_readable => sink.drain(&stream.socket, &mut self.scratch, is_ending),
            End::Source(source) if !is_stopped => source.pour(&mut stream.socket),
            // The server ends its direction when it has seen the end of ours.
            End::Source(_) if is_ending => Ok(Turn::Ended),
            End::Source(_) | End::Sink(_) => Ok(Turn::Blocked),
        };
        match turn.with_context(|| format!("stream {index}"))? {
            Turn::Blocked => {}
            Turn::Again => self.again.push(index),
            Turn::Ended => {
                ensure!(is_stopped, "stream {index} was ended by the other side");
                stream.is_open = false;
                self.open -= 1;
            }
        }
        Ok(stream.end.position() - before)
    }
}

impl End {
    fn position(&self) -> u64 {
        match self {
            Self::Source(source) => source.position,
            Self::Sink(sink) => sink.position,
        }
    }
}

/// Waits for the server to have counted as much as we have.
fn arrives(ours: u64, theirs: &dyn Fn() -> u64) -> anyhow::Result<()> {
    let begun = Instant::now();
    while theirs() != ours {
        ensure!(
            begun.elapsed() < PATIENCE,
            "the client has counted {ours} bytes, the server {}",
            theirs()
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
