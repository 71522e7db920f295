//! Listeners as they live on: keyed by the namespace's cookie and the address, kept from one plan to the next. One that
//! stays configured is never closed, whatever else changes.
//!
//! The cookie is what the kernel itself calls the namespace (`SO_NETNS_COOKIE`): the same name may mean another namespace
//! tomorrow, and two names may mean the same one today.
//!
//! One socket per place, shared by the workers: connections that wait in its backlog belong to nobody yet, so a worker that
//! ends takes none with it.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use netns_core::NetnsId;
use socket2::Socket;

use crate::admission::Gate;
use crate::opener;
use crate::plan::{Endpoint, ListenerPlan, ListenerTuning};
use crate::route::Route;
use crate::routes::Routes;
use crate::unix_listener::SocketFile;

/// Identifies a listener for as long as the engine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ListenerId(pub(crate) u32);

/// Where a listener is, as a plan asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ListenerKey {
    pub(crate) netns: NetnsId,
    pub(crate) address: Endpoint,
    /// Tells apart several listeners of a plan that leave the port to the kernel; 0 for all others.
    pub(crate) ordinal: u32,
}

/// A listening socket.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) id: ListenerId,
    /// Where it is, whatever the name means by now.
    pub(crate) netns: NetnsId,
    socket: Socket,
    /// With the port that the kernel chose.
    pub(crate) bound: Endpoint,
    pub(crate) transparent: bool,
    only_v6: Option<bool>,
    interface: Option<String>,
    /// What changes while it listens.
    state: Mutex<State>,
    is_dual: bool,
    /// What says which addresses are local in its namespace. Once anything has asked for it.
    routes: OnceLock<Arc<Routes>>,
    /// Another process has it, or may have it, too.
    is_shared: AtomicBool,
    file: Option<SocketFile>,
}

#[derive(Debug)]
struct State {
    tuning: ListenerTuning,
    /// Where the last plan has set a limit.
    gate: Option<Arc<Gate>>,
}

impl Listener {
    pub(crate) fn new(id: ListenerId, socket: Socket, plan: &ListenerPlan) -> io::Result<Self> {
        let (bound, file) = match &plan.address {
            // The file of an inherited one at a path is for whoever has made it to remove.
            Endpoint::Ip(_) | Endpoint::Inherited(_) => (bound(&socket)?, None),
            // In a process that has left its root directory since, the file cannot be found, and stays.
            Endpoint::Unix(path) => (plan.address.clone(), SocketFile::of(&socket, path).ok()),
        };
        // What the plan leaves open is up to the namespace (`net.ipv6.bindv6only`).
        let is_dual = match &bound {
            Endpoint::Ip(address) => address.is_ipv6() && !socket.only_v6()?,
            Endpoint::Unix(_) | Endpoint::Inherited(_) => false,
        };
        let netns = NetnsId::of_socket(&socket).map_err(io::Error::other)?;
        Ok(Self {
            id,
            netns,
            socket,
            bound,
            transparent: plan.transparent,
            only_v6: plan.only_v6,
            interface: plan.interface.clone(),
            state: Mutex::new(State {
                tuning: plan.tuning,
                gate: None,
            }),
            is_dual,
            routes: OnceLock::new(),
            is_shared: AtomicBool::new(matches!(plan.address, Endpoint::Inherited(_))),
            file,
        })
    }

    /// Whether the socket is as this plan wants it, but for what can be changed while it listens.
    pub(crate) fn has_options_of(&self, plan: &ListenerPlan) -> bool {
        // A unix socket has none of these.
        matches!(self.bound, Endpoint::Unix(_))
            || (self.transparent, self.only_v6, &self.interface)
                == (plan.transparent, plan.only_v6, &plan.interface)
    }

    /// Whether another listener of this user may be bound to its address, too.
    pub(crate) fn share_address(&self, is_shared: bool) {
        if matches!(self.bound, Endpoint::Ip(_)) && self.is_own() {
            // Where it cannot be shared, the other one is refused, and says so.
            let _ = self.socket.set_reuse_port(is_shared);
        }
    }

    /// Makes its socket what a later plan wants it to be, or leaves it as it is. Says what it was.
    pub(crate) fn tune(&self, tuning: &ListenerTuning) -> io::Result<ListenerTuning> {
        let mut state = self.state();
        let before = state.tuning;
        if before != *tuning {
            if let Err(error) = opener::change(&self.socket, &before, tuning) {
                // Some of it may have been done.
                let _ = opener::change(&self.socket, tuning, &before);
                return Err(error);
            }
            state.tuning = *tuning;
        }
        Ok(before)
    }

