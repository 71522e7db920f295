//! Seeded simulation: whole sessions against a byte-queue model, with a virtual clock.
//!
//! Two peers send, urge, end, reset, read or fall asleep in any order; the driver reads and writes short, finds no pipe
//! to spare, and is interrupted by its budget; sockets, connections and headers come late, in pieces, or never. Edges
//! are reported as Linux does, once for each change, so that a wake-up which the core has lost shows as a stall.
//!
//! A failure prints the seed of its session. With it in `NSPROXY_SEED`, that session is the first one played.

mod checks;
mod driver;
mod inspecting;
mod socket;

use std::num::NonZeroI16;
use std::time::Duration;

use nsproxy_testkit::Rng;

use self::socket::{ENETUNREACH, Phase, Queue, Socket};
use super::close::{CloseReason, Errno};
use super::moment::{Moment, Span};
use super::readiness::Readiness;
use super::session::{Retries, Session, Step, Timeouts};
use super::side::Side;

/// Steps to play: a few seconds of a debug build on a slow machine.
const STEPS: u64 = 8_000_000;
/// Where streams begin; an outgoing header takes the positions before.
const START: u64 = 1 << 32;
/// Steps that may follow each other without moving a byte and without an event from outside.
const FRUITLESS: u32 = 24;

#[test]
fn every_session_ends_and_no_byte_is_lost_whatever_the_peers_do() {
    let mut seed = Rng::from_env().seed();
    let (mut steps, mut sessions, mut finished, mut aborted) = (0, 0_u64, 0_u64, 0_u64);
    while steps < STEPS {
        let played = play(seed);
        steps += played.steps;
        sessions += 1;
        finished += u64::from(played.reason == CloseReason::Finished);
        aborted += u64::from(played.reason.aborts());
        seed = Rng::new(seed).next_u64();
    }
    // That the simulation has seen enough of both is a part of what it proves.
    assert!(
        finished > sessions / 20,
        "{finished} of {sessions} sessions finished"
    );
    assert!(
        aborted > sessions / 20,
        "{aborted} of {sessions} sessions were aborted"
    );
}

struct Played {
    steps: u64,
    reason: CloseReason,
}

fn play(seed: u64) -> Played {
    let mut sim = Sim::new(Rng::new(seed));
    loop {
        if let Some(reason) = sim.closed {
            sim.check_end(reason);
            return Played {
                steps: sim.steps,
                reason,
            };
        }
        assert!(sim.steps < STEPS, "the session does not end");
        sim.advance();
    }
}

/// How rules look at the bytes of a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inspection {
    None,
    /// What is there decides.
    Once,
    /// More is waited for.
    For(Span),
}

/// What a peer is going to do.
#[derive(Debug)]
struct Peer {
    to_send: u64,
    /// Whether it reads at all, and ends at all.
    reads: bool,
    ends: bool,
    may_reset: bool,
}

/// What can happen next.
#[derive(Debug, Clone, Copy)]
enum Event {
    PeerSends(Side),
    PeerEnds(Side),
    PeerResets(Side),
    PeerReads(Side),
    Edge(Side),
    Continue,
    PlaceComes,
    SocketComes,
    SocketFails,
    ConnectionEnds,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each of which may come to be at any time"
)]
struct Sim {
    rng: Rng,
    session: Session,
    timeouts: Timeouts,
    now: Moment,
    began: Moment,
    sockets: [Socket; 2],
    peers: [Peer; 2],
    holdings: [Queue; 2],
    /// Length of the header that the client sends, and how much of it and of what follows was read.
    header: u64,
    header_read: u64,
    preface_header: u64,
    /// Whether its bytes are looked at, and for how long they are waited for.
    inspects: Inspection,
    /// The same of the server's bytes.
    inspects_response: Inspection,
    retries: Retries,
    /// Retries that were made.
    attempts: u16,
    /// Whether it has a place at a server, or waits for one, which may never come.
    has_place: bool,
    queued_for_server: bool,
    place_comes: bool,
    /// The opener owes an answer, and may never give it.
    socket_awaited: bool,
    opener_answers: bool,
    connection_answers: bool,
    relaying: bool,
    /// The upstream socket is registered.
    watched: bool,
    /// In the run queue.
    queued: bool,
    last_moved: [Moment; 2],
    fruitless: u32,
    steps: u64,
    closed: Option<CloseReason>,
}

