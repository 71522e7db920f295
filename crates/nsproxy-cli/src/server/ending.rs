//! How a process comes to its end: it drains first, and is then in more and more of a hurry.

use std::time::Duration;

use nsproxy_engine::Handle;

/// How long sessions may take to finish behind SIGTERM and SIGINT, unless `hard-stop-after` says otherwise.
const PATIENCE: Duration = Duration::from_secs(30);

/// How far the end has come.
#[derive(Debug)]
pub(crate) struct Ending {
    engine: Handle,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// No end is in sight.
    Running,
    /// Sessions finish in their own time, which may be limited.
    Retiring,
    /// They have to hurry.
    Stopping,
}

/// What sessions are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Given {
    /// This long.
    Time(Duration),
    /// As long as they need.
    AllTime,
    /// Nothing.
    Nothing,
}

impl Ending {
    pub(crate) fn new(engine: Handle) -> Self {
        Self {
            engine,
            stage: Stage::Running,
        }
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.stage > Stage::Running
    }

    /// No session begins any more, and those that there are may finish, within the limit if there is one.
    pub(crate) fn retire(&mut self, limit: Option<Duration>) -> Given {
        self.stage = self.stage.max(Stage::Retiring);
        self.engine.drain(limit.unwrap_or(Duration::MAX));
        limit.map_or(Given::AllTime, Given::Time)
    }

    /// The same in a limited time; when it was said before, at once.
    pub(crate) fn stop(&mut self, limit: Option<Duration>) -> Given {
        if self.stage == Stage::Stopping {
            self.engine.stop();
            return Given::Nothing;
        }
        self.stage = Stage::Stopping;
        let limit = limit.unwrap_or(PATIENCE);
        self.engine.drain(limit);
        Given::Time(limit)
    }
}

impl std::fmt::Display for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Time(time) => write!(f, "{}", humantime::format_duration(*time)),
            Self::AllTime => f.write_str("none"),
            Self::Nothing => f.write_str("0s"),
        }
    }
}