    /// Its own gate, with the limit of a plan. Sessions that came in under a plan without a limit are not counted.
    pub(crate) fn gate(&self, limit: Option<u32>) -> Option<Arc<Gate>> {
        let mut state = self.state();
        let Some(limit) = limit else {
            state.gate = None;
            return None;
        };
        let limit = limit as usize;
        let gate = state.gate.get_or_insert_with(|| Gate::new(limit));
        gate.set_limit(limit);
        Some(Arc::clone(gate))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What says which addresses are local in its namespace.
    pub(crate) fn routes(&self) -> Option<Arc<Routes>> {
        self.routes.get().cloned()
    }

    /// Takes that, for good.
    pub(crate) fn set_routes(&self, routes: Arc<Routes>) {
        // Of two, either will do.
        let _ = self.routes.set(routes);
    }

    /// Whether it takes connections to addresses of IPv4 when it is at all addresses of IPv6.
    pub(crate) fn is_dual(&self) -> bool {
        self.is_dual
    }

    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Whether it can be handed over: an inherited one is there for another process as it was for this one.
    pub(crate) fn is_own(&self) -> bool {
        !self.is_shared.load(Ordering::Relaxed)
    }

    /// From now on another process has the socket, too, and the file of one at a path; or no other has it any more.
    pub(crate) fn set_shared(&self, is_shared: bool) {
        self.is_shared.store(is_shared, Ordering::Relaxed);
        if let Some(file) = &self.file {
            file.set_left(is_shared);
        }
    }

    /// No other process has the socket any more, which this one was given.
    pub(crate) fn take_over(&self) {
        if !self.transparent && matches!(self.bound, Endpoint::Ip(_)) {
            // The other one may have been transparent, and could not have become so again: that takes a privilege.
            let _ = opener::make_opaque(&self.socket);
        }
        self.set_shared(false);
    }

    /// No other process has the socket any more. One that has had it may have changed its options.
    pub(crate) fn take_back(&self) {
        if matches!(self.bound, Endpoint::Ip(_)) {
            let state = self.state();
            // They were so before, and are left as they are if the kernel is out of memory.
            let _ = opener::take_back(&self.socket, self.transparent, &state.tuning);
        }
        self.set_shared(false);
    }

    /// Stops listening at once, whoever of this process still holds the socket. One that other processes may share goes on
    /// listening, for them: what is not accepted here any more waits for them in its backlog.
    pub(crate) fn shut(&self) {
        if !self.is_shared.load(Ordering::Relaxed) {
            // It can only fail on a socket that does not listen any more.
            let _ = self.socket.shutdown(Shutdown::Both);
        }
    }
}

/// The address that a socket is bound to.
pub(crate) fn bound(socket: &Socket) -> io::Result<Endpoint> {
    let address = socket.local_addr()?;
    let path = || {
        let name = address.as_abstract_namespace().map(|name| [&[0], name].concat());
        let path = name.map(|name| PathBuf::from(OsString::from_vec(name)));
        path.or_else(|| address.as_pathname().map(Path::to_owned))
    };
    address
        .as_socket()
        .map(Endpoint::Ip)
        .or_else(|| path().map(Endpoint::Unix))
        .ok_or_else(|| io::Error::other("the socket is bound to no address"))
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A listener, and the route of the sessions that come by it.
type Routed = (Arc<Listener>, Arc<Route>);

/// The listeners of the current plan.
#[derive(Debug, Default)]
pub(crate) struct ListenerRegistry {
    listeners: HashMap<ListenerKey, Routed>,
    next_id: u32,
}

impl ListenerRegistry {
    pub(crate) fn get(&self, key: &ListenerKey) -> Option<&Arc<Listener>> {
        self.listeners.get(key).map(|(listener, _)| listener)
    }

    pub(crate) fn len(&self) -> usize {
        self.listeners.len()
    }

    /// A listener on this route; one that is there already may change its route.
    pub(crate) fn insert(&mut self, key: ListenerKey, listener: Arc<Listener>, route: Arc<Route>) {
        self.listeners.insert(key, (listener, route));
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Listener>> {
        self.routed().map(|(listener, _)| listener)
    }

    /// All of them, with their routes.
    pub(crate) fn routed(&self) -> impl Iterator<Item = &Routed> {
        self.listeners.values()
    }

    pub(crate) fn remove(&mut self, key: &ListenerKey) -> Option<Arc<Listener>> {
        self.listeners.remove(key).map(|(listener, _)| listener)
    }

    /// Takes out every listener that `keep` does not want.
    pub(crate) fn remove_others(&mut self, keep: impl Fn(&ListenerKey) -> bool) -> Vec<Arc<Listener>> {
        self.listeners
            .extract_if(|key, _| !keep(key))
            .map(|(_, (listener, _))| listener)
            .collect()
    }

    pub(crate) fn new_id(&mut self) -> ListenerId {
        let id = ListenerId(self.next_id);
        self.next_id += 1;
        id
    }
}
