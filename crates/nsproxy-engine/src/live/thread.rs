//! The thread that is told of namespaces, and tells the engine. It also tries again what has failed.

use std::collections::BTreeSet;
use std::io;
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token, Waker};
use netns_core::NetnsName;

use crate::handle::WeakHandle;
use crate::observer::{Notice, Observer};
use crate::opener::{NetnsChange, NetnsInterest, NetnsWatcher, OpenerFactory, Presence};

const WAKER: Token = Token(usize::MAX);
const EVENTS: usize = 32;
/// How soon something is tried again that cannot be watched.
const WATCH_AGAIN: Duration = Duration::from_secs(1);

/// The thread. Dropping this ends it.
#[derive(Debug)]
pub(crate) struct Watching {
    messages: Sender<Message>,
    waker: Arc<Waker>,
    names: Names,
    thread: Option<JoinHandle<()>>,
}

/// What the thread is told.
#[derive(Debug)]
enum Message {
    /// These are of interest from now on.
    Watch(NetnsInterest),
    /// Something is due at another time than before.
    LookAtTheClock,
    End,
}

/// The names that are there, as far as the watcher has told. Written by the thread, read when a plan is applied.
#[derive(Debug, Clone, Default)]
struct Names(Arc<Mutex<BTreeSet<NetnsName>>>);

impl Watching {
    /// Starts the thread. On return, what is of interest is watched, unless it cannot be.
    pub(crate) fn start(
        factory: Arc<dyn OpenerFactory>,
        observer: Arc<dyn Observer>,
        handle: WeakHandle,
        interest: NetnsInterest,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let (messages, received) = channel();
        let (ready, readiness) = channel();
        let names = Names::default();
        let seen = names.clone();
        let thread = std::thread::Builder::new()
            .name("nsproxy-netns".to_owned())
            .spawn(move || {
                let made = factory.watcher();
                drop(factory);
                match made {
                    Ok(watcher) => {
                        let thread = WatchingThread {
                            poll,
                            messages: received,
                            watcher,
                            observer,
                            handle,
                            names: seen,
                            changes: Vec::new(),
                            is_failing: false,
                            again_at: None,
                        };
                        thread.run(&interest, &ready);
                    }
                    Err(error) => drop(ready.send(Err(error))),
                }
            })?;
        let watching = Self {
            messages,
            waker,
            names,
            thread: Some(thread),
        };
        readiness
            .recv()
            .unwrap_or_else(|_| Err(io::Error::other("the thread for namespaces ended at its start")))?;
        Ok(watching)
    }

    /// These are of interest from now on, and no others.
    pub(crate) fn watch(&self, interest: NetnsInterest) {
        self.send(Message::Watch(interest));
    }

    /// Something is due at another time than before.
    pub(crate) fn look_at_the_clock(&self) {
        self.send(Message::LookAtTheClock);
    }

    /// The names that are there now, as far as is known.
    pub(crate) fn names(&self) -> Vec<NetnsName> {
        self.names.lock().iter().cloned().collect()
    }

    fn send(&self, message: Message) {
        if self.messages.send(message).is_ok() {
            // A wake-up can only fail when the thread has ended in the meantime.
            let _ = self.waker.wake();
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.send(Message::End);
        // It is this very thread if it has let go of the last handle; then it is about to end.
        let is_another = |thread: &JoinHandle<()>| thread.thread().id() != std::thread::current().id();
        if let Some(thread) = self.thread.take().filter(is_another) {
            // A panic in there went to standard error.
            let _ = thread.join();
        }
    }
}

impl Names {
    fn lock(&self) -> MutexGuard<'_, BTreeSet<NetnsName>> {
        // A set stays whole whoever panics beside it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_in(&self, changes: &[NetnsChange]) {
        let mut names = self.lock();
        for NetnsChange { netns, presence } in changes {
            match (netns.name(), presence) {
                (Some(name), Presence::There) => drop(names.insert(name.clone())),
                (Some(name), _) => drop(names.remove(name)),
                (None, _) => {}
            }
        }
    }
}

