//! Checks and changes of servers, as lines in HAProxy's words.

use std::fmt::{self, Display};
use std::net::SocketAddr;

use nsproxy_engine::{Admin, Cause, Notice, Target};

/// A check or a change of a server, in HAProxy's words.
pub(super) struct HealthLine<'a>(pub(super) &'a Notice<'a>);

impl Display for HealthLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self.0 {
            Notice::CheckEnded {
                pool,
                server,
                backup,
                report,
                is_up,
                progress: (at, of),
            } => {
                let verb = if report.result.is_passed() {
                    "succeeded"
                } else {
                    "failed"
                };
                let (state, backup) = (up(is_up), if backup { "backup " } else { "" });
                write!(
                    f,
                    "Health check for {backup}server {pool}/{server} {verb}, reason: {report}, status: {at}/{of} {state}."
                )
            }
            Notice::ServerChanged {
                pool,
                server,
                backup,
                is_up,
                cause,
                active,
                backups,
                sessions,
                requeued,
                waiting,
            } => {
                let subject = subject(backup);
                write!(f, "{subject} {pool}/{server} is {}", up(is_up))?;
                match cause {
                    Cause::Check(report) => write!(f, ", reason: {report}")?,
                    Cause::Tracked { pool, server } => write!(f, " via {pool}/{server}")?,
                    _ => {}
                }
                let left = Left {
                    is_up,
                    servers: (active, backups),
                    running: if is_up { "" } else { running(active, backups) },
                    sessions,
                    requeued,
                    waiting,
                };
                left.fmt(f)
            }
            Notice::ServerMoved { pool, server, target } => {
                write!(f, "Server {pool}/{server} is at {} now.", Place(target))
            }
            Notice::ServerSet { .. } => self.set(f),
            _ => Ok(()),
        }
    }
}

impl HealthLine<'_> {
    /// What an administrator has done to a server.
    fn set(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Notice::ServerSet {
            pool,
            server,
            backup,
            before,
            now,
            via,
            is_up,
            active,
            backups,
            sessions,
            requeued,
            waiting,
        } = *self.0
        else {
            return Ok(());
        };
        write!(f, "{} {pool}/{server} ", subject(backup))?;
        let left = Left {
            is_up: now != Admin::Maintenance,
            servers: (active, backups),
            running: running(active, backups),
            sessions,
            requeued,
            waiting,
        };
        let via_other = |f: &mut fmt::Formatter<'_>| match via {
            Some((pool, server)) => write!(f, " via {pool}/{server}"),
            None => Ok(()),
        };
        match now {
            Admin::Maintenance => write!(f, "is going DOWN for maintenance")?,
            Admin::Drain => write!(f, "enters drain state")?,
            Admin::Ready => {
                let state = up(is_up);
                let forced = if via.is_some() { "" } else { "forced " };
                return match before {
                    Admin::Drain => write!(f, "is {state} (leaving {forced}drain)."),
                    _ => write!(f, "is {state}/READY (leaving {forced}maintenance)."),
                };
            }
        }
        via_other(f)?;
        left.fmt(f)
    }
}

/// Where a server is, for people.
struct Place<'a>(&'a Target);

impl Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Target::Ip { address, port }
            | Target::Host {
                address: Some(address),
                port,
                ..
            } => match port {
                Some(port) => write!(f, "{}", SocketAddr::new(*address, *port)),
                None => write!(f, "{address}, at the client's port,"),
            },
            Target::Shifted { address, by } => {
                match address {
                    Some(address) => address.fmt(f)?,
                    None => f.write_str("the client's destination")?,
                }
                write!(f, ", at the client's port {by:+},")
            }
            Target::ClientDestination { port: Some(port) } => {
                write!(f, "the client's destination, at port {port},")
            }
            Target::ClientDestination { port: None } => f.write_str("the client's destination"),
            Target::Unix(path) => path.display().fmt(f),
            Target::Host { name, .. } => f.write_str(name),
        }
    }
}

const fn up(is_up: bool) -> &'static str {
    if is_up { "UP" } else { "DOWN" }
}

const fn subject(backup: bool) -> &'static str {
    if backup { "Backup Server" } else { "Server" }
}

/// Whether only servers are left that stand in for others.
const fn running(active: usize, backups: usize) -> &'static str {
    if active == 0 && backups > 0 {
        " Running on backup."
    } else {
        ""
    }
}

/// What is left of a backend: how a line about one of its servers ends.
struct Left {
    /// Of the server: whether it goes on with its sessions.
    is_up: bool,
    /// Active ones and backups.
    servers: (usize, usize),
    running: &'static str,
    sessions: usize,
    requeued: usize,
    waiting: usize,
}

impl Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            is_up,
            servers: (active, backups),
            running,
            sessions,
            requeued,
            waiting,
        } = self;
        let rest = if *is_up { "online" } else { "left" };
        write!(
            f,
            ". {active} active and {backups} backup servers {rest}.{running} "
        )?;
        if *is_up {
            write!(f, "{requeued} sessions requeued, {waiting} total in queue.")
        } else {
            write!(
                f,
                "{sessions} sessions active, {requeued} requeued, {waiting} remaining in queue."
            )
        }
    }
}
