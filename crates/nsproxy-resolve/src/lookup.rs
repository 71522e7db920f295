//! One lookup of one name: the files first, then rounds of questions, until there is an answer or no use in asking on.

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use nix::poll::PollFd;

use crate::exchange::Exchange;
use crate::files::Files;
use crate::message::{Kind, Query, Reply};
use crate::round::{Round, Verdict};
use crate::settings::{MOST_SERVERS, Servers, Source, Transport};
use crate::sockets::{SocketKind, Sockets};
use crate::subject::Question;
use crate::{Failure, HostName};

/// The port of name servers.
const PORT: u16 = 53;

/// What lookups need of their surroundings.
pub(crate) struct Surroundings {
    pub(crate) files: Files,
    pub(crate) sockets: Box<dyn Sockets>,
    pub(crate) ids: Ids,
}

/// Numbers that nobody else can tell in advance.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    /// A keyed hash, with a key from the system.
    key: RandomState,
    count: u64,
}

impl Ids {
    fn next(&mut self) -> u16 {
        self.count += 1;
        let [high, low, ..] = self.key.hash_one(self.count).to_be_bytes();
        u16::from_be_bytes([high, low])
    }
}

/// What a lookup has found.
pub(crate) type Outcome = Result<Vec<IpAddr>, Failure>;

/// A lookup that is under way.
#[derive(Debug)]
pub(crate) struct Lookup {
    question: Question,
    servers: Vec<(SocketAddr, Transport)>,
    payload: u16,
    retry: Duration,
    attempts: u32,
    /// What is left to be asked for; the first one is.
    names: VecDeque<HostName>,
    /// Attempts at that name that are left.
    left: u32,
    round: Round,
    /// With the kind that each asks for.
    exchanges: Vec<(usize, Exchange)>,
    /// Of the names before.
    failure: Option<Failure>,
}

impl Lookup {
    /// Begins, and may have ended with that.
    pub(crate) fn start(
        question: Question,
        source: &Source,
        around: &mut Surroundings,
        now: Instant,
    ) -> Result<Self, Outcome> {
        let netns = question.netns.as_ref();
        let of_the_system;
        let (settings, names) = match source {
            Source::System => {
                let listed = around.files.hosts(netns, &question.host);
                if !listed.is_empty() {
                    return Err(Ok(reachable(listed, &question, around)));
                }
                let conf = around.files.resolv_conf(netns);
                of_the_system = Servers::of_the_system();
                (&of_the_system, question.host.candidates(&conf.search, conf.ndots))
            }
            Source::Servers(servers) => (&**servers, vec![question.host.clone()]),
        };
        let mut servers = settings.servers.clone();
        if settings.resolv_conf {
            let listed = around.files.resolv_conf(netns).servers.into_iter();
            servers.extend(listed.map(|ip| (SocketAddr::new(ip, PORT), Transport::Udp)));
        }
        servers.truncate(MOST_SERVERS);
        let attempts = settings.attempts.max(1);
        let mut lookup = Self {
            servers,
            payload: settings.payload,
            retry: settings.retry,
            attempts,
            names: names.into(),
            left: attempts,
            round: Round::new(now),
            exchanges: Vec::new(),
            failure: None,
            question,
        };
        lookup.ask(around, now);
        Ok(lookup)
    }

    /// Goes on at the time that it is. An outcome ends the lookup.
    pub(crate) fn turn(&mut self, around: &mut Surroundings, now: Instant) -> Option<Outcome> {
        loop {
            let failure = match self.round.verdict(now) {
                Verdict::Wait => return None,
                Verdict::Part(_) | Verdict::Unknown(_) if self.left > 0 => {
                    self.ask(around, now);
                    return None;
                }
                Verdict::Found(found) | Verdict::Part(found) => {
                    return Some(Ok(reachable(found, &self.question, around)));
                }
                Verdict::None(failure) | Verdict::Unknown(failure) => failure,
            };
            // A name that is not there says nothing about one of which nobody knows.
            if failure != Failure::NoSuchName || self.failure.is_none() {
                self.failure = Some(failure);
            }
            self.names.pop_front();
            if self.names.is_empty() {
                return Some(Err(self.failure.unwrap_or(failure)));
            }
            self.left = self.attempts;
            self.ask(around, now);
        }
    }

