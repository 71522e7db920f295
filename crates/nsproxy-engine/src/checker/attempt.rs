//! One check on its way: carries out the steps of its script with sockets that never block.

use std::io::{ErrorKind, Read as _};
use std::net::SocketAddr;
use std::os::fd::AsRawFd as _;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use netns_core::NetnsId;
use proxy_proto::{Addresses, Transport, v1, v2};
use socket2::{SockAddr, Socket};

use super::Watched;
use crate::core::close::Errno;
use crate::core::health::{CheckResult, Connect, Destination, Next, Run};
use crate::core::moment::{Moment, Span};
use crate::live::LeftNetns;
use crate::opener::{Family, OpenError, SocketKind, SocketRequest, SourceBind, system_error};
use crate::plan::{CheckPlan, Endpoint, HeaderPlan, TlvPlan};

/// Bytes received at a time.
const CHUNK: usize = 4096;

/// A check that is on its way.
#[derive(Debug)]
pub(super) struct Attempt {
    run: Run,
    phase: Phase,
    socket: Option<Socket>,
    /// Where the next connection goes.
    to: Option<Endpoint>,
    /// Whether the connection is closed in an orderly way.
    linger: bool,
    began: Instant,
    /// When it has taken too long.
    deadline: Moment,
}

/// What it waits for.
#[derive(Debug)]
enum Phase {
    /// The opener's answer.
    Socket,
    /// The connection.
    Connection,
    /// The PROXY header to be taken; what is left of it.
    Header(Vec<u8>),
    /// What the script says.
    Talk,
}

/// How far it has come.
#[derive(Debug)]
pub(super) enum Progress {
    /// It waits for its socket.
    Waits,
    /// It needs a socket.
    NeedsSocket(SocketRequest),
    /// It has found something out.
    Over(CheckResult, String),
    /// It is not made: the server has no address, and is down for that.
    Pointless,
    /// It could not be made, for a want of this host that says nothing about the server.
    Prevented(Errno),
}

impl Attempt {
    /// A check that begins now. Says which socket it needs.
    pub(super) fn begin(watched: &Watched, now: Moment) -> (Self, Progress) {
        let mut attempt = Self {
            run: Run::new(watched.plan.script.clone()),
            phase: Phase::Talk,
            socket: None,
            to: None,
            linger: false,
            began: Instant::now(),
            deadline: now,
        };
        let progress = attempt.talk(watched, now);
        (attempt, progress)
    }

    pub(super) fn deadline(&self) -> Moment {
        self.deadline
    }

    pub(super) fn duration(&self) -> Duration {
        self.began.elapsed()
    }

    /// Its time is over.
    pub(super) fn on_timeout(&self) -> Progress {
        let (result, info) = self.run.on_timeout();
        Progress::Over(result, info)
    }

    /// The opener has answered.
    pub(super) fn on_socket(
        &mut self,
        result: Result<Socket, OpenError>,
        (registry, token): (&Registry, Token),
        watched: &Watched,
        now: Moment,
    ) -> Progress {
        let socket = match result {
            Ok(socket) => socket,
            Err(error) if is_want(error.errno()) => return Progress::Prevented(error.errno()),
            Err(error) => {
                let cause = system_error(&error).and_then(std::io::Error::raw_os_error);
                let cause = cause.map_or_else(|| error.source.to_string(), words);
                return Progress::Over(CheckResult::SocketError, format!("{error}: {cause}"));
            }
        };
        let (Next::Connect(Connect { linger, .. }), Some(to)) = (self.run.next_step(), &self.to) else {
            return Progress::Waits;
        };
        self.linger = *linger;
        // A script may send several times before it expects something.
        if let Endpoint::Ip(_) = to
            && let Err(error) = socket.set_tcp_nodelay(true)
        {
            return self.failed(&error);
        }
        let address = match to {
            Endpoint::Ip(address) => Ok(SockAddr::from(*address)),
            Endpoint::Unix(path) => SockAddr::unix(path),
            // Nothing to connect to: only listeners are inherited.
            Endpoint::Inherited(_) => Err(ErrorKind::InvalidInput.into()),
        };
        let connected = address.and_then(|address| socket.connect(&address));
        let is_established = match connected {
            Ok(()) => true,
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => false,
            Err(error) => return self.failed(&error),
        };
        // Registered only now: an unconnected socket would report a hang-up at once.
        let interest = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = registry.register(&mut SourceFd(&socket.as_raw_fd()), token, interest) {
            return self.failed(&error);
        }
        self.socket = Some(socket);
        self.phase = Phase::Connection;
        if is_established {
            self.on_connected(watched, now)
        } else {
            Progress::Waits
        }
    }