/// What the thread owns.
struct WatchingThread {
    poll: Poll,
    messages: Receiver<Message>,
    watcher: Option<Box<dyn NetnsWatcher>>,
    observer: Arc<dyn Observer>,
    handle: WeakHandle,
    names: Names,
    changes: Vec<NetnsChange>,
    /// Something cannot be watched.
    is_failing: bool,
    /// When to try that again.
    again_at: Option<Instant>,
}

impl WatchingThread {
    fn run(mut self, interest: &NetnsInterest, ready: &Sender<io::Result<()>>) {
        if let Err(error) = self.begin(interest) {
            // Whoever started this thread waits for the word.
            drop(ready.send(Err(error)));
            return;
        }
        let _ = ready.send(Ok(()));
        let mut events = Events::with_capacity(EVENTS);
        let mut patience = self.act();
        loop {
            if let Err(error) = self.poll.poll(&mut events, patience)
                && error.kind() != io::ErrorKind::Interrupted
            {
                self.complain(&error);
                return;
            }
            for event in &events {
                self.on_ready(event.token());
            }
            if self.read_messages().is_break() {
                return;
            }
            patience = self.act();
        }
    }

    fn begin(&mut self, interest: &NetnsInterest) -> io::Result<()> {
        let registry = self.poll.registry().try_clone()?;
        if let Some(watcher) = &mut self.watcher {
            watcher.register(registry, 0);
        }
        self.watch(interest);
        self.names.take_in(&self.changes);
        Ok(())
    }

    /// Tells the engine what has changed, and has it try what is due. Says how long there is nothing to do.
    fn act(&mut self) -> Option<Duration> {
        if self.again_at.is_some_and(|at| at <= Instant::now())
            && let Some(watcher) = &mut self.watcher
        {
            let result = watcher.retry(&mut self.changes);
            self.again_at = None;
            self.is_failing &= result.is_err();
            self.note(result);
        }
        self.names.take_in(&self.changes);
        // Whoever has the last handle has no engine that could be told.
        let handle = self.handle.upgrade()?;
        if !self.changes.is_empty() {
            handle.follow(&self.changes);
            self.changes.clear();
        }
        let due = handle.try_again();
        let again = self
            .again_at
            .map(|at| at.saturating_duration_since(Instant::now()));
        // Rounded up: a poller that wakes too early finds nothing due.
        let due = due.map(|due| due + Duration::from_millis(1));
        [due, again].into_iter().flatten().min()
    }

    fn on_ready(&mut self, token: Token) {
        if token != WAKER
            && let Some(watcher) = &mut self.watcher
        {
            let result = watcher.on_ready(token, &mut self.changes);
            self.note(result);
        }
    }

    fn read_messages(&mut self) -> ControlFlow<()> {
        loop {
            match self.messages.try_recv() {
                Ok(Message::Watch(interest)) => self.watch(&interest),
                Ok(Message::LookAtTheClock) => {}
                Ok(Message::End) | Err(TryRecvError::Disconnected) => return ControlFlow::Break(()),
                Err(TryRecvError::Empty) => return ControlFlow::Continue(()),
            }
        }
    }

    fn watch(&mut self, interest: &NetnsInterest) {
        if let Some(watcher) = &mut self.watcher {
            let result = watcher.watch(interest, &mut self.changes);
            self.note(result);
        }
    }

    /// Something cannot be watched: it is tried again, and told once until it works.
    fn note(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            if !std::mem::replace(&mut self.is_failing, true) {
                self.complain(&error);
            }
            self.again_at = Some(Instant::now() + WATCH_AGAIN);
        }
    }

    fn complain(&self, error: &io::Error) {
        self.observer.notice(&Notice::NetnsUnwatched { error });
    }
}
