//! From one configuration to the next, without a connection lost: the new one is checked whole before anything of it takes
//! effect.

use anyhow::ensure;
use nsproxy_engine::ListenerStatus;
use nsproxy_log::Level as Severity;

use super::{Server, fixed};
use crate::command::check;
use crate::identity::Identity;
use crate::limits;

impl Server {
    /// Reads the configuration again, and says what has come of it.
    pub(super) fn reload(&mut self) {
        self.notifier.reloading();
        match self.try_reload() {
            Ok(changes) => {
                self.say(
                    Severity::Notice,
                    format_args!(
                        "reloaded listeners={} opened={} closed={} pending={}",
                        changes.listeners, changes.opened, changes.closed, changes.pending
                    ),
                );
                self.tell_relaying();
            }
            Err(error) => {
                self.say(
                    Severity::Err,
                    format_args!(
                        "reload-refused error=\"{error:#}\" action=\"the configuration stays as it is\""
                    ),
                );
                // For the manager, a reload has come to its end in either way; whoever looks sees how.
                let status = format_args!("relaying as before, the reload was refused: {error:#}");
                self.notifier.ready(status);
            }
        }
        self.targets.release_unused();
    }

    /// Has as many workers accept as the configuration says.
    fn set_workers(&self) {
        let wanted = limits::workers(&self.config.global);
        if let Some(Err(error)) = wanted.map(|wanted| self.engine.set_workers(wanted)) {
            let error = anyhow::Error::new(error);
            self.say(
                Severity::Warning,
                format_args!(
                    "reload-incomplete keyword=nbthread error=\"{error:#}\" action=\"as many workers as before\""
                ),
            );
        }
    }

    fn try_reload(&mut self) -> anyhow::Result<Changes> {
        ensure!(!self.ending.has_begun(), "nsproxy is about to end");
        // The new process has read the configuration already, or is about to.
        ensure!(self.successor.is_none(), "an upgrade is under way");
        let (config, plan) = check::planned(&self.files)?;
        let without_effect = fixed::compare(&self.config.global, &config.global)?;
        Identity::check_kept(&config.global, &plan)?;
        // Some may have come with their namespaces, or gone with them.
        let before = self.engine.stats().listeners;
        let listeners = self.bring(config, plan)?;
        self.set_workers();
        for keyword in without_effect {
            self.say(
                Severity::Warning,
                format_args!("reload-incomplete keyword={keyword} action=\"it takes a new start\""),
            );
        }
        for listener in listeners.iter().filter(|listener| !listener.kept) {
            self.say(Severity::Info, format_args!("{}", crate::log::Listens(listener)));
        }
        let count = |which: fn(&ListenerStatus) -> bool| listeners.iter().filter(|it| which(it)).count();
        let kept = count(|listener| listener.kept);
        Ok(Changes {
            listeners: count(|listener| !listener.pending),
            opened: count(|listener| !listener.kept && !listener.pending),
            closed: before.saturating_sub(kept as u64),
            pending: count(|listener| listener.pending),
        })
    }
}

/// What a reload has done to listeners.
struct Changes {
    /// Open ones.
    listeners: usize,
    opened: usize,
    closed: u64,
    /// Those that wait for their namespaces.
    pending: usize,
}
