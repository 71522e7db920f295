//! What an embedding program is told: the end of each session, and what went wrong on the way.

use std::net::SocketAddr;
use std::time::Duration;

use netns_core::{NetnsId, NetnsSpec};

use crate::core::balance::Admin;
use crate::core::close::CloseReason;
use crate::core::health::CheckReport;
use crate::opener::OpenError;
use crate::plan::{Endpoint, Target};
use crate::worker::SessionFacts;

/// Is told what happens. Called on the engine's threads: it must not block.
pub trait Observer: Send + Sync {
    /// A session of a relay that is [followed](crate::RelayPlan::followed) has begun: its PROXY header is complete, or none was
    /// expected, and no rule about the connection or the session has rejected it. Called once at most.
    fn session_began(&self, facts: &SessionFacts<'_>) {
        let _ = facts;
    }

    /// A session of a relay that is followed has its connection to the server.
    fn session_connected(&self, facts: &SessionFacts<'_>) {
        let _ = facts;
    }

    /// A session has ended. Every session that was accepted ends exactly once.
    fn session_ended(&self, summary: &SessionSummary<'_>) {
        let _ = summary;
    }

    /// Something that an operator may want to know, apart from the end of a session.
    fn notice(&self, notice: &Notice<'_>) {
        let _ = notice;
    }
}

/// An observer that is interested in nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {}

/// What a session was.
#[derive(Debug, Clone, Copy)]
pub struct SessionSummary<'a> {
    /// The relay's name.
    pub relay: &'a str,
    /// The pool's name.
    pub pool: &'a str,
    /// The server's name, once one was chosen.
    pub server: Option<&'a str>,
    /// The client's address: the PROXY header's if there was one, else the socket's; none on a unix socket.
    pub client: Option<SocketAddr>,
    /// Who connected, when a PROXY header named another client.
    pub peer: Option<SocketAddr>,
    /// Where the server was, once that was known; none for a unix socket.
    pub upstream: Option<SocketAddr>,
    /// The namespace of the client's connection; `None` is the default one.
    pub client_netns: Option<&'a NetnsSpec>,
    /// The namespace that the server was reached in; `None` is the default one, or none was chosen.
    pub upstream_netns: Option<&'a NetnsSpec>,
    /// Bytes delivered to the server, without the PROXY header that it got.
    pub bytes_up: u64,
    /// Bytes delivered to the client.
    pub bytes_down: u64,
    /// Connection attempts after the first.
    pub retries: u16,
    /// From accept to close.
    pub duration: Duration,
    /// Why it ended.
    pub reason: CloseReason,
    /// What costs something to find out.
    pub facts: SessionFacts<'a>,
}