    /// Something has happened on the socket.
    pub(super) fn on_edge(&mut self, watched: &Watched, now: Moment) -> Progress {
        match (&self.phase, &self.socket) {
            (Phase::Connection, Some(socket)) => match socket.take_error() {
                Ok(Some(error)) | Err(error) => self.failed(&error),
                // An event may be about a socket before this one: only one that has a peer is connected.
                Ok(None) if socket.peer_addr().is_err() => Progress::Waits,
                Ok(None) => self.on_connected(watched, now),
            },
            (Phase::Header(_) | Phase::Talk, Some(_)) => self.talk(watched, now),
            _ => Progress::Waits,
        }
    }

    /// No name leads to this namespace any more: a check with a connection there is over, for no other one can be made.
    pub(super) fn on_netns_left(&self, watched: &Watched, left: &LeftNetns) -> Option<Progress> {
        let netns = watched.netns.as_deref()?;
        let socket = self.socket.as_ref().filter(|_| left.names.contains(netns))?;
        let is_there = NetnsId::of_socket(socket).is_ok_and(|id| id == left.id);
        is_there.then(|| Progress::Over(CheckResult::SocketError, format!("netns {netns} was removed")))
    }

    /// Closes the connection. Unless asked for, it is reset: that costs the server nothing more.
    pub(super) fn close(&mut self) {
        if let Some(socket) = self.socket.take()
            && !self.linger
        {
            // Should it fail, the server sees an end instead.
            let _ = socket.set_linger(Some(Duration::ZERO));
        }
    }

    fn on_connected(&mut self, watched: &Watched, now: Moment) -> Progress {
        if let Some(timeout) = watched.plan.answer_timeout.and_then(Span::from_duration) {
            self.deadline = now.after(timeout);
        }
        let send_header = match self.run.next_step() {
            Next::Connect(connect) => connect.send_header.clone(),
            _ => None,
        };
        self.run.on_connected();
        self.phase = match (send_header, &self.socket) {
            (Some(header), Some(socket)) => Phase::Header(write_header(&header, socket)),
            _ => Phase::Talk,
        };
        self.talk(watched, now)
    }

    /// Goes on with the script for as long as it need not wait.
    fn talk(&mut self, watched: &Watched, now: Moment) -> Progress {
        loop {
            if let (Phase::Header(left), Some(socket)) = (&mut self.phase, &self.socket) {
                match socket.send_with_flags(left, libc::MSG_NOSIGNAL) {
                    Ok(sent) => _ = left.drain(..sent),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Progress::Waits,
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return self.failed(&error),
                }
                if left.is_empty() {
                    self.phase = Phase::Talk;
                }
                continue;
            }
            match self.run.next_step() {
                Next::Over(result, info) => return Progress::Over(result, info),
                Next::Connect(connect) => {
                    let Some(to) = destination(&connect.to, watched) else {
                        return Progress::Pointless;
                    };
                    let request = request(&to, watched);
                    self.close();
                    self.to = Some(to);
                    self.phase = Phase::Socket;
                    self.deadline = connect_deadline(&watched.plan, now);
                    return Progress::NeedsSocket(request);
                }
                Next::Send(bytes) => {
                    let Some(socket) = &self.socket else {
                        return Progress::Waits;
                    };
                    match socket.send_with_flags(bytes, libc::MSG_NOSIGNAL) {
                        Ok(sent) => self.run.on_sent(sent),
                        Err(error) if error.kind() == ErrorKind::WouldBlock => return Progress::Waits,
                        Err(error) if error.kind() == ErrorKind::Interrupted => {}
                        Err(error) => return self.failed(&error),
                    }
                }
                Next::Receive(room) => {
                    let Some(mut socket) = self.socket.as_ref() else {
                        return Progress::Waits;
                    };
                    let mut chunk = [0; CHUNK];
                    match socket.read(&mut chunk[..room.min(CHUNK)]) {
                        Ok(0) => self.run.on_end(),
                        Ok(received) => self.run.on_received(&chunk[..received]),
                        Err(error) if error.kind() == ErrorKind::WouldBlock => return Progress::Waits,
                        Err(error) if error.kind() == ErrorKind::Interrupted => {}
                        // What has come before may be all that it takes.
                        Err(_) => self.run.on_end(),
                    }
                }
            }
        }
    }

