//! A pool of one plan, with what it shares with the same pool of other plans: who has which place, and who waits.
//!
//! The common case, one server without limits, takes no lock. Otherwise choosing takes a short one, and giving a place back
//! takes it only while somebody waits.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clock::Clock;
use crate::core::balance::{
    Admin, Algorithm, Ask, Dispatcher, Down, Load, Placed, Setup, Share, Standing, Ticket, Waited,
};
use crate::core::history::History;
use crate::core::moment::Span;
use crate::core::rules::{Expression, Fetch, PoolLoad, Rules, ServerLoad};
use crate::core::session::{Retries, Timeouts};
use crate::plan::{HeaderPlan, KeepAlive, PoolPlan, SocketBuffers};
use crate::server::Server;
use crate::tally::PoolTally;

/// Where a session is to be told that it has a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waiter {
    pub(crate) worker: usize,
    pub(crate) key: usize,
    pub(crate) generation: u32,
}

/// What a session would like.
#[derive(Debug)]
pub(crate) struct Wish<'a, H> {
    /// A rule has chosen this server.
    pub(crate) wanted: Option<&'a Server>,
    /// It has just failed there.
    pub(crate) avoid: Option<&'a Server>,
    /// What a server depends on, where it does.
    pub(crate) hash: H,
}

/// A pool of one plan.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) name: String,
    servers: Vec<Arc<Server>>,
    pub(crate) keep_alive: Option<KeepAlive>,
    pub(crate) buffers: SocketBuffers,
    /// Only the upstream ones are set.
    pub(crate) timeouts: Timeouts,
    pub(crate) retries: Retries,
    /// How long a session may go on once its server's namespace is gone; `None` is for ever.
    pub(crate) netns_removed: Option<Span>,
    /// What is decided of a session that has come to the pool, before it gets a server and after.
    pub(crate) rules: Option<Arc<Rules>>,
    /// What is hashed in the place of the client's address.
    pub(crate) hash_key: Option<Expression>,
    /// All backups are used when no other server can be, or only the first.
    all_backups: bool,
    /// Whether a server depends on the client's address.
    hashes: bool,
    /// The only server, when it takes everybody.
    only: Option<Arc<Server>>,
    places: Arc<Places>,
}

/// What a pool of one name shares among all plans.
#[derive(Debug)]
pub(crate) struct Places {
    dispatcher: Mutex<Dispatcher<Arc<Server>, Waiter>>,
    /// How many wait, to be seen without the lock.
    waiting: AtomicUsize,
    pub(crate) tally: PoolTally,
    /// Whether any server can be used.
    history: Mutex<History>,
    clock: Clock,
}

impl Pool {
    /// The pool of a plan, with its servers and what `before` it was, if anything. Those who have a place now are added to
    /// `called`.
    pub(crate) fn new(
        plan: &PoolPlan,
        servers: Vec<Arc<Server>>,
        before: Option<Arc<Places>>,
        (clock, workers): (Clock, usize),
        called: &mut Vec<Waiter>,
    ) -> Self {
        let balance = &plan.balance;
        let setup = Setup {
            algorithm: balance.algorithm,
            all_backups: balance.all_backups,
            full_at: balance.full_at,
            servers: servers
                .iter()
                .map(|server| {
                    (
                        Arc::clone(server),
                        server.effective_share(),
                        Arc::clone(&server.load),
                    )
                })
                .collect(),
        };
        let places = match before {
            Some(places) => {
                places.with(|dispatcher| dispatcher.set_up(setup, called));
                places
            }
            None => Arc::new(Places {
                dispatcher: Mutex::new(Dispatcher::new(setup, RandomState::new().hash_one(0))),
                waiting: AtomicUsize::new(0),
                tally: PoolTally::new(workers),
                history: Mutex::new(History::new(true, clock.now())),
                clock,
            }),
        };
        let only = match &servers[..] {
            [server] if takes_everybody(&server.share) => Some(Arc::clone(server)),
            _ => None,
        };
        let others = servers
            .iter()
            .filter(|server| server.share.is_usable() && !server.share.backup)
            .count();
        let pool = Self {
            name: plan.name.clone(),
            keep_alive: plan.keep_alive,
            buffers: plan.buffers,
            timeouts: Timeouts {
                connect: Span::from_duration(plan.connect_timeout),
                server: Span::from_duration(plan.server_timeout),
                server_half_closed: plan.server_half_closed_timeout.and_then(Span::from_duration),
                relaying: plan.relaying_timeout.and_then(Span::from_duration),
                queue: balance.queue_timeout.and_then(Span::from_duration),
                ..Timeouts::default()
            },
            retries: Retries {
                most: balance.retries,
                redispatch: balance.redispatch,
                anywhere: others > 1 && balance.algorithm.takes_any(),
            },
            netns_removed: Span::from_duration(plan.netns_removed_timeout),
            rules: plan.rules.clone().filter(|rules| !rules.is_empty()),
            hash_key: plan.hash_key.clone(),
            all_backups: balance.all_backups,
            hashes: matches!(balance.algorithm, Algorithm::Source(_)),
            only,
            servers,
            places,
        };
        pool.note_history();
        pool
    }

