//! The health of a server as it is shared: written by the checker's thread, read by workers and by whoever asks. What a
//! result means is decided in `core::health`.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::checker::Reporter;
use crate::core::health::CheckReport;
use crate::plan::ObservePlan;

/// Of one server that is checked, and of those that track it. Outlives plans.
#[derive(Debug, Default)]
pub(crate) struct Health {
    is_down: AtomicBool,
    /// Connections of sessions that have failed, one after the other.
    errors: AtomicU32,
    /// Checks that have brought it further down.
    failed_checks: AtomicU64,
    /// How far it is on its side, and what was found last.
    last: Mutex<((u32, u32), Option<CheckReport>)>,
}

impl Health {
    /// Whether the server can be used.
    pub(crate) fn is_up(&self) -> bool {
        !self.is_down.load(Ordering::SeqCst)
    }

    /// Only the checker's thread may call this.
    pub(crate) fn set(&self, is_up: bool, progress: (u32, u32), report: Option<&CheckReport>) {
        self.is_down.store(!is_up, Ordering::SeqCst);
        let mut last = self.last();
        last.0 = progress;
        if let Some(report) = report {
            last.1 = Some(report.clone());
        }
    }

    /// A check has brought it further down. Only the checker's thread may call this.
    pub(crate) fn count_failure(&self) {
        self.failed_checks.fetch_add(1, Ordering::Relaxed);
    }

    /// Nothing speaks against the server any more.
    pub(crate) fn forgive(&self) {
        self.errors.store(0, Ordering::Relaxed);
    }

    fn last(&self) -> MutexGuard<'_, ((u32, u32), Option<CheckReport>)> {
        // Whoever panicked in there has left whole values.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A server's health as its sessions see it, and may change it.
#[derive(Debug)]
pub(crate) struct Witness {
    pub(crate) health: Arc<Health>,
    observe: Option<(ObservePlan, Reporter)>,
}

impl Witness {
    pub(crate) fn new(health: Arc<Health>, observe: Option<(ObservePlan, Reporter)>) -> Self {
        Self { health, observe }
    }

    /// A session's connection was established.
    pub(crate) fn on_connected(&self) {
        if self.observe.is_some() && self.health.errors.load(Ordering::Relaxed) != 0 {
            self.health.forgive();
        }
    }

    /// A session's connection has failed.
    pub(crate) fn on_failed(&self) {
        let Some((observe, reporter)) = &self.observe else {
            return;
        };
        let errors = self.health.errors.fetch_add(1, Ordering::Relaxed) + 1;
        // Whoever makes it that many tells; those who come before it is reset add to the next time.
        if errors == observe.error_limit.get() {
            self.health.forgive();
            reporter.error_limit_reached(&self.health, errors);
        }
    }
}

/// Whether a server can be used, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthStatus {
    /// Whether it gets sessions.
    pub is_up: bool,
    /// How far it is on its side: of a server that is up, how many failures are left out of so many; of one that is down,
    /// how many of the checks have passed that it takes.
    pub progress: (u32, u32),
    /// The last result; none before the first one.
    pub last: Option<CheckReport>,
    /// Checks that have brought it further down.
    pub failed_checks: u64,
}

impl HealthStatus {
    pub(crate) fn of(health: &Health) -> Self {
        let last = health.last();
        Self {
            is_up: health.is_up(),
            progress: last.0,
            last: last.1.clone(),
            failed_checks: health.failed_checks.load(Ordering::Relaxed),
        }
    }
}
