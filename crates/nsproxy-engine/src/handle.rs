//! How a running engine is told things: plans, the end, questions.

use std::collections::HashSet;
use std::io;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use netns_core::NetnsName;
use socket2::Socket;

use crate::checker::Checker;
use crate::control::Control;
use crate::core::moment::Moment;
use crate::error::{ApplyError, StartError};
use crate::inbox::{self, Command, Mailbox, Mailboxes};
use crate::judge::pools_count_sessions;
use crate::listeners::{Listener, ListenerRegistry};
use crate::live::{Current, Told, Watching};
use crate::observer::Observer;
use crate::opener::{NetnsInterest, OpenError, OpenerFactory, Operation, SocketRequest};
use crate::plan::{Endpoint, Plan, RelayPlan};
use crate::reconcile::{self, Identified, Opened, Wanted};
use crate::route::Limits;
use crate::servers::ServerRegistry;
use crate::stats::{Stats, WorkerStats};
use crate::status::{PoolStatus, RelayStatus, ServerStatus};
use crate::workers::{Thread, Workers};

/// Controls an engine from any thread; as many as needed.
#[derive(Debug, Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    workers: Workers,
    control: Control,
    state: Mutex<State>,
    /// What is counted under the lock.
    counted: WorkerStats,
}

/// What plans change, and what follows namespaces. No session ever takes the lock.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) listeners: ListenerRegistry,
    pub(crate) servers: ServerRegistry,
    /// Started by the first plan that has checks.
    pub(crate) checker: Option<Checker>,
    /// Started by the first plan that has namespaces.
    pub(crate) watching: Option<Watching>,
    pub(crate) current: Current,
    pub(crate) ending: bool,
    /// Another process is about to take over, and opens what is to be opened from now on.
    pub(crate) is_handed_over: bool,
}

/// A handle that does not keep anything alive, for a thread of the engine.
#[derive(Debug)]
pub(crate) struct WeakHandle(Weak<Shared>);

impl WeakHandle {
    pub(crate) fn upgrade(&self) -> Option<Handle> {
        let shared = self.0.upgrade()?;
        Some(Handle { shared })
    }
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
    /// Whether it waits for its namespace, or to be tried again there: it does not listen yet.
    pub pending: bool,
}

impl Handle {
    pub(crate) fn new(workers: Workers, control: Control) -> Self {
        let state = Mutex::new(State {
            listeners: ListenerRegistry::default(),
            servers: ServerRegistry::new(workers.clock(), workers.mailboxes().len()),
            checker: None,
            watching: None,
            current: Current::default(),
            ending: false,
            is_handed_over: false,
        });
        Self {
            shared: Arc::new(Shared {
                workers,
                control,
                state,
                counted: WorkerStats::default(),
            }),
        }
    }

    /// Brings a plan into being, in place of the one before it. Listeners that are in both stay open, with whatever waits
    /// in their backlog; servers that are in both keep their counts; sessions go on under the plan that they began with, but
    /// those that wait for a server take one of this plan.
    ///
    /// A listener whose namespace is missing is opened when that comes, closed when it goes, and opened in the one that has the
    /// name after that. Where it cannot be opened then, it is tried again, at last every second.
    ///
    /// # Errors
    ///
    /// Nothing has changed: the plan does not hold together, a listener cannot be opened in a namespace that is there, or the
    /// engine is ending. A listener of a pattern, and one that is being tried again under the plan before, do not fail this.
    ///
    /// Where a listener stays at its address and its `transparent`, `only_v6` or `interface` differs from the plan before, another
    /// socket is opened beside the old one, which then makes way: connections that wait in its backlog are reset.
    pub fn apply(&self, plan: &Plan) -> Result<Vec<ListenerStatus>, ApplyError> {
        plan.check()?;
        let mut told = Vec::new();
        let mut state = self.state();
        let result = self.apply_locked(plan, &mut state, &mut told);
        let is_idle = |_: &mut Checker| result.is_ok() && !plan.has_checks();
        let idle = state.checker.take_if(is_idle);
        drop(state);
        // It may be telling the observer something, who may ask for something here.
        drop(idle);
        self.tell_observer(&told);
        result
    }

