//! Sockets of listeners that were opened before the engine starts, on a thread that may do what the engine will not.
//!
//! A program that gives up its privileges opens the listeners of its plan first, while it has one thread, then gives them up,
//! and then starts the engine: so each thread of the engine is born without. The engine finds its listeners by asking its
//! opener for them, as it always does. What is not among them is left to the opener behind this one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::{fmt, io};

use netns_core::NetnsSpec;
use socket2::Socket;

use super::front::{Front, WithFront};
use super::{NetnsWatcher, OpenAnswer, OpenToken, OpenerFactory, SocketKind, SocketOpener, SocketRequest};
use crate::control::{self, ControlThread};
use crate::error::{ApplyError, StartError};
use crate::plan::{Endpoint, ListenerNetns, ListenerPlan, Plan, RelayPlan};
use crate::reconcile;
use crate::routes;
use crate::unix_listener::SocketFile;

/// The listeners of a plan, opened, for the engine that will apply it. What the engine has not asked for goes with this or
/// with the engine: sockets, and the files of those at a path.
pub struct Prepared {
    behind: Arc<dyn OpenerFactory>,
    /// For the first opener, which is that of listeners.
    sockets: Mutex<Sockets>,
}

type Sockets = HashMap<SocketRequest, Vec<Waiting>>;

/// A socket that nobody has asked for yet.
struct Waiting {
    socket: Socket,
    /// Of a listener at a path.
    file: Option<SocketFile>,
}

/// There are no listeners.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// The opener could not be made.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The plan does not hold together, or a listener cannot be opened.
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

impl Prepared {
    /// Opens the listeners of a plan on the calling thread, with an opener of `factory`. The engine is then started with the
    /// result in the place of `factory`, and has to apply the same plan first.
    ///
    /// # Errors
    ///
    /// As [`Handle::apply`](crate::Handle::apply), which waits for namespaces that are missing. Nothing stays open.
    pub fn open(plan: &Plan, factory: Arc<dyn OpenerFactory>) -> Result<Self, PrepareError> {
        plan.check().map_err(ApplyError::from)?;
        let mut opener = ControlThread::new(&*factory).map_err(StartError::Opener)?;
        let wanted = requests(plan);
        let opened = opener.open(wanted.iter().map(|(request, ..)| request.clone()).collect());
        let mut sockets = Sockets::new();
        let mut failed = None;
        for ((request, relay, listener), opened) in wanted.into_iter().zip(opened) {
            match opened {
                Some(Ok(socket)) => {
                    let waiting = Waiting::new(socket, &request);
                    sockets.entry(request).or_default().push(waiting);
                }
                // The engine waits for it, and opens the listener then.
                Some(Err(error)) if error.is_netns_missing() && !plan.strict_namespaces => {}
                Some(Err(error)) => {
                    failed.get_or_insert_with(|| control::refused(relay, listener, error));
                }
                None => {
                    failed.get_or_insert_with(|| control::silent(relay, listener));
                }
            }
        }
        match failed {
            None => Ok(Self {
                behind: factory,
                sockets: Mutex::new(sockets),
            }),
            Some(error) => Err(error.into()),
        }
    }
}

/// What the engine will ask for: a socket to know each namespace by, the listeners, and what to ask about routes by. Those of patterns it opens later, as it
/// does in namespaces that come later.
fn requests(plan: &Plan) -> Vec<(SocketRequest, &RelayPlan, &ListenerPlan)> {
    let places = plan.relays.iter().flat_map(|relay| {
        let listeners = relay.listeners.iter();
        listeners.filter_map(move |listener| Some((fixed(listener)?, relay, listener)))
    });
    let places: Vec<_> = places.collect();
    let mut netns = places.clone();
    netns.sort_by_key(|(netns, ..)| *netns);
    netns.dedup_by_key(|(netns, ..)| *netns);
    let probes = netns
        .iter()
        .map(|(netns, relay, listener)| (control::probe(*netns), *relay, *listener));
    let listeners = places
        .iter()
        .map(|(netns, relay, listener)| (reconcile::request(listener, *netns, false), *relay, *listener));
    let routes = netns
        .iter()
        .take(if plan.asks_local() { netns.len() } else { 0 })
        .map(|(netns, relay, listener)| (routes::request(*netns), *relay, *listener));
    probes.chain(listeners).chain(routes).collect()
}

/// The namespace of a listener that has a single one.
#[expect(
    clippy::option_option,
    reason = "no namespace at all is the one that the engine was started in"
)]
fn fixed(listener: &ListenerPlan) -> Option<Option<&NetnsSpec>> {
    match &listener.netns {
        None => Some(None),
        Some(ListenerNetns::Named(spec)) => Some(Some(spec)),
        Some(ListenerNetns::Matching(_)) => None,
    }
}

impl Waiting {
    fn new(socket: Socket, request: &SocketRequest) -> Self {
        let file = match &request.kind {
            SocketKind::Listener {
                address: Endpoint::Unix(path),
                ..
            } => SocketFile::of(&socket, path).ok(),
            _ => None,
        };
        Self { socket, file }
    }

    /// For a listener that takes care of its file.
    fn hand_over(self) -> Socket {
        if let Some(file) = self.file {
            file.set_left(true);
        }
        self.socket
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").finish_non_exhaustive()
    }
}

impl OpenerFactory for Prepared {
    fn opener(&self, stock: usize) -> io::Result<Box<dyn SocketOpener>> {
        let behind = self.behind.opener(stock)?;
        let mut sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        let sockets = std::mem::take(&mut *sockets);
        if sockets.is_empty() {
            return Ok(behind);
        }
        let front = Giver {
            sockets,
            answers: Vec::new(),
        };
        Ok(Box::new(WithFront { front, behind }))
    }

    fn watcher(&self) -> io::Result<Option<Box<dyn NetnsWatcher>>> {
        self.behind.watcher()
    }
}

/// Answers with what was prepared.
struct Giver {
    sockets: Sockets,
    answers: Vec<OpenAnswer>,
}

impl Front for Giver {
    fn request(&mut self, token: OpenToken, request: SocketRequest, behind: &mut dyn SocketOpener) {
        match self.sockets.get_mut(&request).and_then(Vec::pop) {
            Some(waiting) => self.answers.push(OpenAnswer {
                token,
                result: Ok(waiting.hand_over()),
            }),
            None => behind.request(token, request),
        }
    }

    fn answers(&mut self, answers: &mut Vec<OpenAnswer>, behind: &mut dyn SocketOpener) {
        answers.append(&mut self.answers);
        behind.answers(answers);
    }
}
