//! How a running engine is told things: plans, the end, questions.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use socket2::Socket;

use crate::admission::Gate;
use crate::checker::Checker;
use crate::control::Control;
use crate::error::ApplyError;
use crate::handed_over::HandedOver;
use crate::inbox::{self, Command, Mailbox};
use crate::judge::count_sessions;
use crate::listeners::{Listener, ListenerRegistry};
use crate::observer::Observer;
use crate::opener::{OpenError, OpenerFactory, Operation, SocketRequest};
use crate::places::OwnPlaces;
use crate::plan::{Endpoint, Plan};
use crate::pool::Pool;
use crate::reconcile::{self, Wanted};
use crate::route::{Limits, PlanWide, Route, Selectable};
use crate::servers::{PoolStatus, ServerRegistry, ServerStatus};
use crate::stats::{Stats, WorkerStats};

/// Controls an engine from any thread; as many as needed.
#[derive(Debug, Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    mailboxes: Arc<[Mailbox]>,
    stats: Vec<Arc<WorkerStats>>,
    gate: Arc<Gate>,
    control: Control,
    state: Mutex<State>,
    for_checks: ForChecks,
}

/// What checks are made with, once a plan has some.
pub(crate) struct ForChecks {
    pub(crate) factory: Arc<dyn OpenerFactory>,
    pub(crate) observer: Arc<dyn Observer>,
}

impl std::fmt::Debug for ForChecks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ForChecks").finish_non_exhaustive()
    }
}

/// What plans change. Only [`Handle::apply`] and the end take the lock, never a session.
#[derive(Debug)]
struct State {
    listeners: ListenerRegistry,
    servers: ServerRegistry,
    /// Of the relays of the current plan, by name.
    limits: HashMap<String, Limits>,
    /// Started by the first plan that has checks.
    checker: Option<Checker>,
    ending: bool,
}

/// One listener of a plan that was brought into being.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerStatus {
    /// The relay's name.
    pub relay: String,
    /// Where it listens, with the port that the kernel chose.
    pub address: Endpoint,
    /// Its namespace; `None` is the default one.
    pub netns: Option<netns_core::NetnsSpec>,
    /// Whether it is the same socket as before this plan.
    pub kept: bool,
}

impl Handle {
    pub(crate) fn new(
        mailboxes: Arc<[Mailbox]>,
        stats: Vec<Arc<WorkerStats>>,
        gate: Arc<Gate>,
        control: Control,
        for_checks: ForChecks,
    ) -> Self {
        let state = Mutex::new(State {
            listeners: ListenerRegistry::default(),
            servers: ServerRegistry::default(),
            limits: HashMap::new(),
            checker: None,
            ending: false,
        });
        Self {
            shared: Arc::new(Shared {
                mailboxes,
                stats,
                gate,
                control,
                state,
                for_checks,
            }),
        }
    }

