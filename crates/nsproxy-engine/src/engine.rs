//! The engine: starts its workers, waits for them, and ends with them.

use std::collections::BTreeSet;
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

use mio::Poll;

use crate::admission::Gate;
use crate::clock::Clock;
use crate::control::Control;
use crate::error::StartError;
use crate::handle::{ForThreads, Handle};
use crate::inbox::{Command, Mailbox};
use crate::observer::Observer;
use crate::opener::OpenerFactory;
use crate::own::OwnConnections;
use crate::room::Room;
use crate::stats::{Stats, WorkerStats};
use crate::worker::{INBOX, Seed, Worker};

/// What the engine is started with; a plan does not change it.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Worker threads; `None` is one for each CPU that this process may use.
    pub workers: Option<NonZeroUsize>,
    /// Worker threads that there may be later ([`Handle::set_workers`]); those that are not needed rest. `None` is no more than at
    /// the start.
    pub max_workers: Option<NonZeroUsize>,
    /// Most sessions at a time; `None` is as many as the limit of open files allows.
    pub max_sessions: Option<usize>,
    /// Whether servers will be checked: descriptors are set aside for the checks that are made at a time, which leaves room
    /// for fewer sessions. See [`Plan::has_checks`](crate::Plan::has_checks).
    pub checks: bool,
}

/// A running engine.
///
/// Dropping it without [`Engine::wait`] stops it: sessions are reset.
#[derive(Debug)]
pub struct Engine {
    handle: Handle,
    threads: Vec<JoinHandle<io::Result<()>>>,
}

/// A worker has failed, and the engine with it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// Its event loop failed.
    #[error("worker {worker} failed")]
    Poll {
        /// Which one, from 0.
        worker: usize,
        /// The system's answer.
        source: io::Error,
    },
    /// It panicked, which is a bug; the message went to standard error.
    #[error("worker {worker} panicked")]
    Panicked {
        /// Which one, from 0.
        worker: usize,
    },
}

impl Engine {
    /// Starts the workers. Nothing is listened to before [`Handle::apply`].
    ///
    /// `factory` makes one opener for each worker, and one for listeners; see [`InProcess`](crate::InProcess).
    ///
    /// # Errors
    ///
    /// A thread, a poller or an opener cannot be made, or the limit of open files is too low.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a reference to an `Arc` would not coerce to a trait object"
    )]
    pub fn start(
        settings: &Settings,
        factory: Arc<dyn OpenerFactory>,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, StartError> {
        let working = settings
            .workers
            .or_else(|| thread::available_parallelism().ok())
            .unwrap_or(NonZeroUsize::MIN)
            .get();
        let count = settings
            .max_workers
            .map_or(working, |most| most.get().max(working));
        let room = Room::divide(settings, count)?;
        let control = Control::start(Arc::clone(&factory)).map_err(StartError::Opener)?;
        let gate = Gate::new(room.sessions);
        let clock = Clock::start();
        let stats: Vec<_> = (0..count).map(|_| Arc::<WorkerStats>::default()).collect();

        let mut polls = Vec::with_capacity(count);
        let mut mailboxes = Vec::with_capacity(count);
        for worker in 0..count {
            let failed = |source| StartError::Worker { worker, source };
            let poll = Poll::new().map_err(failed)?;
            let (mailbox, commands) = Mailbox::new(poll.registry(), INBOX).map_err(failed)?;
            polls.push((poll, commands));
            mailboxes.push(mailbox);
        }
        let mailboxes: Arc<[Mailbox]> = mailboxes.into();
        let for_threads = ForThreads {
            factory: Arc::clone(&factory),
            observer: Arc::clone(&observer),
        };
        let handle = Handle::new(
            Arc::clone(&mailboxes),
            stats.clone(),
            Arc::clone(&gate),
            control,
            for_threads,
            clock,
        );
        let mut engine = Self {
            handle,
            threads: Vec::with_capacity(count),
        };
        let own = Arc::<OwnConnections>::default();
        let (ready, readies) = channel();
        for (index, ((poll, commands), stats)) in polls.into_iter().zip(stats).enumerate() {
            let seed = Seed {
                poll,
                commands,
                index,
                mailboxes: Arc::clone(&mailboxes),
                gate: Arc::clone(&gate),
                own: Arc::clone(&own),
                stats,
                observer: Arc::clone(&observer),
                clock,
                pipes: room.pipes_per_worker,
                stock: room.stock_per_worker,
            };
            let thread = spawn(seed, Arc::clone(&factory), ready.clone());
            engine.threads.push(thread.map_err(|source| StartError::Worker {
                worker: index,
                source,
            })?);
        }
        drop(ready);
        let mut silent: BTreeSet<_> = (0..count).collect();
        for (worker, result) in readies {
            result.map_err(|source| StartError::Worker { worker, source })?;
            silent.remove(&worker);
        }
        if let Some(&worker) = silent.first() {
            let source = io::Error::other("it panicked at its start");
            return Err(StartError::Worker { worker, source });
        }
        engine.handle.set_workers(working);
        Ok(engine)
    }

    /// A way to control the engine from elsewhere.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Waits until the engine was drained or stopped, and returns what it has done.
    ///
    /// # Errors
    ///
    /// A worker has failed; the others were stopped for it.
    pub fn wait(mut self) -> Result<Stats, WaitError> {
        let mut result = Ok(());
        for (worker, thread) in std::mem::take(&mut self.threads).into_iter().enumerate() {
            let outcome = match thread.join() {
                Ok(Ok(())) => Ok(()),
                Ok(Err(source)) => Err(WaitError::Poll { worker, source }),
                Err(_) => Err(WaitError::Panicked { worker }),
            };
            result = result.and(outcome);
        }
        self.handle.end_threads();
        result.map(|()| self.handle.stats())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if !self.threads.is_empty() {
            self.handle.stop();
        }
        for thread in self.threads.drain(..) {
            // Its failure was to be had from `wait`.
            let _ = thread.join();
        }
        self.handle.end_threads();
    }
}

type Ready = Sender<(usize, io::Result<()>)>;

/// Starts a worker's thread, which reports whether it is ready.
fn spawn(
    seed: Seed,
    factory: Arc<dyn OpenerFactory>,
    ready: Ready,
) -> io::Result<JoinHandle<io::Result<()>>> {
    let index = seed.index;
    let mailboxes = Arc::clone(&seed.mailboxes);
    thread::Builder::new()
        .name(format!("nsproxy-{index}"))
        .spawn(move || {
            let others = StopOthers(mailboxes);
            let worker = Worker::new(seed, &*factory);
            drop(factory);
            match worker {
                Ok(worker) => {
                    // Whoever starts the engine waits for the word; if not, there is nobody to tell.
                    let _ = ready.send((index, Ok(())));
                    drop(ready);
                    let result = worker.run();
                    if result.is_err() {
                        stop_all(&others.0);
                    }
                    result
                }
                Err(error) => {
                    let _ = ready.send((index, Err(error)));
                    Ok(())
                }
            }
        })
}

/// When a worker panics, the others stop: a relay that is half dead helps nobody.
struct StopOthers(Arc<[Mailbox]>);

impl Drop for StopOthers {
    fn drop(&mut self) {
        if thread::panicking() {
            stop_all(&self.0);
        }
    }
}

fn stop_all(mailboxes: &[Mailbox]) {
    for mailbox in mailboxes {
        mailbox.send(Command::Stop);
    }
}
