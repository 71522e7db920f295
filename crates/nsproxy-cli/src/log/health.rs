//! Checks and changes of servers, as lines in HAProxy's words.

use std::fmt::{self, Display};

use nsproxy_engine::{Admin, Cause, Notice};

/// A check or a change of a server, in HAProxy's words.
pub(super) struct HealthLine<'a>(pub(super) &'a Notice<'a>);

impl Display for HealthLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_backup = |backup: bool| if backup { "backup " } else { "" };
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
                let state = if is_up { "UP" } else { "DOWN" };
                let backup = or_backup(backup);
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
                let subject = if backup { "Backup Server" } else { "Server" };
                let state = if is_up { "UP" } else { "DOWN" };
                write!(f, "{subject} {pool}/{server} is {state}")?;
                match cause {
                    Cause::Check(report) => write!(f, ", reason: {report}")?,
                    Cause::Tracked { pool, server } => write!(f, " via {pool}/{server}")?,
                    _ => {}
                }
                let rest = if is_up { "online" } else { "left" };
                let running = if !is_up && active == 0 && backups > 0 {
                    " Running on backup."
                } else {
                    ""
                };
                write!(
                    f,
                    ". {active} active and {backups} backup servers {rest}.{running}"
                )?;
                if is_up {
                    write!(f, " {requeued} sessions requeued, {waiting} total in queue.")?;
                } else {
                    write!(
                        f,
                        " {sessions} sessions active, {requeued} requeued, {waiting} remaining in queue."
                    )?;
                }
                Ok(())
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
        let subject = if backup { "Backup Server" } else { "Server" };
        write!(f, "{subject} {pool}/{server} ")?;
        let running = if active == 0 && backups > 0 {
            " Running on backup."
        } else {
            ""
        };
        let servers = format_args!("{active} active and {backups} backup servers");
        let cause = |f: &mut fmt::Formatter<'_>| match via {
            Some((pool, server)) => write!(f, " via {pool}/{server}"),
            None => Ok(()),
        };
        match now {
            Admin::Maintenance => {
                write!(f, "is going DOWN for maintenance")?;
                cause(f)?;
                write!(
                    f,
                    ". {servers} left.{running} {sessions} sessions active, {requeued} requeued, {waiting} remaining in queue."
                )
            }
            Admin::Drain => {
                write!(f, "enters drain state")?;
                cause(f)?;
                write!(
                    f,
                    ". {servers} online.{running} {requeued} sessions requeued, {waiting} total in queue."
                )
            }
            Admin::Ready => {
                let state = if is_up { "UP" } else { "DOWN" };
                let forced = if via.is_some() { "" } else { "forced " };
                match before {
                    Admin::Drain => write!(f, "is {state} (leaving {forced}drain).")?,
                    _ => write!(f, "is {state}/READY (leaving {forced}maintenance).")?,
                }
                Ok(())
            }
        }
    }
}
