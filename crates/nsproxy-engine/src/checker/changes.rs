//! What follows when a server goes down or up: the pools learn of it, sessions end or begin, the observer is told.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::Member;
use super::checked::Checked;
use crate::core::balance::{Down, Load};
use crate::core::close::{CloseReason, Errno};
use crate::core::health::{Change, CheckReport};
use crate::core::moment::Moment;
use crate::inbox::{self, Command, Mailboxes};
use crate::observer::{Cause, Notice, Observer};
use crate::pool::Waiter;

/// What prevents one check prevents others: notices of it are this far apart at least.
const BETWEEN_PREVENTED: Duration = Duration::from_secs(1);

/// Tells everybody.
pub(super) struct Announcer {
    observer: Arc<dyn Observer>,
    mailboxes: Arc<Mailboxes>,
    /// When it was last told that a check could not be made.
    prevented: Option<Moment>,
    /// Sessions to be called; empty but within a call.
    called: Vec<Waiter>,
}

impl Announcer {
    pub(super) fn new(observer: Arc<dyn Observer>, mailboxes: Arc<Mailboxes>) -> Self {
        Self {
            observer,
            mailboxes,
            prevented: None,
            called: Vec::new(),
        }
    }

    /// A check has found something new.
    pub(super) fn check_ended(&self, checked: &Checked, report: &CheckReport) {
        let Some(Member { pool, server }) = checked.watched.members.first() else {
            return;
        };
        self.observer.notice(&Notice::CheckEnded {
            pool: &pool.name,
            server: &server.name,
            backup: server.share.backup,
            report,
            is_up: checked.monitor.is_up(),
            progress: checked.monitor.progress(),
        });
    }

    /// A check could not be made, for a want of this host.
    pub(super) fn check_prevented(&mut self, checked: &Checked, Errno(errno): Errno, now: Moment) {
        let is_soon = |told: Moment| now.since(told) < BETWEEN_PREVENTED;
        let Some(Member { pool, server }) = checked.watched.members.first() else {
            return;
        };
        if self.prevented.is_some_and(is_soon) {
            return;
        }
        self.prevented = Some(now);
        self.observer.notice(&Notice::CheckPrevented {
            pool: &pool.name,
            server: &server.name,
            error: &io::Error::from_raw_os_error(errno),
        });
    }

    /// A server has changed sides, and those that track it have, too.
    pub(super) fn changed(&mut self, checked: &Checked, change: Change, report: &CheckReport) {
        let is_up = change == Change::Up;
        let members = &checked.watched.members;
        for (index, member) in members.iter().enumerate() {
            let requeued = member.pool.waiting_for(&member.server);
            self.set(member, is_up);
            let cause = match members.first() {
                Some(checked) if index > 0 => Cause::Tracked {
                    pool: &checked.pool.name,
                    server: &checked.server.name,
                },
                _ if checked.watched.plan.reports => Cause::Reported(report),
                _ => Cause::Check(report),
            };
            let (active, backups) = member.pool.available();
            self.observer.notice(&Notice::ServerChanged {
                pool: &member.pool.name,
                server: &member.server.name,
                backup: member.server.share.backup,
                is_up,
                cause,
                active,
                backups,
                sessions: member.server.load.sessions() as usize,
                requeued,
                waiting: member.pool.places().waiting(),
            });
            self.end_sessions(member, is_up);
        }
    }

    /// Makes sure that each pool knows of the servers' state.
    pub(super) fn settle(&mut self, checked: &Checked) {
        for member in &checked.watched.members {
            self.set(member, checked.monitor.is_up());
        }
    }

    /// Nothing is known of a server any more: it counts as up.
    pub(super) fn release(&mut self, member: &Member) {
        self.set(member, true);
    }

    fn set(&mut self, Member { pool, server }: &Member, is_up: bool) {
        pool.set_down(server, Down::UNHEALTHY, !is_up, &mut self.called);
        inbox::call(&self.mailboxes, self.called.drain(..));
    }

    fn end_sessions(&self, Member { pool, server }: &Member, is_up: bool) {
        if !is_up && server.ends_sessions {
            self.end_sessions_of(&server.load, CloseReason::ServerDown);
        }
        if is_up && server.ends_backup_sessions && !server.share.backup {
            for backup in pool.servers().iter().filter(|server| server.share.backup) {
                self.end_sessions_of(&backup.load, CloseReason::ServerUp);
            }
        }
    }

    fn end_sessions_of(&self, load: &Arc<Load>, reason: CloseReason) {
        for mailbox in self.mailboxes.iter() {
            mailbox.send(Command::EndSessions(Arc::clone(load), reason));
        }
    }
}