    fn apply_locked(
        &self,
        plan: &Plan,
        state: &mut State,
        told: &mut Vec<Told>,
    ) -> Result<Vec<ListenerStatus>, ApplyError> {
        if state.ending {
            return Err(ApplyError::Stopping);
        }
        let names = self.start_watching(plan, state)?;
        let control = &self.shared.control;
        let Identified { mut wanted, leads } = reconcile::identify(plan, &names, control)?;
        self.start_checker(plan, state)?;
        let current = &state.current;
        let Opened {
            listeners: opened,
            made_way,
        } = reconcile::open(&mut wanted, control, &mut state.listeners, |place| {
            current.is_failing(plan, place)
        })?;
        if plan.asks_local() {
            reconcile::equip(&wanted, &opened, control)?;
        }
        for listener in made_way {
            self.close(&listener);
        }
        // From here on nothing fails.
        let mut called = Vec::new();
        let State { servers, checker, .. } = &mut *state;
        let reporter = checker.as_ref().map(Checker::reporter);
        let pools: Arc<[_]> = servers.adopt(&plan.pools, reporter, &mut called).into();
        inbox::call(self.mailboxes(), called);
        if let Some(checker) = checker {
            checker.adopt(ServerRegistry::watched(&plan.pools, &pools), plan.spread);
        }
        // Once for all relays: there may be as many of them as pools.
        let pools_count = pools_count_sessions(&pools);
        let workers = self.mailboxes().len();
        let before = state.current.limits();
        let limits =
            |relay: &RelayPlan| Limits::of(relay, pools_count, workers, before.get(&*relay.name).copied());
        let mut next = Current::new(plan, pools, limits);
        let statuses = self.publish(&next, &wanted, &opened, &mut state.listeners);
        let keys: HashSet<_> = wanted.iter().filter_map(|wanted| wanted.key.as_ref()).collect();
        for listener in state.listeners.remove_others(|key| keys.contains(key)) {
            self.close(&listener);
        }
        let seen = told.len();
        let steps = next.take_over(plan, &state.current, leads, told);
        for told in &told[seen..] {
            self.count(told);
        }
        next.hang(wanted, opened, self.moment(), told);
        state.current = next;
        self.carry_out(state, steps, told);
        if let Some(watching) = &state.watching {
            // Sessions of plans before may be in namespaces that this one has not, and must not pin them.
            let mut interest = interest(plan);
            interest.specs.extend(state.current.namespaces.leading().cloned());
            watching.watch(interest);
        }
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
        inbox::call(self.mailboxes(), called);
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

    /// Has so many workers accept from now on, 1024 at most. Those that are missing are started; one that is not needed finishes
    /// its sessions, accepts none, and rests until it is needed again. No connection is lost by either. An engine that is ending
    /// stays as it is.
    ///
    /// # Errors
    ///
    /// One cannot be started: as many accept as before.
    pub fn set_workers(&self, count: NonZeroUsize) -> Result<(), StartError> {
        // So that two callers do not mix, and no listener comes or goes meanwhile.
        let state = self.state();
        if state.ending {
            return Ok(());
        }
        self.shared.workers.grow(count.get(), |mailbox| {
            for (listener, route) in state.listeners.routed() {
                mailbox.send(Command::Listen(Arc::clone(listener), Arc::clone(route)));
            }
        })?;
        // The first ones begin before the last ones end.
        for (index, mailbox) in self.mailboxes().iter().enumerate() {
            let is_resting = index >= count.get();
            if mailbox.load().set_resting(is_resting) {
                mailbox.send(if is_resting { Command::Rest } else { Command::Work });
            }
        }
        Ok(())
    }

    /// Workers that accept: those that do not rest.
    pub fn workers(&self) -> usize {
        let mailboxes = self.mailboxes().iter();
        mailboxes.filter(|mailbox| !mailbox.load().is_resting()).count()
    }

    /// Whether every worker comes round within this time: whether it still turns to what there is to do. One that has ended
    /// does not count.
    pub fn comes_round(&self, patience: Duration) -> bool {
        // Nothing is ever sent: each worker drops its end, and when all have, there is none left.
        let (round, rounds) = channel();
        self.tell(|| Command::ComeRound(round.clone()));
        drop(round);
        rounds.recv_timeout(patience) == Err(RecvTimeoutError::Disconnected)
    }

    /// What was counted so far.
    pub fn stats(&self) -> Stats {
        let workers = self.mailboxes().iter().map(|mailbox| &**mailbox.stats());
        Stats::sum(workers.chain([&self.shared.counted]))
    }

    /// How the servers of the current plan stand.
    pub fn servers(&self) -> Vec<ServerStatus> {
        self.state().servers.status()
    }

    /// How the relays of the current plan stand, in order of their names.
    pub fn relays(&self) -> Vec<RelayStatus> {
        let now = self.moment();
        let state = self.state();
        let limits = state.current.limits();
        let status = |(relay, limits): (&&str, &&Limits)| RelayStatus::of(relay, &limits.tally, now);
        let mut relays: Vec<_> = limits.iter().map(status).collect();
        relays.sort_by(|a, b| a.relay.cmp(&b.relay));
        relays
    }

    /// How the pools of the current plan stand.
    pub fn pools(&self) -> Vec<PoolStatus> {
        self.state().servers.pool_status()
    }

    /// Sessions now, those included that a worker is about to take over.
    pub fn sessions(&self) -> usize {
        self.sessions_by_worker().into_iter().sum()
    }

    /// Places that are taken of [`Handle::max_sessions`]: those of sessions, and for a moment those of workers that look for a
    /// connection to accept, since the place comes first.
    pub fn places_taken(&self) -> usize {
        self.shared.workers.gate().inside()
    }

    /// The most sessions that there may be.
    pub fn max_sessions(&self) -> usize {
        self.shared.workers.gate().limit()
    }

    /// Whether it was told to drain or to stop.
    pub fn is_ending(&self) -> bool {
        self.state().ending
    }

    /// Sessions of each worker now, those included that it is about to take over. A worker that has ended has none.
    pub fn sessions_by_worker(&self) -> Vec<usize> {
        let sessions = |mailbox: &Mailbox| mailbox.load().sessions();
        self.mailboxes().iter().map(sessions).collect()
    }

    /// No checks are made any more, and no namespaces are followed.
    pub(crate) fn end_threads(&self) {
        let mut state = self.state();
        let threads = (state.checker.take(), state.watching.take());
        // They may wait for the lock.
        drop(state);
        drop(threads);
    }

    /// Watches namespaces from now on, if the plan has some. Says which names there are.
    fn start_watching(&self, plan: &Plan, state: &mut State) -> Result<Vec<NetnsName>, ApplyError> {
        let interest = interest(plan);
        if state.watching.is_none() && !interest.is_empty() {
            let (factory, observer) = self.for_threads();
            let handle = WeakHandle(Arc::downgrade(&self.shared));
            let watching = Watching::start(factory, observer, handle, interest);
            state.watching = Some(watching.map_err(ApplyError::Watcher)?);
        }
        // If nobody has asked for names so far, those that patterns match are told in a moment.
        Ok(state.watching.as_ref().map(Watching::names).unwrap_or_default())
    }

    fn start_checker(&self, plan: &Plan, state: &mut State) -> Result<(), ApplyError> {
        if state.checker.is_none() && plan.has_checks() {
            let (factory, observer) = self.for_threads();
            let checker = Checker::start(factory, observer, Arc::clone(self.mailboxes()));
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
        self.publish_gauges(&state);
        drop(state);
        self.tell(command);
    }

    /// What the engine's own threads are made with, once a plan needs them.
    fn for_threads(&self) -> (Arc<dyn OpenerFactory>, Arc<dyn Observer>) {
        let workers = &self.shared.workers;
        (Arc::clone(workers.factory()), Arc::clone(workers.observer()))
    }

    /// Tells the workers of the listeners and routes of a plan, and keeps them for those who come later.
    fn publish(
        &self,
        plan: &Current,
        wanted: &[Wanted<'_>],
        opened: &[Option<Arc<Listener>>],
        listeners: &mut ListenerRegistry,
    ) -> Vec<ListenerStatus> {
        let statuses = wanted.iter().zip(opened).map(|(wanted, listener)| {
            if let (Some(key), Some(listener)) = (&wanted.key, listener) {
                let route = plan.route(&wanted.place, listener);
                self.tell(|| Command::Listen(Arc::clone(listener), Arc::clone(&route)));
                listeners.insert(key.clone(), Arc::clone(listener), route);
            }
            let address = listener.as_ref().map(|listener| &listener.bound);
            ListenerStatus {
                relay: wanted.relay.name.clone(),
                address: address.unwrap_or(&wanted.listener.address).clone(),
                netns: wanted.place.netns.as_deref().cloned(),
                kept: wanted.kept,
                pending: listener.is_none(),
            }
        });
        statuses.collect()
    }

    pub(crate) fn close(&self, listener: &Listener) {
        listener.shut();
        self.tell(|| Command::Unlisten(listener.id));
    }

    pub(crate) fn mailboxes(&self) -> &Arc<Mailboxes> {
        self.shared.workers.mailboxes()
    }

    pub(crate) fn tell(&self, command: impl Fn() -> Command) {
        self.mailboxes()
            .iter()
            .for_each(|mailbox| mailbox.send(command()));
    }

    /// A worker's thread that nobody waits for yet, and the worker's number.
    pub(crate) fn next_thread(&self) -> Option<(usize, Thread)> {
        self.shared.workers.next_thread()
    }

    pub(crate) fn control(&self) -> &Control {
        &self.shared.control
    }

    pub(crate) fn observer(&self) -> &Arc<dyn Observer> {
        self.shared.workers.observer()
    }

    /// What is counted under the lock.
    pub(crate) fn counted(&self) -> &WorkerStats {
        &self.shared.counted
    }

    /// Now, on the engine's clock.
    pub(crate) fn moment(&self) -> Moment {
        self.shared.workers.clock().now()
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // Whoever panicked while it held the lock has left a whole state: each change is one insertion or removal.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The namespaces that matter to a plan.
fn interest(plan: &Plan) -> NetnsInterest {
    NetnsInterest {
        specs: plan.namespaces().into_iter().cloned().collect(),
        all_names: plan.patterns().next().is_some(),
    }
}
