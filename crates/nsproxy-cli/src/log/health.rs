//! Checks and changes of servers, as lines in HAProxy's words.

use std::fmt::{self, Display};

use nsproxy_engine::{Cause, Notice};

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
            _ => Ok(()),
        }
    }
}