    /// What is counted of it.
    #[inline]
    pub(crate) fn tally(&self) -> &PoolTally {
        &self.places.tally
    }

    /// What it shares with the pool that takes its place.
    pub(crate) fn places(&self) -> &Arc<Places> {
        &self.places
    }

    /// Finds a server for a session. Those who have waited for longer and have a place now are added to `called`.
    pub(crate) fn place(
        &self,
        wish: Wish<'_, impl FnOnce() -> Option<u32>>,
        waiter: Waiter,
        called: &mut Vec<Waiter>,
    ) -> Placed<Arc<Server>> {
        if let Some(server) = self.only.as_ref().filter(|server| server.takes_sessions()) {
            server.load.acquire();
            return Placed::At(Arc::clone(server));
        }
        let ask = Ask {
            wanted: wish.wanted.map(|server| &server.load),
            hash: if self.hashes { (wish.hash)() } else { None },
            avoid: wish.avoid.map(|server| &server.load),
        };
        let placed = self
            .places
            .with(|dispatcher| dispatcher.place(ask, waiter, called));
        if let Placed::Waits(_) = placed {
            // A place that was given back before others could see that somebody waits is told to nobody.
            self.places.with(|dispatcher| dispatcher.call_all(called));
        }
        placed
    }

    /// Gives a place back. Those who have one for it are added to `called`.
    pub(crate) fn release(&self, server: &Server, called: &mut Vec<Waiter>) {
        server.load.release();
        if self.places.waiting.load(Ordering::SeqCst) > 0 {
            self.places
                .with(|dispatcher| dispatcher.on_released(&server.load, called));
        }
    }

    /// Adds a reason why a server can get no sessions, or takes it away. Those who have a place now are added to `called`.
    pub(crate) fn set_down(&self, server: &Server, reason: Down, holds: bool, called: &mut Vec<Waiter>) {
        let before = server.load.down();
        self.places
            .with(|dispatcher| dispatcher.set_down(&server.load, reason, holds, called));
        // Who says what is known already pays for none of this, however many servers there are.
        if server.load.down() != before {
            server.note_history(self.places.clock.now());
            self.note_history();
        }
    }

    /// A server stands otherwise from now on, by what an administrator has said. Those who have a place now are added to
    /// `called`.
    pub(crate) fn set_standing(&self, server: &Server, standing: &Standing, called: &mut Vec<Waiter>) {
        let was_drained = server.load.down().contains(Down::DRAINED);
        self.places.with(|dispatcher| {
            dispatcher.set_weight(&server.load, standing.effective_weight(), called);
            for (reason, holds) in reasons(standing) {
                dispatcher.set_down(&server.load, reason, holds, called);
            }
        });
        let now = self.places.clock.now();
        server.note_history(now);
        if was_drained != server.load.down().contains(Down::DRAINED) {
            server.tally.history().touch(now);
        }
        self.note_history();
    }

    /// Sees whether any server can be used now.
    fn note_history(&self) {
        let is_up = self.servers.is_empty() || self.available() != (0, 0);
        self.places.history().set_up(is_up, self.places.clock.now());
    }

    /// How many wait for this server and no other.
    pub(crate) fn waiting_for(&self, server: &Server) -> usize {
        self.places.waiting_for(&server.load)
    }

    /// How many servers can be used: those that are no backups, and the backups.
    pub(crate) fn available(&self) -> (usize, usize) {
        let servers = self.servers.iter();
        let available = servers.filter(|server| server.takes_sessions());
        available.fold((0, 0), |(active, backups), server| {
            if server.share.backup {
                (active, backups + 1)
            } else {
                (active + 1, backups)
            }
        })
    }

    /// The server of a session that has waited, and how it has; `None` while it has to wait on.
    pub(crate) fn collect(&self, ticket: Ticket) -> Option<(Arc<Server>, Waited)> {
        self.places.with(|dispatcher| dispatcher.collect(ticket))
    }