    /// Brings a plan into being, in place of the one before it. Listeners that are in both stay open, with whatever waits
    /// in their backlog; servers that are in both keep their counts; sessions go on under the plan that they began with, but
    /// those that wait for a server take one of this plan.
    ///
    /// # Errors
    ///
    /// Nothing has changed: the plan does not hold together, a listener cannot be opened, or the engine is ending. With one
    /// exception: where a listener stays at its address and its `transparent` or `only_v6` differs from the plan before, the
    /// old socket has to make way; if the new one is then refused, that listener is gone.
    pub fn apply(&self, plan: &Plan) -> Result<Vec<ListenerStatus>, ApplyError> {
        plan.check()?;
        let mut state = self.state();
        if state.ending {
            return Err(ApplyError::Stopping);
        }
        let mut wanted = reconcile::identify(plan, &self.shared.control)?;
        let control = &self.shared.control;
        self.start_checker(plan, &mut state)?;
        let mut made_way = Vec::new();
        let opened = reconcile::open(&mut wanted, control, &mut state.listeners, &mut made_way);
        for listener in made_way {
            self.close(&listener);
        }
        let opened = opened?;
        for (wanted, listener) in wanted.iter().zip(&opened) {
            reconcile::tune(wanted, listener)?;
        }
        // From here on nothing fails.
        let mut called = Vec::new();
        let State { servers, checker, .. } = &mut *state;
        let reporter = checker.as_ref().map(Checker::reporter);
        let pools: Arc<[_]> = servers.adopt(&plan.pools, reporter, &mut called).into();
        inbox::call(&self.shared.mailboxes, called);
        if let Some(checker) = checker {
            checker.adopt(ServerRegistry::watched(&plan.pools, &pools), plan.spread);
        }
        let statuses = self.publish(plan, (&wanted, &opened), &pools, &mut state.limits);
        let keys: HashSet<_> = wanted.iter().map(|wanted| &wanted.key).collect();
        for listener in state.listeners.remove_others(|key| keys.contains(key)) {
            self.close(&listener);
        }
        for (wanted, listener) in wanted.iter().zip(&opened) {
            state.listeners.insert(wanted.key.clone(), Arc::clone(listener));
        }
        let idle = state.checker.take_if(|_| !plan.has_checks());
        drop(state);
        // It may be telling the observer something, who may ask for something here.
        drop(idle);
        Ok(statuses)
    }

    /// Tells where the host of a server with [`Target::Host`](crate::Target::Host) is: sessions that choose it from now on
    /// connect there, those that have chosen go on as they are. `None`: nobody knows, and the server is down until there is
    /// an address again. Answers `false` when the current plan has no such server.
    pub fn set_address(&self, pool: &str, server: &str, address: Option<IpAddr>) -> bool {
        let mut called = Vec::new();
        let is_there = self
            .state()
            .servers
            .set_address((pool, server), address, &mut called);
        inbox::call(&self.shared.mailboxes, called);
        is_there
    }

