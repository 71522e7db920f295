//! Listening sockets of another process, taken over in the place of new ones.
//!
//! A process that takes over from another one gets its sockets without names. Each is known by what the kernel says of it: its
//! namespace's cookie and the address that it is bound to. A request for a listener is first a question for the cookie of its
//! namespace, and is answered with the socket that is there, if one is; whatever else is asked for is left to the opener behind.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use netns_core::NetnsId;
use socket2::Socket;

use super::front::{Front, WithFront};
use super::{
    NetnsWatcher, OpenAnswer, OpenToken, OpenerFactory, SocketKind, SocketOpener, SocketRequest, inherited,
    tuning,
};
use crate::control;
use crate::listeners;
use crate::plan::Endpoint;

/// Makes openers that look among these sockets first.
pub struct Adopting {
    behind: Arc<dyn OpenerFactory>,
    sockets: Arc<Sockets>,
}

/// Those that nobody has asked for yet.
#[derive(Debug, Default)]
struct Sockets(Mutex<HashMap<(NetnsId, Endpoint), Socket>>);

impl Adopting {
    /// Looks among `sockets` before it asks openers of `behind`.
    ///
    /// # Errors
    ///
    /// One of them is no listening stream socket of a kind that relays have.
    pub fn new(
        sockets: impl IntoIterator<Item = Socket>,
        behind: Arc<dyn OpenerFactory>,
    ) -> io::Result<Self> {
        let mut known = HashMap::new();
        for socket in sockets {
            inherited::check(&socket)?;
            let netns = NetnsId::of_socket(&socket).map_err(io::Error::other)?;
            known.insert((netns, listeners::bound(&socket)?), socket);
        }
        Ok(Self {
            behind,
            sockets: Arc::new(Sockets(Mutex::new(known))),
        })
    }

    /// Closes those that nobody has asked for, and returns where they listen.
    pub fn release(&self) -> Vec<Endpoint> {
        let sockets = std::mem::take(&mut *self.sockets.lock());
        sockets.into_keys().map(|(_, address)| address).collect()
    }
}

impl fmt::Debug for Adopting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adopting")
            .field("sockets", &self.sockets)
            .finish_non_exhaustive()
    }
}

impl Sockets {
    /// Whether one is bound to this address, in some namespace.
    fn has(&self, address: &Endpoint) -> bool {
        self.lock().keys().any(|(_, bound)| bound == address)
    }

    /// The socket that is bound to this address in this namespace, if it can be what is asked for.
    fn take(&self, netns: NetnsId, wanted: &SocketKind) -> Option<Socket> {
        let SocketKind::Listener {
            address,
            transparent,
            only_v6,
            interface,
            tuning,
            beside: _,
        } = wanted
        else {
            return None;
        };
        let mut sockets = self.lock();
        let key = (netns, address.clone());
        let socket = sockets.get(&key)?;
        // That cannot be changed once it is bound. A new one cannot be bound beside it either, which is then said.
        let is_other = |only: &bool| socket.only_v6().is_ok_and(|is_only| is_only != *only);
        if only_v6.as_ref().is_some_and(is_other) {
            return None;
        }
        let device = socket.device().ok().flatten();
        if device.as_deref() != interface.as_deref().map(str::as_bytes) {
            return None;
        }
        inherited::set_up(socket, *transparent).ok()?;
        if matches!(address, Endpoint::Ip(_)) {
            tuning::impose(socket, tuning).ok()?;
        }
        sockets.remove(&key)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(NetnsId, Endpoint), Socket>> {
        // A map stays whole whoever panics beside it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenerFactory for Adopting {
    fn opener(&self, stock: usize) -> io::Result<Box<dyn SocketOpener>> {
        let behind = self.behind.opener(stock)?;
        if self.sockets.lock().is_empty() {
            return Ok(behind);
        }
        let front = Adopter {
            sockets: Arc::clone(&self.sockets),
            asked: HashMap::new(),
            next: FIRST_QUESTION,
        };
        Ok(Box::new(WithFront { front, behind }))
    }

    fn watcher(&self) -> io::Result<Option<Box<dyn NetnsWatcher>>> {
        self.behind.watcher()
    }
}

/// Tokens of questions for a namespace begin here. Those of the engine are numbers of jobs and of sessions, far below.
const FIRST_QUESTION: u64 = 1 << 63;

/// Answers with the sockets that are there.
struct Adopter {
    sockets: Arc<Sockets>,
    /// What is to be answered when the namespace is known, by the token of that question.
    asked: HashMap<OpenToken, (OpenToken, SocketRequest)>,
    next: u64,
}

impl Adopter {
    /// The namespace of a listener is known, or is not there: it is one of the sockets, or the other opener's business.
    fn on_namespace(
        &self,
        (token, request): (OpenToken, SocketRequest),
        probe: &OpenAnswer,
        behind: &mut dyn SocketOpener,
    ) -> Option<OpenAnswer> {
        let netns = probe.result.as_ref().ok();
        let netns = netns.and_then(|socket| NetnsId::of_socket(socket).ok());
        let adopted = netns.and_then(|netns| self.sockets.take(netns, &request.kind));
        let Some(socket) = adopted else {
            behind.request(token, request);
            return None;
        };
        Some(OpenAnswer {
            token,
            result: Ok(socket),
        })
    }
}

impl Front for Adopter {
    fn request(&mut self, token: OpenToken, request: SocketRequest, behind: &mut dyn SocketOpener) {
        let is_there = match &request.kind {
            SocketKind::Listener { address, .. } => self.sockets.has(address),
            SocketKind::Upstream { .. } | SocketKind::Datagram { .. } | SocketKind::Routes => false,
        };
        if !is_there {
            return behind.request(token, request);
        }
        let question = OpenToken(self.next);
        self.next += 1;
        let probe = control::probe(request.netns.as_deref());
        self.asked.insert(question, (token, request));
        behind.request(question, probe);
    }

    fn answers(&mut self, answers: &mut Vec<OpenAnswer>, behind: &mut dyn SocketOpener) {
        // As it is for whoever makes no listeners: nothing is added to what that costs.
        if self.asked.is_empty() {
            return behind.answers(answers);
        }
        let mut theirs = Vec::new();
        loop {
            behind.answers(&mut theirs);
            let mut passed_on = false;
            for answer in theirs.drain(..) {
                let Some(asked) = self.asked.remove(&answer.token) else {
                    answers.push(answer);
                    continue;
                };
                match self.on_namespace(asked, &answer, behind) {
                    Some(adopted) => answers.push(adopted),
                    None => passed_on = true,
                }
            }
            // What was passed on may be answered at once.
            if !passed_on {
                return;
            }
        }
    }
}