    /// When [`Lookup::turn`] is to be called at the latest.
    pub(crate) fn deadline(&self) -> Instant {
        self.round.deadline()
    }

    /// How many sockets it has now.
    pub(crate) fn sockets(&self) -> usize {
        self.exchanges.len()
    }

    /// What it waits for, in the order of [`Lookup::on_ready`].
    pub(crate) fn awaited(&self) -> impl Iterator<Item = PollFd<'_>> {
        let exchanges = self.exchanges.iter();
        exchanges.map(|(_, exchange)| PollFd::new(exchange.fd(), exchange.interest()))
    }

    /// Some of what it waits for is there: `ready` has a word for each.
    pub(crate) fn on_ready(&mut self, ready: &[bool], around: &mut Surroundings, now: Instant) {
        let mut ready = ready.iter().copied();
        for (kind, mut exchange) in std::mem::take(&mut self.exchanges) {
            let result = if ready.next().unwrap_or(false) {
                exchange.go_on()
            } else {
                Ok(None)
            };
            match result {
                Ok(None) => self.exchanges.push((kind, exchange)),
                Ok(Some(Reply::Truncated)) => {
                    self.round.extend(now + self.retry);
                    self.ask_one(kind, (exchange.server, Transport::Tcp), exchange.query, around);
                }
                Ok(Some(Reply::Addresses(found))) => self.round.answered(kind, Ok(found)),
                Ok(Some(Reply::Failed(failure))) => self.round.answered(kind, Err(failure)),
                // A port that nobody listens at is as silent as a host that is not there.
                Err(_) => self.round.answered(kind, Err(Failure::Timeout)),
            }
        }
        let round = &self.round;
        self.exchanges.retain(|(kind, _)| round.wants(*kind));
    }

    /// Asks all servers for the first of the names, for the kinds of addresses that were not found yet.
    fn ask(&mut self, around: &mut Surroundings, now: Instant) {
        self.left -= 1;
        self.round.begin_again(now + self.retry);
        self.exchanges.clear();
        let Some(name) = self.names.front().cloned() else {
            return;
        };
        for server in self.servers.clone() {
            for (index, kind) in Kind::BOTH.into_iter().enumerate() {
                if !self.round.wants(index) {
                    continue;
                }
                let id = around.ids.next();
                let name = name.clone();
                self.round.ask(index);
                self.ask_one(index, server, Query { id, name, kind }, around);
            }
        }
    }

    fn ask_one(
        &mut self,
        kind: usize,
        (server, transport): (SocketAddr, Transport),
        query: Query,
        around: &mut Surroundings,
    ) {
        let wanted = SocketKind {
            is_v6: server.is_ipv6(),
            is_stream: transport == Transport::Tcp,
        };
        let Ok(socket) = around.sockets.open(self.question.netns.as_ref(), wanted) else {
            self.round.answered(kind, Err(Failure::NoSocket));
            return;
        };
        let started = match transport {
            Transport::Udp => Exchange::by_datagram(socket, query, server, self.payload),
            Transport::Tcp => Exchange::by_stream(socket, query, server),
        };
        match started {
            Ok(exchange) => self.exchanges.push((kind, exchange)),
            Err(_) => self.round.answered(kind, Err(Failure::Timeout)),
        }
    }
}

/// Of addresses of both families, those that the namespace has a route to; all of them, if there is none. As the C library
/// does it, a datagram socket is asked, and nothing is sent.
fn reachable(found: Vec<IpAddr>, question: &Question, around: &mut Surroundings) -> Vec<IpAddr> {
    if found.iter().all(IpAddr::is_ipv4) || found.iter().all(IpAddr::is_ipv6) {
        return found;
    }
    let mut has_route = |address: &IpAddr| {
        let kind = SocketKind {
            is_v6: address.is_ipv6(),
            is_stream: false,
        };
        let socket = around.sockets.open(question.netns.as_ref(), kind);
        socket.is_ok_and(|socket| socket.connect(&SocketAddr::new(*address, PORT).into()).is_ok())
    };
    let reached: Vec<_> = found
        .iter()
        .copied()
        .filter(|address| has_route(address))
        .collect();
    if reached.is_empty() { found } else { reached }
}
