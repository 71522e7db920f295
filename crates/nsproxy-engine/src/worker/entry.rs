//! What a worker keeps of one session: the pure state machine, its two sockets, and what it holds for its flows.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::sync::Arc;

use netns_core::NetnsSpec;
use socket2::Socket;

use super::buffers::{BufferPool, Waiting};
use super::facts::SessionFacts;
use super::pipes::{Pipe, PipePool};
use crate::accepted::Accepted;
use crate::core::balance::Ticket;
use crate::core::close::CloseReason;
use crate::core::moment::Moment;
use crate::core::policy::ClientNetns;
use crate::core::session::Session;
use crate::core::side::{Direction, Side};
use crate::observer::SessionSummary;
use crate::plan::NetnsRef;
use crate::route::Route;
use crate::server::Server;

/// One session of a worker.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) core: Session,
    downstream: Socket,
    upstream: Option<Socket>,
    pub(super) holdings: [Holding; 2],
    pub(super) route: Arc<Route>,
    /// The last one that was chosen.
    pub(super) server: Option<Chosen>,
    pub(super) place: Place,
    pub(super) peer: Option<SocketAddr>,
    /// What the PROXY header said.
    pub(super) received: Option<Box<Received>>,
    pub(super) accepted_at: Moment,
    /// Tells this session apart from others that had its slab key.
    pub(super) generation: u32,
    /// Whether its upstream connection may lead to a listener of ours. Once it was made: whether it is remembered.
    pub(super) suspect: bool,
    /// Whether it waits in the run queue.
    pub(super) queued: bool,
    /// While the bytes of a side are looked at: there will be no more of them.
    pub(super) has_ended: bool,
    pub(super) destined: Destined,
    nagle: Nagle,
    /// Whether the poller tells when a socket has room for bytes, by its side.
    pub(super) told_of_room: [bool; 2],
}

/// Whether what is sent to the server may have to wait until what was sent before has arrived (Nagle's algorithm). What is sent
/// first never has to, so a session that sends once does without the option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nagle {
    /// Nothing was sent yet.
    Unused,
    /// What is sent next would have to.
    InForce,
    /// It never has to.
    Off,
}

/// Which way a session has come to its pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Destined {
    /// A rule may choose another one.
    Open,
    /// It is decided.
    Decided,
    /// It has looked for a server there.
    Arrived,
}

/// The server of a session, and where its connection goes.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) server: Arc<Server>,
    pub(super) netns: NetnsRef,
    pub(super) address: Address,
}

/// A port of [`SourcePorts`](crate::source_ports::SourcePorts) that a session has.
#[derive(Debug, Clone, Copy)]
pub(super) struct SourcePort {
    pub(super) port: NonZeroU16,
    /// How many before it somebody else was bound to.
    pub(super) refused: u8,
}

/// Whether a session has a place at a server.
#[derive(Debug)]
pub(super) enum Place {
    /// None, and it waits for none.
    None,
    /// It waits.
    Awaited(Ticket),
    /// At this server, which it has waited for.
    Granted(Arc<Server>),
    /// At the server that was chosen last. The port that the connection there is bound to, where the server has a range of them.
    Taken(Option<SourcePort>),
}

/// Where a connection goes.
#[derive(Debug)]
pub(super) enum Address {
    Ip(SocketAddr),
    /// The path is the server's.
    Unix,
}

/// What a PROXY header said.
#[derive(Debug)]
pub(super) struct Received {
    /// The client that it names.
    pub(super) source: Option<SocketAddr>,
    /// Where that client had connected to.
    pub(super) destination: Option<SocketAddr>,
    /// The namespace of the connection, as policy has decided.
    pub(super) netns: ClientNetns<Arc<NetnsSpec>>,
    /// Whether it has selected that namespace itself.
    pub(super) selects: bool,
    /// The name of a namespace that it may not select.
    pub(super) unlisted: Option<Box<[u8]>>,
    /// Whether there was a header; otherwise a rule has set what is here.
    pub(super) by_header: bool,
    /// The header itself, where a rule asks for its TLVs or a server may get them. Until the server's connection stands.
    pub(super) header: Option<Box<[u8]>>,
}

/// Where the bytes of a flow wait between its sockets.
#[derive(Debug, Default)]
pub(super) enum Holding {
    /// Nowhere: nothing waits.
    #[default]
    Nothing,
    /// At the start of the worker's scratch buffer, until the very next step.
    Scratch,
    /// In user space: a rest, a split header, a preface. Behind a pointer, so that the many sessions that hold nothing are
    /// small.
    Buffer(Box<Waiting>),
    /// In the kernel.
    Pipe(Pipe),
}

impl Holding {
    /// Gives back what is held. `empty` says that nothing waits in a pipe.
    pub(super) fn release(&mut self, empty: bool, buffers: &mut BufferPool, pipes: &mut PipePool) {
        match std::mem::take(self) {
            Self::Nothing | Self::Scratch => {}
            Self::Buffer(waiting) => buffers.take_back(waiting),
            Self::Pipe(pipe) if empty => pipes.take_back(pipe),
            Self::Pipe(pipe) => pipes.discard(pipe),
        }
    }
}