/// Something worth knowing. Not `non_exhaustive`: whoever logs them is told by the compiler when there is another one.
#[derive(Debug, Clone, Copy)]
pub enum Notice<'a> {
    /// A PROXY header names a namespace that may not be selected. `closed` tells whether the session ended for it, or
    /// goes on with the listener's namespace.
    NetnsUnlisted {
        /// The relay's name.
        relay: &'a str,
        /// Who sent the header.
        peer: Option<SocketAddr>,
        /// The value of the TLV, as received.
        name: &'a [u8],
        /// Whether the session was closed.
        closed: bool,
    },
    /// An upstream socket could not be made.
    SocketFailed {
        /// The relay's name.
        relay: &'a str,
        /// The server's name.
        server: &'a str,
        /// What failed.
        error: &'a OpenError,
    },
    /// A check of a server has found something new: another result than the one before, or another step towards up or down.
    /// Only of servers whose plan asks for it.
    CheckEnded {
        /// The pool's name.
        pool: &'a str,
        /// The server's name.
        server: &'a str,
        /// Whether it is a backup.
        backup: bool,
        /// What was found.
        report: &'a CheckReport,
        /// Whether the server is up.
        is_up: bool,
        /// How far it is on that side, see [`HealthStatus::progress`](crate::HealthStatus::progress).
        progress: (u32, u32),
    },
    /// A server has gone down, or up.
    ServerChanged {
        /// The pool's name.
        pool: &'a str,
        /// The server's name.
        server: &'a str,
        /// Whether it is a backup.
        backup: bool,
        /// Whether it is up now.
        is_up: bool,
        /// Why.
        cause: Cause<'a>,
        /// Servers of the pool that are up, without backups.
        active: usize,
        /// Its backups that are up.
        backups: usize,
        /// Sessions that it has.
        sessions: usize,
        /// Sessions that waited for it and for no other, and now wait for any.
        requeued: usize,
        /// Sessions that wait in the pool.
        waiting: usize,
    },
    /// An administrator has taken a server out, has it give up its sessions one after the other, or has put it back.
    ServerSet {
        /// The pool's name.
        pool: &'a str,
        /// The server's name.
        server: &'a str,
        /// Whether it is a backup.
        backup: bool,
        /// What applied before.
        before: Admin,
        /// What applies now.
        now: Admin,
        /// The pool and the name of the server that it tracks, where the change was of that one.
        via: Option<(&'a str, &'a str)>,
        /// Whether it can be reached, as far as is known.
        is_up: bool,
        /// Servers of the pool that get sessions, without backups.
        active: usize,
        /// Its backups that do.
        backups: usize,
        /// Sessions that it has.
        sessions: usize,
        /// Sessions that waited for it and for no other, and now wait for any.
        requeued: usize,
        /// Sessions that wait in the pool.
        waiting: usize,
    },
    /// A check could not be made: descriptors or memory have run out. The server stays as it is, and the check is made again
    /// after its interval. Told at most once in a second, of whichever server it is.
    CheckPrevented {
        /// The pool's name.
        pool: &'a str,
        /// The server's name.
        server: &'a str,
        /// The system's answer.
        error: &'a std::io::Error,
    },
    /// The thread that makes checks has failed. From now on no server is checked, and each stays as it is.
    ChecksEnded {
        /// The system's answer; `None` is a panic, which is a bug: the message went to standard error.
        error: Option<&'a std::io::Error>,
    },
    /// A name of the plan leads to a namespace, and did not before.
    NetnsReady {
        /// The name.
        netns: &'a NetnsSpec,
        /// Which one it is.
        id: NetnsId,
        /// Listeners that are to be opened there.
        listeners: usize,
    },
    /// A name of the plan leads to another namespace than before.
    NetnsReplaced {
        /// The name.
        netns: &'a NetnsSpec,
        /// Which one it was.
        was: NetnsId,
        /// Which one it is.
        id: NetnsId,
        /// Listeners that are closed in the one and opened in the other.
        listeners: usize,
    },
    /// A name of the plan leads nowhere any more.
    NetnsRemoved {
        /// The name.
        netns: &'a NetnsSpec,
        /// Which one it was.
        was: NetnsId,
        /// Listeners that are closed for it.
        listeners: usize,
    },
    /// It could not be found out where a name leads. It is asked again in a second, and until then everything stays as it is.
    NetnsUnknown {
        /// The name.
        netns: &'a NetnsSpec,
        /// What failed.
        error: &'a OpenError,
    },
    /// Some namespaces cannot be watched: what becomes of them is not noticed. It is tried again every second.
    NetnsUnwatched {
        /// Why.
        error: &'a std::io::Error,
    },
    /// Sessions are in a namespace that no name leads to any more. Told by each worker that has some.
    NetnsLeft {
        /// A name that led there.
        netns: &'a NetnsSpec,
        /// Which one it is.
        id: NetnsId,
        /// How many sessions.
        sessions: usize,
        /// After how long the first of them will be reset; `None` when none will.
        patience: Option<Duration>,
    },
    /// An administrator has put a server elsewhere.
    ServerMoved {
        /// Its pool's name.
        pool: &'a str,
        /// Its name.
        server: &'a str,
        /// Where it is from now on.
        target: &'a Target,
    },
    /// A listener could not be opened in a namespace that has come. It is told of now and then, as long as it is tried again.
    ListenerFailed {
        /// The relay's name.
        relay: &'a str,
        /// Where it is to listen.
        address: &'a Endpoint,
        /// The namespace.
        netns: &'a NetnsSpec,
        /// What failed.
        error: &'a OpenError,
        /// After how long it is tried again; `None` when it never can be there, in this namespace.
        again: Option<Duration>,
    },
    /// A listener was opened after it had failed.
    ListenerOpened {
        /// The relay's name.
        relay: &'a str,
        /// Where it was to listen.
        address: &'a Endpoint,
        /// The namespace.
        netns: &'a NetnsSpec,
    },
    /// Accepting failed: descriptors or memory have run out. It is tried again after a short pause.
    AcceptFailed {
        /// The relay's name.
        relay: &'a str,
        /// The system's answer.
        error: &'a std::io::Error,
    },
}

/// Why a server has gone down or up.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Cause<'a> {
    /// A check has found this.
    Check(&'a CheckReport),
    /// The same, and [`Notice::CheckEnded`] has told it.
    Reported(&'a CheckReport),
    /// The server that it tracks has.
    Tracked {
        /// The pool of that server.
        pool: &'a str,
        /// Its name.
        server: &'a str,
    },
}