    /// Has the engine's opener make a socket for something beside sessions, such as a lookup of a name. Waits for its turn
    /// behind plans and other such requests, and then for the answer: each of these may take the opener up to 10 seconds.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub fn open(&self, request: SocketRequest) -> Result<Socket, OpenError> {
        let netns = request.netns.clone();
        let answer = self.shared.control.open(vec![request]).pop().flatten();
        answer.unwrap_or_else(|| {
            Err(OpenError {
                operation: Operation::CreateSocket,
                netns,
                source: io::ErrorKind::TimedOut.into(),
            })
        })
    }

    /// Closes every listener at once, and lets sessions finish for at most `patience`; what is left then is reset. A second
    /// call can only shorten it.
    pub fn drain(&self, patience: Duration) {
        // A patience beyond all clocks is as good as a year.
        let now = Instant::now();
        let deadline = now
            .checked_add(patience)
            .unwrap_or(now + Duration::from_secs(365 * 24 * 60 * 60));
        self.end(|| Command::Drain(deadline));
    }

    /// Closes every listener and resets every session.
    pub fn stop(&self) {
        self.end(|| Command::Stop);
    }

    /// Has the engine share its listeners with another process, which is given their sockets, and takes over from this one. The
    /// engine goes on accepting; when it is drained or stopped, connections that wait are left to the other process. That has to
    /// be told then, for its [`Handle::succeed`].
    ///
    /// Inherited listeners ([`Endpoint::Inherited`]) are not among them: the other process inherits them as this one has.
    pub fn hand_over(&self) -> HandedOver {
        let state = self.state();
        let own = state.listeners.all().filter(|listener| listener.is_own());
        HandedOver::new(own.cloned().collect())
    }

    /// The process that this engine has listeners from ([`Adopting`](crate::Adopting)) has let go of them. Connections of which
    /// that one was told, and which it has not accepted, are found; the files of listeners at a path go with these from now on.
    pub fn succeed(&self) {
        for listener in self.state().listeners.all().filter(|listener| listener.is_own()) {
            listener.set_shared(false);
        }
        self.tell(|| Command::LookAgain);
    }

    /// What was counted so far.
    pub fn stats(&self) -> Stats {
        Stats::sum(&self.shared.stats)
    }

    /// How the servers of the current plan stand.
    pub fn servers(&self) -> Vec<ServerStatus> {
        self.state().servers.status()
    }

    /// How the pools of the current plan stand.
    pub fn pools(&self) -> Vec<PoolStatus> {
        self.state().servers.pool_status()
    }

    /// Sessions now, those included that a worker is about to take over.
    pub fn sessions(&self) -> usize {
        self.shared.gate.inside()
    }

    /// Sessions of each worker now, those included that it is about to take over. A worker that has ended has none.
    pub fn sessions_by_worker(&self) -> Vec<usize> {
        let sessions = |mailbox: &Mailbox| mailbox.load().sessions();
        self.shared.mailboxes.iter().map(sessions).collect()
    }

    /// No checks are made any more.
    pub(crate) fn end_checks(&self) {
        let checker = self.state().checker.take();
        drop(checker);
    }

    fn start_checker(&self, plan: &Plan, state: &mut State) -> Result<(), ApplyError> {
        if state.checker.is_none() && plan.has_checks() {
            let ForChecks { factory, observer } = &self.shared.for_checks;
            let mailboxes = Arc::clone(&self.shared.mailboxes);
            let checker = Checker::start(Arc::clone(factory), Arc::clone(observer), mailboxes);
            state.checker = Some(checker.map_err(ApplyError::Checker)?);
        }
        Ok(())
    }

    fn end(&self, command: impl Fn() -> Command) {
        let mut state = self.state();
        state.ending = true;
        for listener in state.listeners.remove_others(|_| false) {
            listener.shut();
        }
        drop(state);
        self.tell(command);
    }

    /// Tells the workers of the listeners and routes of a plan.
    fn publish(
        &self,
        plan: &Plan,
        (wanted, opened): (&[Wanted<'_>], &[Arc<Listener>]),
        pools: &Arc<[Arc<Pool>]>,
        limits: &mut HashMap<String, Limits>,
    ) -> Vec<ListenerStatus> {
        let selectable: Selectable = plan
            .selectable
            .iter()
            .map(|netns| (netns.to_string().into_bytes(), Arc::new(netns.clone())))
            .collect();
        let mut places = OwnPlaces::default();
        for (wanted, listener) in wanted.iter().zip(opened) {
            places.add(listener, wanted.key.netns);
        }
        let plan_wide = PlanWide {
            selectable: Arc::new(selectable),
            places: Arc::new(places),
        };
        // Once for all relays: there may be as many of them as pools.
        let mut of_pools = pools.iter().filter_map(|pool| pool.rules.as_deref());
        let pools_count = of_pools.any(count_sessions);
        let before = std::mem::take(limits);
        let statuses = wanted.iter().zip(opened).map(
            |(
                Wanted {
                    relay,
                    listener: place,
                    kept,
                    ..
                },
                listener,
            )| {
                // The same for all listeners of a relay.
                let limits: &Limits = limits
                    .entry(relay.name.clone())
                    .or_insert_with(|| Limits::of(relay, pools_count, before.get(&relay.name)));
                let pool = Arc::clone(&pools[relay.pool]);
                let route = Route::new(relay, place, listener, pool, limits.clone(), &plan_wide);
                let route = Arc::new(route.with_rules(relay.rules.as_ref(), pools));
                self.tell(|| Command::Listen(Arc::clone(listener), Arc::clone(&route)));
                ListenerStatus {
                    relay: relay.name.clone(),
                    address: listener.bound.clone(),
                    netns: place.netns.clone(),
                    kept: *kept,
                }
            },
        );
        statuses.collect()
    }

    fn close(&self, listener: &Listener) {
        listener.shut();
        self.tell(|| Command::Unlisten(listener.id));
    }

    fn tell(&self, command: impl Fn() -> Command) {
        self.shared
            .mailboxes
            .iter()
            .for_each(|mailbox| mailbox.send(command()));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whoever panicked while it held the lock has left a whole state: each change is one insertion or removal.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