    /// How a session waits, and for which server if it must be that one.
    pub(crate) fn waited(&self, ticket: Ticket) -> Option<(Option<Arc<Server>>, Waited)> {
        self.places.lock().waited(ticket)
    }

    /// A session waits no more.
    pub(crate) fn abandon(&self, ticket: Ticket, called: &mut Vec<Waiter>) {
        self.places.with(|dispatcher| dispatcher.abandon(ticket, called));
    }

    /// Whether one of the servers gets the TLVs of the client's header, or what is made of them.
    pub(crate) fn passes_tlvs(&self) -> bool {
        let passes = |server: &Arc<Server>| matches!(&server.send_header, Some(HeaderPlan::V2(tlvs)) if tlvs.received || tlvs.authority);
        let mut asked = self.hash_key.iter().chain(self.composed());
        asked.any(|key| matches!(key.fetch, Fetch::Tlv(_))) || self.servers.iter().any(passes)
    }

    /// What the headers of its servers are made of.
    pub(crate) fn composed(&self) -> impl Iterator<Item = &Expression> {
        let headers = self
            .servers
            .iter()
            .filter_map(|server| server.send_header.as_ref());
        headers.flat_map(HeaderPlan::expressions)
    }

    /// Sessions that have a place at one of its servers now.
    pub(crate) fn sessions(&self) -> usize {
        self.servers
            .iter()
            .map(|server| server.load.sessions() as usize)
            .sum()
    }

    /// How it stands, for rules.
    pub(crate) fn standing(&self) -> PoolLoad {
        let usable = match self.available() {
            (0, backups) if self.all_backups => backups,
            (0, backups) => backups.min(1),
            (active, _) => active,
        };
        PoolLoad {
            usable,
            sessions: self.sessions(),
            waiting: self.places.waiting(),
            slots: self.slots(),
        }
    }

    /// Sessions that its servers would still take, waiting ones included. `None`: one of them has no limit.
    fn slots(&self) -> Option<usize> {
        let free = |server: &Arc<Server>| {
            let most = server.share.max_sessions?.get() as usize;
            let queue = server.share.max_queue?.get() as usize;
            let taken = server.load.sessions() as usize;
            let waiting = self.waiting_for(server);
            Some(most.saturating_sub(taken) + queue.saturating_sub(waiting))
        };
        let used = self.servers.iter().filter(|server| server.takes_sessions());
        used.map(free).sum()
    }

    /// How one of its servers stands.
    pub(crate) fn server(&self, index: usize) -> ServerLoad {
        let Some(server) = self.servers.get(index) else {
            return ServerLoad::default();
        };
        ServerLoad {
            is_up: server.is_up(),
            sessions: server.load.sessions() as usize,
            waiting: self.waiting_for(server),
        }
    }

    /// Its servers, in the plan's order.
    pub(crate) fn servers(&self) -> &[Arc<Server>] {
        &self.servers
    }
}

impl Places {
    /// How many sessions wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// How many of them wait for a server with this load and no other.
    pub(crate) fn waiting_for(&self, load: &Arc<Load>) -> usize {
        self.lock().waiting_for(load)
    }

    /// How many wait for any server, and the most that ever did.
    pub(crate) fn line(&self) -> (usize, usize) {
        let dispatcher = self.lock();
        (dispatcher.waiting_for_any(), dispatcher.most_waited_for_any())
    }

    /// The most that ever waited for a server with this load and no other.
    pub(crate) fn most_waited_for(&self, load: &Arc<Load>) -> usize {
        self.lock().most_waited_for(load)
    }

    pub(crate) fn history(&self) -> MutexGuard<'_, History> {
        // A few numbers that fit together whoever panics beside them.
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, change: impl FnOnce(&mut Dispatcher<Arc<Server>, Waiter>) -> T) -> T {
        let mut dispatcher = self.lock();
        let result = change(&mut dispatcher);
        self.waiting.store(dispatcher.waiting(), Ordering::SeqCst);
        result
    }

    fn lock(&self) -> MutexGuard<'_, Dispatcher<Arc<Server>, Waiter>> {
        // A panic in there would be a bug of pure code; the others go on with what there is.
        self.dispatcher.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a server that stands so gets no sessions.
pub(crate) fn reasons(standing: &Standing) -> [(Down, bool); 2] {
    let is_out = standing.effective() == Admin::Maintenance;
    [
        (Down::MAINTENANCE, is_out),
        (Down::DRAINED, standing.effective_weight() == 0),
    ]
}

const fn takes_everybody(share: &Share) -> bool {
    share.max_sessions.is_none() && share.min_sessions.is_none()
}
