//! The workers of an engine: their threads are started here, at first and when more are wanted.

use std::collections::BTreeSet;
use std::io;
use std::num::NonZeroUsize;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use mio::Poll;

use crate::admission::Gate;
use crate::clock::Clock;
use crate::error::StartError;
use crate::inbox::{Command, Mailbox, Mailboxes};
use crate::listing::MOST_WORKERS;
use crate::observer::Observer;
use crate::opener::OpenerFactory;
use crate::own::OwnConnections;
use crate::room::Room;
use crate::worker::{INBOX, Seed, Worker};

/// What every worker is made from.
pub(crate) struct Materials {
    pub(crate) factory: Arc<dyn OpenerFactory>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) clock: Clock,
    pub(crate) room: Room,
}

/// The workers that there are, and what more of them are made from.
pub(crate) struct Workers {
    mailboxes: Arc<Mailboxes>,
    threads: Mutex<Vec<(usize, Thread)>>,
    materials: Materials,
    own: Arc<OwnConnections>,
    /// Of sessions that have a number: the next one that no worker has.
    numbers: Arc<AtomicU64>,
}

pub(crate) type Thread = JoinHandle<io::Result<()>>;

/// Where a worker that is not started yet will wait, and be told things.
struct Inbox {
    poll: Poll,
    mailbox: Mailbox,
    commands: Receiver<Command>,
}

impl Workers {
    /// Starts so many, and waits until each is ready.
    ///
    /// # Errors
    ///
    /// One of them cannot be; then there is none.
    pub(crate) fn start(count: NonZeroUsize, materials: Materials) -> Result<Self, StartError> {
        let inboxes = inboxes(0, count.get().min(MOST_WORKERS))?;
        let mailboxes = inboxes.iter().map(|inbox| inbox.mailbox.clone());
        let workers = Self {
            mailboxes: Arc::new(Mailboxes::new(mailboxes)),
            threads: Mutex::default(),
            materials,
            own: Arc::default(),
            numbers: Arc::default(),
        };
        workers.run(0, inboxes)?;
        Ok(workers)
    }

    /// Starts more, until there are so many. They rest, and are told something before others know of them: so nobody gives one of them
    /// work that it is not ready for, and no session of theirs waits where nobody could call it. Not to be called twice at a time.
    ///
    /// # Errors
    ///
    /// One of them cannot be; then there are as many as before.
    pub(crate) fn grow(&self, count: usize, tell: impl Fn(&Mailbox)) -> Result<(), StartError> {
        let (first, count) = (self.mailboxes.len(), count.min(MOST_WORKERS));
        if count <= first {
            return Ok(());
        }
        let inboxes = inboxes(first, count)?;
        let mailboxes: Vec<_> = inboxes.iter().map(|inbox| inbox.mailbox.clone()).collect();
        self.run(first, inboxes)?;
        for mailbox in &mailboxes {
            mailbox.load().set_resting(true);
            mailbox.send(Command::Rest);
            tell(mailbox);
        }
        self.mailboxes.append(mailboxes);
        Ok(())
    }

    pub(crate) fn mailboxes(&self) -> &Arc<Mailboxes> {
        &self.mailboxes
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.materials.gate
    }

    pub(crate) fn clock(&self) -> Clock {
        self.materials.clock
    }

    pub(crate) fn factory(&self) -> &Arc<dyn OpenerFactory> {
        &self.materials.factory
    }

    pub(crate) fn observer(&self) -> &Arc<dyn Observer> {
        &self.materials.observer
    }

    /// A thread to be waited for, with the number of its worker; `None` when all were asked for.
    pub(crate) fn next_thread(&self) -> Option<(usize, Thread)> {
        self.threads().pop()
    }