    fn failed(&self, error: &std::io::Error) -> Progress {
        let errno = Errno::from(error);
        if is_want(errno) {
            return Progress::Prevented(errno);
        }
        let place = self.run.place();
        Progress::Over(CheckResult::Layer4Failed, format!("{}{place}", words(errno.0)))
    }
}

/// HAProxy's rule: the interval is for the whole check, or for each connection where there is a timeout for the rest.
fn connect_deadline(plan: &CheckPlan, now: Moment) -> Moment {
    let interval = now.after(plan.rules.interval);
    match plan.connect_timeout.and_then(Span::from_duration) {
        Some(timeout) if plan.answer_timeout.is_some() => interval.min(now.after(timeout)),
        _ => interval,
    }
}

/// The address at this moment.
fn destination(to: &Destination, watched: &Watched) -> Option<Endpoint> {
    match to {
        Destination::At(endpoint) => Some(endpoint.clone()),
        Destination::Server { address, port } => {
            let (its_address, its_port) = watched.members.first()?.server.place();
            let address = address.or(its_address)?;
            Some(Endpoint::Ip(SocketAddr::new(address, port.or(its_port)?)))
        }
    }
}

fn request(to: &Endpoint, watched: &Watched) -> SocketRequest {
    let kind = match to {
        Endpoint::Unix(_) | Endpoint::Inherited(_) => SocketKind::Upstream {
            family: Family::Unix,
            source: None,
            interface: None,
        },
        Endpoint::Ip(to) => SocketKind::Upstream {
            family: Family::from(to),
            source: watched
                .plan
                .source
                .filter(|source| source.is_ipv4() == to.is_ipv4())
                .map(|address| SourceBind {
                    address,
                    transparent: false,
                }),
            interface: watched.plan.interface.clone(),
        },
    };
    SocketRequest {
        netns: watched.netns.clone(),
        kind,
    }
}

/// The header of a connection that is made for nobody: with its own addresses in version 1, LOCAL in version 2.
fn write_header(plan: &HeaderPlan, socket: &Socket) -> Vec<u8> {
    /// More than the longest of version 1, and than one of version 2 without addresses.
    const LONGEST: usize = 128;
    let mut header = vec![0; LONGEST];
    let written = match plan {
        HeaderPlan::V1 => {
            let ends = [socket.local_addr(), socket.peer_addr()].map(|address| address.ok()?.as_socket());
            let addresses = match ends {
                [Some(own), Some(peer)] => Addresses::promoted(Transport::Stream, own, peer),
                _ => Addresses::Unspec,
            };
            v1::encode(&addresses, &mut header)
        }
        HeaderPlan::V2(TlvPlan { checksum, .. }) => {
            let mut builder = v2::Builder::local(&mut header);
            if *checksum {
                builder.crc32c();
            }
            builder.finish()
        }
    };
    // There is room for each of them.
    header.truncate(written.unwrap_or(0));
    header
}

/// Whether it is this host that has too little of something.
fn is_want(Errno(errno): Errno) -> bool {
    matches!(errno, libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)
}

/// What the system calls an error, without its number.
fn words(errno: i32) -> String {
    nix::errno::Errno::from_raw(errno).desc().to_owned()
}
