//! Places sessions at servers, lets them wait where there is no room, and calls them when there is.
//!
//! After every operation nobody waits whom a server with room could serve. A server is handed over (*granted*) together with
//! the place on it: it counts as taken from then on, and the session collects it, or gives it back by abandoning its ticket.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use super::balancer::{Algorithm, Balancer, Choice};
use super::down::Down;
use super::load::Load;
use super::queue::{Queue, Ticket, Waited};
use super::share::Share;

/// What a pool is set up with. `S` stands for a server.
#[derive(Debug)]
pub struct Setup<S> {
    /// How sessions are spread.
    pub algorithm: Algorithm,
    /// Whether all backups are used when no other server can be, or only the first.
    pub all_backups: bool,
    /// The sessions, waiting ones included, at which servers get up to their greatest limit.
    pub full_at: Option<NonZeroU32>,
    /// The servers, in order. A load outlives its setup.
    pub servers: Vec<(S, Share, Arc<Load>)>,
}

/// What a session asks for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ask<'a> {
    /// The load of a server that was chosen for it. It waits for that one where it may; a server that the pool would not
    /// choose itself is had only at once.
    pub wanted: Option<&'a Arc<Load>>,
    /// The hash of its client, see [`hash_of_client`](super::hash_of_client).
    pub hash: Option<u32>,
    /// The load of a server that it would rather not have: it has just failed there.
    pub avoid: Option<&'a Arc<Load>>,
}

/// What a session gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placed<S> {
    /// This server; the place on it is taken.
    At(S),
    /// It waits.
    Waits(Ticket),
    /// There is no server that could take it.
    NoServer,
    /// This server, which it would have to have, has no room, and as many wait for it as may.
    QueueFull(S),
}

/// The servers of a pool and who waits for them. `W` is what the caller needs to find a session again.
#[derive(Debug)]
pub struct Dispatcher<S, W> {
    balancer: Balancer,
    full_at: Option<NonZeroU32>,
    members: Vec<Member<S>>,
    /// Whether a server's limit depends on the sessions of all.
    dynamic: bool,
    queue: Queue<W>,
    granted: HashMap<Ticket, Grant<S>>,
    seed: u64,
}

/// A server whose place is somebody's who has waited.
#[derive(Debug)]
struct Grant<S> {
    server: S,
    load: Arc<Load>,
    waited: Waited,
}

#[derive(Debug)]
struct Member<S> {
    server: S,
    share: Share,
    load: Arc<Load>,
}

impl<S> Member<S> {
    /// Whether it may have one more while the pool has so many `sessions`.
    fn has_place(&self, sessions: u32, full_at: Option<NonZeroU32>) -> bool {
        let limit = self.share.limit(sessions, full_at);
        limit.is_none_or(|limit| self.load.sessions() < limit)
    }
}

impl<S: Clone, W> Dispatcher<S, W> {
    /// A pool that nobody waits for yet. `seed` is for algorithms that draw by lot.
    pub fn new(setup: Setup<S>, seed: u64) -> Self {
        let mut dispatcher = Self {
            balancer: Balancer::new(setup.algorithm, setup.all_backups, &[], seed),
            full_at: None,
            members: Vec::new(),
            dynamic: false,
            queue: Queue::new(0),
            granted: HashMap::new(),
            seed,
        };
        dispatcher.set_up(setup, &mut Vec::new());
        dispatcher
    }

    /// Takes over another setup. Those who wait go on waiting, for the new servers; those who are called now are added to
    /// `called`.
    pub fn set_up(&mut self, setup: Setup<S>, called: &mut Vec<W>) {
        let shares: Vec<_> = setup.servers.iter().map(|(_, share, _)| *share).collect();
        self.balancer = Balancer::new(setup.algorithm, setup.all_backups, &shares, self.seed);
        self.full_at = setup.full_at;
        self.dynamic = shares.iter().any(|share| share.min_sessions.is_some());
        let servers = setup.servers.into_iter();
        self.members = servers
            .map(|(server, share, load)| Member { server, share, load })
            .collect();
        for (server, member) in self.members.iter().enumerate() {
            if !member.load.down().is_empty() {
                self.balancer.set_down(server, true);
            }
        }
        self.queue.release_fixed(self.members.len());
        self.call_all(called);
    }

    /// Adds a reason why a server can get no sessions, or takes it away. Those who wait for one that cannot may have any
    /// other.
    pub fn set_down(&mut self, load: &Arc<Load>, reason: Down, holds: bool, called: &mut Vec<W>) {
        let was = load.down().is_empty();
        load.set_down(reason, holds);
        let is = load.down().is_empty();
        if was == is {
            return;
        }
        if let Some(server) = self.find(load) {
            self.balancer.set_down(server, !is);
            self.on_regrouped(called);
        }
    }

    /// A server has this weight from now on. Without any, it gets no sessions; those who wait for it may have any other.
    pub fn set_weight(&mut self, load: &Arc<Load>, weight: u16, called: &mut Vec<W>) {
        if let Some(server) = self.find(load) {
            self.balancer.set_weight(server, weight);
            self.on_regrouped(called);
        }
    }