    fn threads(&self) -> MutexGuard<'_, Vec<(usize, Thread)>> {
        // A list is whole, whoever panics beside it.
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts their threads, and waits until each is ready. Or none of them is left.
    fn run(&self, first: usize, inboxes: Vec<Inbox>) -> Result<(), StartError> {
        let mailboxes: Vec<_> = inboxes.iter().map(|inbox| inbox.mailbox.clone()).collect();
        let mut threads = Vec::with_capacity(inboxes.len());
        let (ready, readies) = channel();
        let mut outcome = Ok(());
        for (index, inbox) in (first..).zip(inboxes) {
            match self.spawn(index, inbox, ready.clone()) {
                Ok(thread) => threads.push((index, thread)),
                Err(source) => {
                    outcome = Err(StartError::Worker {
                        worker: index,
                        source,
                    });
                    break;
                }
            }
        }
        drop(ready);
        let mut silent: BTreeSet<_> = threads.iter().map(|(worker, _)| *worker).collect();
        for (worker, result) in readies {
            silent.remove(&worker);
            if let (Ok(()), Err(source)) = (&outcome, result) {
                outcome = Err(StartError::Worker { worker, source });
            }
        }
        if let (Ok(()), Some(&worker)) = (&outcome, silent.first()) {
            let source = io::Error::other("it panicked at its start");
            outcome = Err(StartError::Worker { worker, source });
        }
        if outcome.is_ok() {
            self.threads().extend(threads);
        } else {
            stop(&mailboxes);
            for (_, thread) in threads {
                // What has failed is told already.
                let _ = thread.join();
            }
        }
        outcome
    }

    /// Starts a worker's thread, which reports whether it is ready.
    fn spawn(&self, index: usize, inbox: Inbox, ready: Ready) -> io::Result<Thread> {
        let Materials {
            factory,
            observer,
            gate,
            clock,
            room,
        } = &self.materials;
        let Inbox {
            poll,
            mailbox,
            commands,
        } = inbox;
        let (pipes, stock) = room.share(index);
        let seed = Seed {
            poll,
            commands,
            index,
            mailbox,
            mailboxes: Arc::clone(&self.mailboxes),
            gate: Arc::clone(gate),
            own: Arc::clone(&self.own),
            observer: Arc::clone(observer),
            clock: *clock,
            numbers: Arc::clone(&self.numbers),
            pipes,
            stock,
        };
        let (factory, mailboxes) = (Arc::clone(factory), Arc::clone(&self.mailboxes));
        thread::Builder::new()
            .name(format!("nsproxy-{index}"))
            .spawn(move || {
                let others = StopOthers(mailboxes);
                run(seed, &*factory, &others, ready)
            })
    }
}

impl std::fmt::Debug for Workers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workers").finish_non_exhaustive()
    }
}

type Ready = Sender<(usize, io::Result<()>)>;

/// A worker's thread.
fn run(seed: Seed, factory: &dyn OpenerFactory, others: &StopOthers, ready: Ready) -> io::Result<()> {
    let index = seed.index;
    match Worker::new(seed, factory) {
        Ok(worker) => {
            // Whoever starts the worker waits for the word.
            let _ = ready.send((index, Ok(())));
            drop(ready);
            let result = worker.run();
            if result.is_err() {
                stop(others.0.iter());
            }
            result
        }
        Err(error) => {
            let _ = ready.send((index, Err(error)));
            Ok(())
        }
    }
}

/// For the workers from `first` on, `count` of them in all.
fn inboxes(first: usize, count: usize) -> Result<Vec<Inbox>, StartError> {
    let make = |worker| {
        let failed = |source| StartError::Worker { worker, source };
        let poll = Poll::new().map_err(failed)?;
        let (mailbox, commands) = Mailbox::new(poll.registry(), INBOX).map_err(failed)?;
        Ok(Inbox {
            poll,
            mailbox,
            commands,
        })
    };
    (first..count).map(make).collect()
}

/// When a worker panics, the others stop: a relay that is half dead helps nobody.
struct StopOthers(Arc<Mailboxes>);

impl Drop for StopOthers {
    fn drop(&mut self) {
        if thread::panicking() {
            stop(self.0.iter());
        }
    }
}

fn stop<'m>(mailboxes: impl IntoIterator<Item = &'m Mailbox>) {
    for mailbox in mailboxes {
        mailbox.send(Command::Stop);
    }
}
