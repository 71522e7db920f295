//! Clients who leave in the middle, in every way that there is, and those who say nonsense.

use std::time::Duration;

use nsproxy_testkit::{Netns, Peer, Rng};

use crate::churn::header;
use crate::exchange::{Order, begin};
use crate::proxy::{FAR, HEADERS, INSIDE, NEAR};

/// How long a client waits for what may never come.
const MOMENT: Duration = Duration::from_millis(20);

/// One of them.
pub(crate) fn one(far: &Netns, rng: &mut Rng) {
    let peer = match rng.between(0, 2) {
        0 => Peer::connect(NEAR),
        1 => Peer::connect(FAR),
        _ => far.connect(INSIDE),
    };
    let large = Order::new(rng, 8 << 20, 8 << 20);
    match rng.between(0, 6) {
        // At once.
        0 => peer.reset(),
        1 => peer.close(),
        // While both send.
        2 => {
            peer.send(large.encode());
            peer.read_exact(rng.between(1, 1 << 20));
            peer.reset();
        }
        3 => {
            peer.send(large.encode());
            // The server takes it or not; there may be nobody to take it any more.
            let _ = peer.try_send(vec![0; rng.between(1, 1 << 20)]);
            peer.close();
        }
        // While the server waits.
        4 => {
            begin(&peer, &Order::new(rng, 1, 100));
            if rng.one_in(2) {
                peer.half_close();
            } else {
                peer.reset();
            }
        }
        // Before a header is complete, or with one that is none.
        5 => {
            let peer = Peer::connect(HEADERS);
            let header = header("far");
            peer.send(&header[..rng.between(1, header.len() - 1)]);
            peer.reset();
        }
        _ => {
            let peer = Peer::connect(HEADERS);
            let mut noise = vec![0; rng.between(16, 4096)];
            rng.fill(&mut noise);
            // It may be reset before all of it is sent.
            let _ = peer.try_send(noise);
            let _ = peer.with_deadline(MOMENT).try_receive(&mut [0; 16]);
        }
    }
}
