//! Whoever operates nsproxy, and does so all the time: reloads, and upgrades where those are wanted.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::proxy::Proxy;
use crate::run::Figures;

/// Between two of them.
const PAUSE: Duration = Duration::from_millis(300);

/// One of so many is an upgrade, and one a reload of a configuration that is no good.
const CYCLE: usize = 5;

/// Does the next thing. `round` counts from 0 on.
pub(crate) fn next(proxy: &mut Proxy<'_>, round: usize, with_upgrades: bool, figures: &Figures) {
    proxy.pass(PAUSE);
    match round % CYCLE {
        3 => {
            proxy.reload_a_bad_one();
            figures.refused.fetch_add(1, Ordering::Relaxed);
        }
        4 if with_upgrades => {
            proxy.upgrade(round);
            figures.upgrades.fetch_add(1, Ordering::Relaxed);
        }
        _ => {
            proxy.reload(round);
            figures.reloads.fetch_add(1, Ordering::Relaxed);
        }
    }
}
