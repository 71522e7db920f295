//! The engine: starts its workers, waits for them, and ends with them.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

use crate::admission::Gate;
use crate::clock::Clock;
use crate::control::Control;
use crate::error::StartError;
use crate::handle::Handle;
use crate::observer::Observer;
use crate::opener::OpenerFactory;
use crate::room::Room;
use crate::stats::Stats;
use crate::workers::{Materials, Workers};

/// What the engine is started with; a plan does not change it.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Worker threads, 1024 at most; `None` is one for each CPU that this process may use. [`Handle::set_workers`] changes how
    /// many there are.
    pub workers: Option<NonZeroUsize>,
    /// Worker threads that there may well be later: what each may have of pipes and of sockets in stock is set aside for so many.
    /// More are possible, which have of these what is left. `None` is as many as at the start.
    pub expected_workers: Option<NonZeroUsize>,
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
    pub fn start(
        settings: &Settings,
        factory: Arc<dyn OpenerFactory>,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, StartError> {
        let count = settings
            .workers
            .or_else(|| thread::available_parallelism().ok())
            .unwrap_or(NonZeroUsize::MIN);
        let expected = settings.expected_workers.map_or(count, |more| more.max(count));
        let room = Room::divide(settings, expected.get())?;
        let control = Control::start(Arc::clone(&factory)).map_err(StartError::Opener)?;
        let materials = Materials {
            factory,
            observer,
            gate: Gate::new(room.sessions),
            clock: Clock::start(),
            room,
        };
        let workers = Workers::start(count, materials)?;
        Ok(Self {
            handle: Handle::new(workers, control),
        })
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
    pub fn wait(self) -> Result<Stats, WaitError> {
        self.join().map(|()| self.handle.stats())
    }

    /// Waits for the end of every worker.
    fn join(&self) -> Result<(), WaitError> {
        let mut result = Ok(());
        while let Some((worker, thread)) = self.handle.next_thread() {
            let outcome = match thread.join() {
                Ok(Ok(())) => Ok(()),
                Ok(Err(source)) => Err(WaitError::Poll { worker, source }),
                Err(_) => Err(WaitError::Panicked { worker }),
            };
            // It has failed, or another one has, which tells all that it knows of; there may be one that was just started.
            if !self.handle.is_ending() {
                self.handle.stop();
            }
            result = result.and(outcome);
        }
        self.handle.end_threads();
        result
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.handle.stop();
        // A failure was to be had from `wait`.
        let _ = self.join();
    }
}
