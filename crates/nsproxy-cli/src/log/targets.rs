//! The targets of `log` lines: each is started once, however many frontends have it, and lives on while a configuration or a
//! session has it.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use anyhow::Context as _;
use nsproxy_config::model::LogTarget;
use nsproxy_log::{Address, Framing, Identity, Settings, Target};

use super::LAST_WORDS;

/// Every target that was started and is still in use.
#[derive(Debug, Default)]
pub(crate) struct Targets {
    started: Vec<Started>,
    /// Counts the lines that they have not got.
    losses: Arc<AtomicU64>,
}

/// A target, and what it was started for.
#[derive(Debug)]
struct Started {
    line: LogTarget,
    tag: String,
    host: Option<String>,
    target: Arc<Target>,
}

impl Targets {
    /// None yet. What they have not got is counted there.
    pub(crate) fn new(losses: Arc<AtomicU64>) -> Self {
        Self {
            started: Vec::new(),
            losses,
        }
    }

    /// The target of a `log` line, with the name of the program and of the host in its messages.
    ///
    /// # Errors
    ///
    /// There is none yet, and it cannot be started.
    pub(super) fn get(
        &mut self,
        line: &LogTarget,
        tag: &str,
        host: Option<&str>,
    ) -> anyhow::Result<Arc<Target>> {
        let is_it =
            |known: &&Started| known.line == *line && known.tag == tag && known.host.as_deref() == host;
        if let Some(known) = self.started.iter().find(is_it) {
            return Ok(Arc::clone(&known.target));
        }
        let target = Arc::new(self.start(line, tag, host)?);
        self.started.push(Started {
            line: line.clone(),
            tag: tag.to_owned(),
            host: host.map(str::to_owned),
            target: Arc::clone(&target),
        });
        Ok(target)
    }

    /// Those of all these lines.
    pub(super) fn all(
        &mut self,
        lines: &[LogTarget],
        tag: &str,
        host: Option<&str>,
    ) -> anyhow::Result<Vec<Arc<Target>>> {
        lines.iter().map(|line| self.get(line, tag, host)).collect()
    }

    /// Lets go of targets that no configuration and no session has any more. What they have been given is still written.
    pub(crate) fn release_unused(&mut self) {
        self.started
            .retain(|started| Arc::strong_count(&started.target) > 1);
    }

    /// Waits a moment for what is left.
    pub(crate) fn finish(self) {
        for started in self.started {
            started.target.finish(LAST_WORDS);
        }
    }

    fn start(&self, line: &LogTarget, tag: &str, host: Option<&str>) -> anyhow::Result<Target> {
        let usual = if host.is_some() {
            Framing::Rfc3164
        } else {
            Framing::Local
        };
        let settings = Settings {
            address: line.address.clone(),
            framing: line.framing.unwrap_or(usual),
            max_len: line.max_len,
            facility: line.facility,
            level: line.level,
            min_level: line.min_level,
            identity: Identity {
                host: host.map(str::to_owned),
                ..Identity::new(tag)
            },
            losses: Arc::clone(&self.losses),
        };
        if let Address::Unix(path) = &line.address
            && !path.exists()
        {
            super::complain(&format!(
                "nsproxy: warning: `log {line}`: {} is not there; it is looked for with each line",
                path.display()
            ));
        }
        Target::start(settings).with_context(|| format!("cannot start `log {line}`"))
    }
}
