//! A new process in the place of this one: it is started, takes over the listeners, and this one drains. When it does not come
//! about, this one goes on.

use std::time::Duration;

use anyhow::ensure;
use nsproxy_log::Level as Severity;

use super::{Ending, Event, Server};
use crate::admin::{self, Taken};
use crate::daemon::PidFile;
use crate::upgrade::{Predecessor, Succession, Successor};

/// How long the new process may take to relay: a little longer than it may wait for the addresses of hosts.
const PATIENCE: Duration = Duration::from_secs(90);

impl Server {
    pub(super) fn upgrade(&mut self) {
        match self.try_upgrade() {
            Ok(successor) => {
                self.successor = Some(successor);
                self.say(Severity::Notice, format_args!("upgrade-started"));
            }
            Err(error) => self.say_failed(&error),
        }
    }

    fn try_upgrade(&self) -> anyhow::Result<Successor> {
        ensure!(!self.ending.has_begun(), "nsproxy is about to end");
        ensure!(self.successor.is_none(), "an upgrade is under way");
        ensure!(
            self.config.global.chroot.is_none(),
            "behind `chroot` there is no program to be started: it takes a new start"
        );
        let told = self.told.clone();
        Successor::start(
            &self.invocation,
            self.engine.clone(),
            PATIENCE,
            move |succession| {
                // Without a receiver the process is about to end.
                let _ = told.send(Event::Upgraded(succession));
            },
        )
    }

    /// This process relays, in the place of another one, which learns of it.
    pub(crate) fn take_over(&mut self, predecessor: Predecessor) -> Option<PidFile> {
        let opened = admin::open(&self.config.global.admin.sockets, Taken::Replaced);
        if let Err(error) = opened.and_then(|opened| self.admin.listen(opened)) {
            self.say(
                Severity::Warning,
                format_args!("admin-failed error=\"{error:#}\""),
            );
        }
        let path = self.config.global.pidfile.as_deref();
        let pid_file = path.and_then(|path| match PidFile::write(path) {
            Ok(file) => Some(file),
            Err(error) => {
                let path = path.display();
                self.say(
                    Severity::Warning,
                    format_args!("pidfile-failed path={path} error=\"{error}\""),
                );
                None
            }
        });
        let told = self.told.clone();
        let tell = move || {
            // Without a receiver the process is about to end.
            let _ = told.send(Event::Relieved);
        };
        if let Err(error) = predecessor.relieve(self.engine.clone(), tell) {
            self.say(
                Severity::Warning,
                format_args!("upgrade-unwatched error=\"{error}\""),
            );
            self.tell_relaying();
        }
        pid_file
    }

    /// The new process has taken over, or has not.
    pub(super) fn on_upgraded(&mut self, succession: Succession) {
        // Whoever was told to stop meanwhile does not want to hear of it.
        if self.successor.take().is_none() {
            return;
        }
        match succession {
            Succession::Failed(error) => self.say_failed(&error),
            Succession::Done { pid, telling } => {
                self.say(Severity::Notice, format_args!("upgraded pid={pid}"));
                self.notifier.hand_over(pid);
                self.admin.leave();
                self.drain(Ending::retire);
                // The workers were told; the new process learns when they have heard.
                drop(telling);
            }
        }
    }

    /// There will be no new process.
    pub(super) fn abandon_upgrade(&mut self) {
        if let Some(successor) = self.successor.take() {
            successor.abandon();
            self.say_failed(&anyhow::anyhow!("nsproxy was told to end"));
        }
    }

    fn say_failed(&self, error: &anyhow::Error) {
        self.notifier.status(format_args!(
            "relaying as before, the upgrade has failed: {error:#}"
        ));
        self.say(
            Severity::Err,
            format_args!("upgrade-failed error=\"{error:#}\" action=\"this process goes on\""),
        );
    }
}