impl Entry {
    pub(super) fn new(accepted: Accepted, generation: u32, now: Moment) -> Self {
        let Accepted { socket, peer, route } = accepted;
        Self {
            destined: if route.judge.is_none() {
                Destined::Decided
            } else {
                Destined::Open
            },
            core: Session::new(route.accept_proxy, now).with_retries(route.pool.retries),
            downstream: socket,
            upstream: None,
            holdings: [Holding::Nothing, Holding::Nothing],
            route,
            server: None,
            place: Place::None,
            peer,
            received: None,
            accepted_at: now,
            generation,
            suspect: false,
            queued: false,
            has_ended: false,
            nagle: Nagle::Unused,
            told_of_room: [false; 2],
        }
    }

    /// The socket of a side; there is none upstream before the opener has answered.
    #[inline]
    pub(super) fn socket(&self, side: Side) -> Option<&Socket> {
        match side {
            Side::Downstream => Some(&self.downstream),
            Side::Upstream => self.upstream.as_ref(),
        }
    }

    pub(super) fn set_upstream(&mut self, socket: Socket) {
        self.upstream = Some(socket);
        self.told_of_room[Side::Upstream.index()] = false;
        self.nagle = match self.server_address() {
            Some(_) => Nagle::Unused,
            None => Nagle::Off,
        };
    }

    /// To be called before anything is sent to the server: nothing of it is to wait for what was sent before.
    #[inline]
    pub(super) fn hasten(&mut self) {
        match (self.nagle, &self.upstream) {
            (Nagle::Unused, _) => self.nagle = Nagle::InForce,
            (Nagle::InForce, Some(socket)) => {
                // A TCP socket refuses this never. One that did would relay, if not as fast.
                let _ = socket.set_tcp_nodelay(true);
                self.nagle = Nagle::Off;
            }
            _ => {}
        }
    }

    /// Whether the pool is decided; until then, a rule may choose another.
    pub(super) fn has_pool(&self) -> bool {
        self.destined >= Destined::Decided
    }

    /// Whether it has looked for a server of its pool.
    pub(super) fn is_in_pool(&self) -> bool {
        self.destined == Destined::Arrived
    }

    /// Whether it has a place at its server.
    pub(super) fn has_place(&self) -> bool {
        matches!(self.place, Place::Taken(_))
    }

    /// What that side has sent and nobody has taken: of the client, beyond its PROXY header.
    pub(super) fn contents(&self, side: Side) -> &[u8] {
        match &self.holdings[side.outgoing().index()] {
            Holding::Buffer(waiting) => waiting.bytes(),
            _ => &[],
        }
    }

    pub(super) fn take_upstream(&mut self) -> Option<Socket> {
        self.upstream.take()
    }

    /// The client, as the PROXY header or the socket tells.
    pub(super) fn client(&self) -> Option<SocketAddr> {
        self.received
            .as_ref()
            .and_then(|received| received.source)
            .or(self.peer)
    }

    /// Where the client had connected to, as the PROXY header or the socket tells.
    pub(super) fn destination(&self) -> Option<SocketAddr> {
        self.received
            .as_ref()
            .and_then(|received| received.destination)
            .or_else(|| self.local())
    }

    /// The address of our end of the connection to the server.
    pub(super) fn source(&self) -> Option<SocketAddr> {
        self.upstream.as_ref()?.local_addr().ok()?.as_socket()
    }

    /// The address of the server, unless it is a unix socket or none was chosen.
    pub(super) fn server_address(&self) -> Option<SocketAddr> {
        match self.server.as_ref()?.address {
            Address::Ip(address) => Some(address),
            Address::Unix => None,
        }
    }

    /// The address of our end of the client's connection; with TPROXY, the one that the client had asked for.
    pub(super) fn local(&self) -> Option<SocketAddr> {
        self.downstream.local_addr().ok()?.as_socket()
    }

    /// The namespace of the client's connection, for the log and for the header that is sent on.
    pub(super) fn client_netns(&self) -> Option<&Arc<NetnsSpec>> {
        match &self.received {
            Some(received) => received.netns.reported(),
            None => self.route.netns.as_ref(),
        }
    }

    pub(super) fn holding(&mut self, direction: Direction) -> &mut Holding {
        &mut self.holdings[direction.index()]
    }

    pub(super) fn summary<'a>(&'a self, reason: CloseReason, facts: SessionFacts<'a>) -> SessionSummary<'a> {
        let [bytes_up, bytes_down] = self.core.bytes();
        let client = self.client();
        SessionSummary {
            relay: &self.route.relay,
            pool: &self.route.pool.name,
            server: self.server.as_ref().map(|chosen| chosen.server.name.as_str()),
            client,
            peer: self.peer.filter(|peer| Some(*peer) != client),
            upstream: self.server_address(),
            client_netns: self.client_netns().map(|netns| &**netns),
            upstream_netns: self.server.as_ref().and_then(|chosen| chosen.netns.as_deref()),
            bytes_up,
            bytes_down,
            retries: self.core.retried(),
            duration: facts.elapsed(),
            reason,
            facts: facts.at_the_end(),
        }
    }
}

/// What an idle session costs is this, a timer and its two sockets: whoever adds to it should know.
const _: () = assert!(
    size_of::<Entry>() <= 248,
    "a session takes more memory than it did"
);
const _: () = assert!(
    size_of::<Holding>() <= 16,
    "a flow that holds nothing takes more than it did"
);
