//! What administrators do to servers and sessions while the engine runs.

use std::sync::Arc;

use crate::checker::Checker;
use crate::core::balance::{Admin, Down, Load, Standing};
use crate::core::close::CloseReason;
use crate::handle::Handle;
use crate::inbox::{self, Command};
use crate::listing::{self, SessionId, SessionList, SessionStatus};
use crate::observer::Notice;
use crate::plan::Target;
use crate::servers::Changed;

impl Handle {
    /// Takes a server out, has it give up its sessions one after the other, or puts it back; so it stays over plans, until one
    /// says otherwise of the server than the plan before. Those that track it go with it. Its sessions stay, unless they are
    /// to end when it goes down. Answers `false` when the current plan has no such server.
    pub fn set_admin(&self, pool: &str, server: &str, admin: Admin) -> bool {
        self.change(pool, server, |standing| standing.set_admin(admin))
    }

    /// Gives a server another weight, 0 to 256, over plans, until one has another weight of it than the plan before. Answers
    /// `false` when the current plan has no such server.
    pub fn set_weight(&self, pool: &str, server: &str, weight: u16) -> bool {
        self.change(pool, server, |standing| standing.set_weight(weight))
    }

    /// Has a server be elsewhere: sessions that choose it from now on connect there, and so do checks that go to its address. So it
    /// stays over plans, until one has another target of it than the plan before. Answers `false` when the current plan has no such
    /// server, or has it at a unix socket or wherever its host is.
    pub fn set_target(&self, pool: &str, server: &str, target: &Target) -> bool {
        let is_there = self.state().servers.set_target((pool, server), target);
        if is_there {
            self.observer()
                .notice(&Notice::ServerMoved { pool, server, target });
        }
        is_there
    }

    /// The sessions of the engine, as they are when the list comes to them.
    pub fn session_list(&self) -> SessionList {
        SessionList::new(Arc::clone(self.mailboxes()))
    }

    /// One session, if it has not ended.
    pub fn session(&self, id: SessionId) -> Option<SessionStatus> {
        let page = listing::ask(self.mailboxes().get(id.worker)?, id.key, Some(id.generation))?;
        page.sessions.into_iter().next()
    }

    /// Ends a session: both its connections are reset. Answers `false` when there is none.
    pub fn end_session(&self, id: SessionId) -> bool {
        self.mailboxes()
            .get(id.worker)
            .is_some_and(|mailbox| listing::end(mailbox, id))
    }

    /// Ends the sessions of a server. Answers `false` when the current plan has no such server.
    pub fn end_sessions_at(&self, pool: &str, server: &str) -> bool {
        let load = self
            .state()
            .servers
            .find(pool, server)
            .map(|(_, server)| Arc::clone(&server.load));
        let is_there = load.is_some();
        if let Some(load) = load {
            self.end_sessions_of(&load, CloseReason::Killed);
        }
        is_there
    }

    fn change(&self, pool: &str, server: &str, change: impl FnOnce(&mut Standing)) -> bool {
        let mut called = Vec::new();
        let mut state = self.state();
        let changed = state.servers.change((pool, server), change, &mut called);
        if let (Some(changed), Some(checker)) = (&changed, &state.checker) {
            pause_checks(changed, checker);
        }
        drop(state);
        inbox::call(self.mailboxes(), called);
        for (index, changed) in changed.iter().flatten().enumerate() {
            self.on_changed(changed, (index > 0).then_some((pool, server)));
        }
        changed.is_some()
    }

    /// A server stands otherwise than it did, perhaps because of another one.
    fn on_changed(&self, changed: &Changed, via: Option<(&str, &str)>) {
        let Changed { pool, server, .. } = changed;
        let (before, now) = (changed.before.effective(), changed.now.effective());
        if before == now {
            return;
        }
        // Behind maintenance its health begins anew, whatever a check has found since.
        let is_up = if before == Admin::Maintenance {
            (server.load.down() - Down::DRAINED - Down::UNHEALTHY).is_empty()
        } else {
            server.is_up()
        };
        let (active, backups) = pool.available();
        self.observer().notice(&Notice::ServerSet {
            pool: &pool.name,
            server: &server.name,
            backup: server.share.backup,
            before,
            now,
            via,
            is_up,
            active,
            backups,
            sessions: server.load.sessions() as usize,
            requeued: if now == Admin::Ready { 0 } else { changed.requeued },
            waiting: pool.places().waiting(),
        });
        if now == Admin::Maintenance && server.ends_sessions {
            self.end_sessions_of(&server.load, CloseReason::ServerDown);
        }
        if before == Admin::Maintenance && server.ends_backup_sessions && !server.share.backup {
            for backup in pool.servers().iter().filter(|server| server.share.backup) {
                self.end_sessions_of(&backup.load, CloseReason::ServerUp);
            }
        }
    }

    fn end_sessions_of(&self, load: &Arc<Load>, reason: CloseReason) {
        self.tell(|| Command::EndSessions(Arc::clone(load), reason));
    }
}

/// A server that is taken out is not checked. One that tracks another has no checks of its own.
fn pause_checks(changed: &[Changed], checker: &Checker) {
    let Some(Changed { server, now, .. }) = changed.first() else {
        return;
    };
    if let (Some(witness), None) = (&server.witness, &server.tracked) {
        checker.pause(&witness.health, now.effective() == Admin::Maintenance);
    }
}
