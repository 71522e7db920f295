//! Clients who stay through reloads and upgrades, and are served to the end.

use std::time::Duration;

use nsproxy_testkit::{Peer, Rng};

use crate::proxy::STAYING;

/// How many.
const CLIENTS: usize = 20;
/// A server's patience is shorter than this: nobody may be silent for so long.
const PAUSE: Duration = Duration::from_millis(100);

/// Clients of an echo.
pub(crate) struct Staying(Vec<Peer>);

impl Staying {
    pub(crate) fn begin() -> Self {
        Self((0..CLIENTS).map(|_| Peer::connect(STAYING)).collect())
    }

    /// Each of them says something, and hears it.
    pub(crate) fn round(&self, rng: &mut Rng) {
        for peer in &self.0 {
            let mut word = vec![0; rng.between(1, 1000)];
            rng.fill(&mut word);
            peer.send(&word);
            peer.expect(&word);
        }
        // Nothing comes that was not asked for.
        self.0[0].expect_silence(PAUSE);
    }

    /// They leave one after the other.
    pub(crate) fn end(self) {
        for peer in self.0 {
            peer.half_close();
            peer.expect_eof();
        }
    }
}
