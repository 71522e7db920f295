//! A relay of the demo: what `nsproxy run` does with a file, done with a text.

use std::sync::Arc;
use std::time::Duration;

use nsproxy_config::Source;
use nsproxy_engine::{Engine, InProcess, Notice, Observer, SessionSummary, Settings};

use crate::log::{Level, Log, Writer};
use crate::plan;

/// Sessions of the demo end at once; a drain that takes longer has failed.
const DRAIN: Duration = Duration::from_secs(5);

pub(super) struct Relay {
    engine: Engine,
    writer: Writer,
}

/// A log without what the demo says itself, once for all its relays: that a namespace has come or gone.
struct WithoutNamespaces(Log);

impl Observer for WithoutNamespaces {
    fn session_ended(&self, summary: &SessionSummary<'_>) {
        self.0.session_ended(summary);
    }

    fn notice(&self, notice: &Notice<'_>) {
        if !matches!(notice, Notice::NetnsReady { .. } | Notice::NetnsRemoved { .. }) {
            self.0.notice(notice);
        }
    }
}

impl Relay {
    pub(super) fn start(name: &str, configuration: &str) -> anyhow::Result<Self> {
        let source = Source::new(name, configuration);
        let loaded = nsproxy_config::parse(vec![source], &|_| None)?;
        let (log, writer) = Log::start(Level::Failures)?;
        let observer = Arc::new(WithoutNamespaces(log));
        let engine = Engine::start(&Settings::default(), Arc::new(InProcess), observer)?;
        engine.handle().apply(&plan::plan(&loaded.config))?;
        Ok(Self { engine, writer })
    }

    /// Drains the relay, and says how many sessions it had. A failed one is an error.
    pub(super) fn end(self) -> anyhow::Result<u64> {
        let Self { engine, writer } = self;
        engine.handle().drain(DRAIN);
        let stats = engine.wait()?;
        writer.finish("");
        anyhow::ensure!(stats.failed == 0, "{} sessions have failed", stats.failed);
        Ok(stats.accepted)
    }
}
