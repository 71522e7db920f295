//! What can go wrong when a plan is applied or an engine is started, as sentences. What goes wrong with one session is a
//! [`CloseReason`](crate::CloseReason).

use std::io;

use crate::opener::OpenError;
use crate::plan::{Endpoint, PlanError};

/// The engine could not do what a plan says. Listeners that the plan before it had are untouched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// The plan does not hold together.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A listener could not be opened.
    #[error("relay `{relay}` cannot listen at {address}")]
    Listen {
        /// The relay's name.
        relay: String,
        /// The address.
        address: Endpoint,
        /// What failed.
        source: OpenError,
    },
    /// The opener did not answer in time, or it has failed for good.
    #[error("relay `{relay}` cannot listen at {address}: no answer about the socket within {seconds} s")]
    OpenerSilent {
        /// The relay's name.
        relay: String,
        /// The address.
        address: Endpoint,
        /// How long it was given, in seconds.
        seconds: u64,
    },
    /// A system call on a listener failed.
    #[error("relay `{relay}` cannot use its listener at {address}")]
    Listener {
        /// The relay's name.
        relay: String,
        /// The address.
        address: Endpoint,
        /// The system's answer.
        source: io::Error,
    },
    /// A namespace is missing that a server or a header may need, and the plan is strict about that.
    #[error("a namespace of the plan is missing")]
    Netns(#[source] OpenError),
    /// The thread that follows namespaces could not be started.
    #[error("cannot watch namespaces")]
    Watcher(#[source] io::Error),
    /// The thread that makes health checks could not be started.
    #[error("cannot start health checks")]
    Checker(#[source] io::Error),
    /// The engine has been stopped.
    #[error("the engine is stopping")]
    Stopping,
}

/// The engine could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A worker thread or its event loop could not be made.
    #[error("cannot start worker {worker}")]
    Worker {
        /// Which one, from 0.
        worker: usize,
        /// The system's answer.
        source: io::Error,
    },
    /// The opener for listeners could not be made.
    #[error("cannot prepare to open sockets")]
    Opener(#[source] io::Error),
    /// Not enough descriptors for a single session.
    #[error("the limit of {limit} open files leaves no room for a session (ulimit -n)")]
    NoDescriptors {
        /// The limit.
        limit: u64,
    },
    /// `maxconn` sessions do not fit into the limit of open files.
    #[error("{max_sessions} sessions need {needed} open files, and the limit is {limit} (ulimit -n)")]
    TooManySessions {
        /// What was asked for.
        max_sessions: usize,
        /// Descriptors that they would need.
        needed: u64,
        /// The limit.
        limit: u64,
    },
}