impl Sim {
    fn new(mut rng: Rng) -> Self {
        // Who may sleep for ever needs somebody who does not.
        let timed = rng.one_in(2);
        let timeouts = if timed {
            every_timeout(&mut rng)
        } else {
            Timeouts::default()
        };
        let sleepy = |rng: &mut Rng| timed && rng.one_in(4);
        let header = if rng.one_in(3) {
            rng.between(1, 600) as u64
        } else {
            0
        };
        let mut peers = Side::BOTH.map(|side| Peer {
            to_send: length(&mut rng) + if side == Side::Downstream { header } else { 0 },
            reads: !sleepy(&mut rng),
            ends: !sleepy(&mut rng),
            may_reset: rng.one_in(4),
        });
        let room = |rng: &mut Rng| *pick(rng, &[1, 7, 5_000, 60_000, 300_000]);
        let sockets = [Phase::Open, Phase::Connecting].map(|phase| {
            let (receive, send) = (room(&mut rng), room(&mut rng));
            Socket::new(phase, START, receive, send)
        });
        // Byte by byte, but not for ever.
        let narrowest = sockets.iter().map(Socket::narrowest).min().unwrap();
        for peer in &mut peers {
            peer.to_send = peer.to_send.min(1_000 * narrowest);
        }
        let now = Moment::from_millis(rng.between(0, 1_000) as u64);
        let retries = some_retries(&mut rng);
        let mut sim = Self {
            session: Session::new(header > 0, now).with_retries(retries),
            inspects: some_inspection(&mut rng),
            inspects_response: some_inspection(&mut rng),
            retries,
            attempts: 0,
            has_place: false,
            queued_for_server: false,
            place_comes: !sleepy(&mut rng),
            timeouts,
            now,
            began: now,
            sockets,
            peers,
            holdings: [Queue::empty_at(START), Queue::empty_at(START)],
            header,
            header_read: 0,
            preface_header: if rng.one_in(2) {
                rng.between(1, 300) as u64
            } else {
                0
            },
            socket_awaited: false,
            opener_answers: !sleepy(&mut rng),
            connection_answers: !sleepy(&mut rng),
            relaying: false,
            watched: false,
            queued: true,
            last_moved: [now; 2],
            fruitless: 0,
            steps: 0,
            closed: None,
            rng,
        };
        sim.sockets[0].sent = Queue::empty_at(START);
        if sim.header == 0 {
            sim.begin_inspection();
        }
        sim
    }

    /// One thing happens, chosen from all that can; when nothing can, time passes.
    fn advance(&mut self) {
        self.steps += 1;
        if self.rng.one_in(40) {
            self.spurious_edge();
        }
        if self.rng.one_in(20) {
            let millis = self.now.as_millis() + self.rng.between(0, 30) as u64;
            self.pass_time(Moment::from_millis(millis));
        }
        if self.closed.is_some() {
            return;
        }
        let events = self.events();
        if events.is_empty() {
            let deadline = self.session.deadline(&self.timeouts);
            let deadline = deadline.unwrap_or_else(|| panic!("the session has stalled: {:?}", self.session));
            assert!(deadline > self.now, "a deadline in the past");
            return self.pass_time(deadline);
        }
        let event = *pick(&mut self.rng, &events);
        self.fruitless = 0;
        match event {
            Event::PeerSends(side) => self.peer_sends(side),
            Event::PeerEnds(side) => self.sockets[side.index()].peer_ends(),
            Event::PeerResets(side) => self.sockets[side.index()].peer_resets(),
            Event::PeerReads(side) => {
                let socket = &mut self.sockets[side.index()];
                let count = some(&mut self.rng, socket.sent.len());
                socket.peer_reads(count);
            }
            Event::Edge(side) => {
                let socket = &mut self.sockets[side.index()];
                socket.edge = false;
                let edge = socket.readiness();
                if !edge.is_empty() {
                    self.session.on_edge(side, edge);
                    self.turn();
                }
            }
            Event::Continue => self.turn(),
            Event::PlaceComes => {
                self.queued_for_server = false;
                self.has_place = true;
                self.began = self.now;
                self.session.on_called(self.now);
                self.turn();
            }
            Event::SocketFails => {
                self.socket_awaited = false;
                self.session.on_socket_failed(Errno(ENETUNREACH));
                self.turn();
            }
            Event::SocketComes => {
                self.socket_awaited = false;
                self.session.on_socket();
                self.turn();
            }
            Event::ConnectionEnds => {
                let refused = self.rng.one_in(8);
                self.sockets[1].connection_ends(refused);
            }
        }
    }

