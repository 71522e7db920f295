//! Makes the health checks: one thread with a poller and an opener of its own, so that no check is ever in a worker's way.
//!
//! It is the only one that changes the health of a server, and tells everybody: the pools, the workers, the observer.
//! What a check does and what its result means is decided in `core::health`.
//!
//! | file | what it does |
//! |---|---|
//! | `thread.rs` | the loop: which check is due, which one has taken too long |
//! | `checked.rs` | one server that is checked |
//! | `attempt.rs` | one check on its way: sockets |
//! | `changes.rs` | what follows when a server goes down or up |

mod attempt;
mod changes;
mod checked;
mod thread;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use mio::{Poll, Waker};

use self::thread::CheckerThread;
pub(crate) use self::thread::MOST_AT_A_TIME;
use crate::core::health::Spread;
use crate::health::Health;
use crate::inbox::Mailboxes;
use crate::live::LeftNetns;
use crate::observer::{Notice, Observer};
use crate::opener::OpenerFactory;
use crate::plan::{CheckPlan, NetnsRef};
use crate::pool::Pool;
use crate::server::Server;

/// A server to be checked.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) health: Arc<Health>,
    pub(crate) plan: CheckPlan,
    /// [`CheckPlan::netns`], to be shared with each request.
    pub(crate) netns: NetnsRef,
    /// Whether no check is to be made for now: an administrator has taken the server out.
    pub(crate) is_paused: bool,
    /// The server itself, and those that track it.
    pub(crate) members: Vec<Member>,
}

/// A server whose pool wants to know.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) pool: Arc<Pool>,
    pub(crate) server: Arc<Server>,
}

/// What the thread is told.
#[derive(Debug)]
enum Message {
    /// To check these, and no others.
    Adopt(Vec<Watched>, Spread),
    /// So many connections to a server have failed one after the other.
    ErrorLimit(Arc<Health>, u32),
    /// No name leads to this namespace any more.
    LeaveNetns(Arc<LeftNetns>),
    /// To make no checks of this server for now, or to make them again.
    Pause(Arc<Health>, bool),
    /// To end.
    End,
}

/// The way to the thread, for whoever sees what sessions meet.
#[derive(Debug, Clone)]
pub(crate) struct Reporter {
    messages: Sender<Message>,
    waker: Arc<Waker>,
}

impl Reporter {
    /// So many connections to the server have failed one after the other.
    pub(crate) fn error_limit_reached(&self, health: &Arc<Health>, errors: u32) {
        self.send(Message::ErrorLimit(Arc::clone(health), errors));
    }

    /// Tells the thread. One that has ended needs to be told nothing.
    fn send(&self, message: Message) {
        if self.messages.send(message).is_ok() {
            // A wake-up can only fail when the thread has ended in the meantime.
            let _ = self.waker.wake();
        }
    }
}

/// The thread. Dropping this ends it, and every check with it.
#[derive(Debug)]
pub(crate) struct Checker {
    reporter: Reporter,
    thread: Option<JoinHandle<()>>,
}

impl Checker {
    /// Starts the thread, which has nothing to check yet.
    pub(crate) fn start(
        factory: Arc<dyn OpenerFactory>,
        observer: Arc<dyn Observer>,
        mailboxes: Arc<Mailboxes>,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), thread::WAKER)?);
        let (messages, received) = channel();
        let (ready, readiness) = channel();
        let thread = std::thread::Builder::new()
            .name("nsproxy-checks".to_owned())
            .spawn(move || {
                let told = Arc::clone(&observer);
                let made = CheckerThread::new(poll, received, &*factory, told, mailboxes);
                drop(factory);
                match made {
                    Ok(thread) => {
                        // Whoever started this thread waits for the word.
                        let _ = ready.send(Ok(()));
                        run(thread, &*observer);
                    }
                    Err(error) => drop(ready.send(Err(error))),
                }
            })?;
        let checker = Self {
            reporter: Reporter { messages, waker },
            thread: Some(thread),
        };
        readiness
            .recv()
            .unwrap_or_else(|_| Err(io::Error::other("the thread for checks ended at its start")))?;
        Ok(checker)
    }

    /// For those who see what sessions meet.
    pub(crate) fn reporter(&self) -> &Reporter {
        &self.reporter
    }

    /// Makes no checks of the server with this health for now, or makes them again: it counts as up then, and the first check
    /// decides.
    pub(crate) fn pause(&self, health: &Arc<Health>, is_paused: bool) {
        self.reporter.send(Message::Pause(Arc::clone(health), is_paused));
    }

    /// Checks these from now on, and no others. A server that was checked before keeps its state, and a check of it that is
    /// on its way goes on if it is to be the same.
    pub(crate) fn adopt(&self, watched: Vec<Watched>, spread: Spread) {
        self.reporter.send(Message::Adopt(watched, spread));
    }
}

impl Checker {
    /// No name leads to this namespace any more: no check is to keep it alive.
    pub(crate) fn leave_netns(&self, left: &Arc<LeftNetns>) {
        self.reporter.send(Message::LeaveNetns(Arc::clone(left)));
    }
}

/// Runs the thread, and tells when it ends although nobody has asked for that. Servers stay as they are then.
fn run(thread: CheckerThread, observer: &dyn Observer) {
    // Nothing of the thread is used after a panic.
    let error = match catch_unwind(AssertUnwindSafe(|| thread.run())) {
        Ok(Ok(())) => return,
        Ok(Err(error)) => Some(error),
        Err(_) => None,
    };
    observer.notice(&Notice::ChecksEnded {
        error: error.as_ref(),
    });
}

impl Drop for Checker {
    fn drop(&mut self) {
        self.reporter.send(Message::End);
        if let Some(thread) = self.thread.take() {
            // A panic in there went to standard error.
            let _ = thread.join();
        }
    }
}