    /// The servers that get sessions may be others now.
    fn on_regrouped(&mut self, called: &mut Vec<W>) {
        for server in 0..self.members.len() {
            if !self.balancer.group().contains(&server) {
                self.queue.release_from(server);
            }
        }
        self.call_all(called);
    }

    /// Finds a place for a session, which is `waiter` should it have to wait. Nobody overtakes who has waited for longer:
    /// those who are called first are added to `called`.
    pub fn place(&mut self, ask: Ask<'_>, waiter: W, called: &mut Vec<W>) -> Placed<S> {
        self.call_all(called);
        let [avoid, wanted] = [ask.avoid, ask.wanted].map(|load| load.and_then(|load| self.find(load)));
        let (sessions, full_at) = (self.sessions(), self.full_at);
        let Self {
            balancer,
            members,
            queue,
            ..
        } = self;
        let has_room =
            |server: usize| queue.waiting_for(server) == 0 && members[server].has_place(sessions, full_at);
        let wanted = wanted.and_then(|server| {
            if has_room(server) {
                Some(Choice::Free(server))
            } else {
                balancer.group().contains(&server).then_some(Choice::Full(server))
            }
        });
        let choice = wanted.unwrap_or_else(|| {
            balancer.choose(ask.hash, avoid, has_room, |server| {
                members[server].load.sessions()
            })
        });
        match choice {
            Choice::Free(server) => {
                let member = &self.members[server];
                member.load.acquire();
                Placed::At(member.server.clone())
            }
            Choice::Full(server) => {
                let most = self.members[server].share.max_queue;
                if most.is_some_and(|most| self.queue.waiting_for(server) >= most.get() as usize) {
                    return Placed::QueueFull(self.members[server].server.clone());
                }
                Placed::Waits(self.queue.push(Some(server), waiter))
            }
            Choice::AllFull => Placed::Waits(self.queue.push(None, waiter)),
            Choice::Nobody => Placed::NoServer,
        }
    }

    /// A server has a session less: calls whoever can have its place.
    pub fn on_released(&mut self, load: &Arc<Load>, called: &mut Vec<W>) {
        if let Some(server) = self.find(load) {
            self.call(server, called);
        }
    }

    /// Calls everybody for whom there is room.
    pub fn call_all(&mut self, called: &mut Vec<W>) {
        for server in 0..self.members.len() {
            if self.queue.waiting() == 0 {
                return;
            }
            self.call(server, called);
        }
    }

    /// The server that was granted to a session that waited, and how it has. `None` while it has to wait on.
    pub fn collect(&mut self, ticket: Ticket) -> Option<(S, Waited)> {
        let grant = self.granted.remove(&ticket)?;
        Some((grant.server, grant.waited))
    }

    /// How a session has waited that has not collected its place, and the server that it waits for if it must be that one.
    pub fn waited(&self, ticket: Ticket) -> Option<(Option<S>, Waited)> {
        if let Some(grant) = self.granted.get(&ticket) {
            return Some((Some(grant.server.clone()), grant.waited));
        }
        let (server, waited) = self.queue.waited(ticket)?;
        Some((server.map(|server| self.members[server].server.clone()), waited))
    }

    /// A session waits no more. What may have been granted to it goes to somebody else.
    pub fn abandon(&mut self, ticket: Ticket, called: &mut Vec<W>) {
        if self.queue.remove(ticket).is_none()
            && let Some(grant) = self.granted.remove(&ticket)
        {
            grant.load.release();
            self.on_released(&grant.load, called);
        }
    }

    /// How many wait.
    pub const fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    /// How many wait for any server.
    pub fn waiting_for_any(&self) -> usize {
        self.queue.waiting_for_any()
    }

    /// The most that ever waited for any server at a time.
    pub const fn most_waited_for_any(&self) -> usize {
        self.queue.most_for_any()
    }

    /// How many wait for this server and no other.
    pub fn waiting_for(&self, load: &Arc<Load>) -> usize {
        self.find(load).map_or(0, |server| self.queue.waiting_for(server))
    }

    /// The most that ever waited for this server and no other at a time, under this setup.
    pub fn most_waited_for(&self, load: &Arc<Load>) -> usize {
        self.find(load).map_or(0, |server| self.queue.most_for(server))
    }

    fn call(&mut self, server: usize, called: &mut Vec<W>) {
        if !self.balancer.group().contains(&server) {
            return;
        }
        while self.members[server].has_place(self.sessions(), self.full_at)
            && let Some((ticket, waited, waiter)) = self.queue.pop(server)
        {
            let member = &self.members[server];
            member.load.acquire();
            let grant = Grant {
                server: member.server.clone(),
                load: Arc::clone(&member.load),
                waited,
            };
            self.granted.insert(ticket, grant);
            called.push(waiter);
        }
    }

    /// Sessions of the pool, waiting ones included; counted only when a limit depends on it.
    fn sessions(&self) -> u32 {
        if !self.dynamic {
            return 0;
        }
        let waiting = u32::try_from(self.queue.waiting()).unwrap_or(u32::MAX);
        let at_servers = self.members.iter().map(|member| member.load.sessions());
        at_servers.fold(waiting, u32::saturating_add)
    }

    fn find(&self, load: &Arc<Load>) -> Option<usize> {
        self.members
            .iter()
            .position(|member| Arc::ptr_eq(load, &member.load))
    }
}