    fn events(&mut self) -> Vec<Event> {
        let mut events = Vec::with_capacity(8);
        for side in Side::BOTH {
            let (socket, peer) = (&self.sockets[side.index()], &self.peers[side.index()]);
            let open = socket.phase == Phase::Open;
            if peer.to_send > 0 && socket.receive_space() > 0 {
                events.push(Event::PeerSends(side));
            }
            // A peer that sends little may end before it has sent all.
            if open && !socket.fin && peer.ends && (peer.to_send == 0 || self.rng.one_in(200)) {
                events.push(Event::PeerEnds(side));
            }
            if open && peer.may_reset && self.rng.one_in(20) {
                events.push(Event::PeerResets(side));
            }
            if open && peer.reads && !socket.sent.is_empty() {
                events.push(Event::PeerReads(side));
            }
            if socket.edge && (side == Side::Downstream || self.watched) {
                events.push(Event::Edge(side));
            }
        }
        if self.queued {
            events.push(Event::Continue);
        }
        if self.queued_for_server && self.place_comes {
            events.push(Event::PlaceComes);
        }
        if self.socket_awaited && self.opener_answers {
            let fails = self.rng.one_in(20);
            events.push(if fails {
                Event::SocketFails
            } else {
                Event::SocketComes
            });
        }
        if self.watched && self.sockets[1].phase == Phase::Connecting && self.connection_answers {
            events.push(Event::ConnectionEnds);
        }
        events
    }

    fn peer_sends(&mut self, side: Side) {
        let (socket, peer) = (&mut self.sockets[side.index()], &mut self.peers[side.index()]);
        let count = some(&mut self.rng, peer.to_send.min(socket.receive_space()));
        peer.to_send -= count;
        socket.peer_sends(count, self.rng.one_in(30));
    }

    /// An edge of an earlier change, or of another session that had this place: the first attempt tells.
    fn spurious_edge(&mut self) {
        let side = *pick(&mut self.rng, &Side::BOTH);
        // What is reported of a socket is how it stands when the event is taken: an attempt that has failed shows its error.
        if side == Side::Downstream || self.relaying {
            let edges = [Readiness::READABLE, Readiness::WRITABLE, Readiness::UNTRIED];
            self.session.on_edge(side, *pick(&mut self.rng, &edges));
            self.fruitless = 0;
            self.turn();
        }
    }

    fn pass_time(&mut self, now: Moment) {
        self.now = now;
        let paused = self.session.next_step() == Step::Wait;
        self.session.on_time(now, &self.timeouts);
        if paused && self.session.next_step() == Step::OpenSocket {
            self.began = now;
        }
        let overdue = self
            .session
            .deadline(&self.timeouts)
            .is_some_and(|deadline| deadline <= now);
        assert!(!overdue, "a deadline in the past after on_time");
        self.fruitless = 0;
        self.turn();
    }
}

fn every_timeout(rng: &mut Rng) -> Timeouts {
    let mut span = || Span::from_duration(Duration::from_millis(rng.between(1, 2_000) as u64));
    let mut timeouts = Timeouts {
        header: span(),
        connect: span(),
        queue: span(),
        client: span(),
        server: span(),
        relaying: span(),
        client_half_closed: span(),
        server_half_closed: span(),
    };
    for rare in [
        &mut timeouts.relaying,
        &mut timeouts.client_half_closed,
        &mut timeouts.server_half_closed,
    ] {
        *rare = rare.filter(|_| rng.one_in(3));
    }
    timeouts
}

fn some_inspection(rng: &mut Rng) -> Inspection {
    let patience = Span::from_duration(Duration::from_millis(rng.between(1, 500) as u64));
    match rng.between(0, 5) {
        0 => Inspection::Once,
        1 => patience.map_or(Inspection::Once, Inspection::For),
        _ => Inspection::None,
    }
}

fn some_retries(rng: &mut Rng) -> Retries {
    let intervals = [0, 1, 2, -1, -2].map(NonZeroI16::new);
    Retries {
        most: *pick(rng, &[0, 1, 3]),
        redispatch: *pick(rng, &intervals),
        anywhere: rng.one_in(2),
    }
}

/// How much a peer sends: mostly little, now and then enough to be promoted to splice.
fn length(rng: &mut Rng) -> u64 {
    let most = *pick(rng, &[0, 10, 3_000, 100_000, 1_000_000]);
    rng.between(0, most) as u64
}

/// A part of `count`: often all of it, sometimes a byte. At least one.
fn some(rng: &mut Rng, count: u64) -> u64 {
    match rng.between(0, 3) {
        0 => 1,
        1 => rng.between(1, usize::try_from(count).unwrap()) as u64,
        _ => count,
    }
}

fn pick<'a, T>(rng: &mut Rng, from: &'a [T]) -> &'a T {
    &from[rng.between(0, from.len() - 1)]
}
