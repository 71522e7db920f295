//! Namespaces that come and go. While one is there, no connection to it fails, and its own server answers; when it has gone,
//! it dies, whatever was under way in it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::net::if_::if_nametoindex;
use nsproxy_testkit::{Netns, Peer, Rng, World, eventually};

use crate::exchange::{Order, begin, exchange, serve};
use crate::proxy::{HEADERS, NETNS_REMOVED, PATIENCE, SERVER, TENANTS};
use crate::run::Figures;

/// One name after the other, and some of them again and again.
const NAMES: u64 = 4;

/// Whoever makes namespaces and removes them.
pub(crate) struct Churn<'a> {
    w: &'a World,
    rng: Rng,
    /// Which of several this is.
    number: u64,
    round: u64,
    figures: &'a Figures,
    /// The link to the namespace before, which ends with that one.
    before: Option<String>,
}

/// The slowest listener, in microseconds after its namespace was there.
#[derive(Debug, Default)]
pub(crate) struct Slowest(AtomicU64);

impl Slowest {
    pub(crate) fn get(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }

    fn at_least(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.0.fetch_max(micros, Ordering::Relaxed);
    }
}

impl<'a> Churn<'a> {
    pub(crate) fn new(w: &'a World, number: u64, rng: Rng, figures: &'a Figures) -> Self {
        Self {
            w,
            rng,
            number,
            round: 0,
            figures,
            before: None,
        }
    }

    /// One namespace from its beginning to its end.
    pub(crate) fn round(&mut self) {
        self.round += 1;
        let name = format!("tenant-{}-{}", self.number, self.rng.next_u64() % NAMES);
        let who = format!("{name} of round {}", self.round);
        let link = format!("v{}x{}", self.number, self.round);
        let tenant = self.w.add_netns(&name);
        let since = Instant::now();
        let service = serve(tenant.listen(SERVER), who.clone());
        eventually(PATIENCE, &format!("a listener in netns {name}"), || {
            // One that has connected is a client who leaves.
            tenant.run(|| Peer::try_connect(TENANTS)).ok().map(Peer::reset)
        });
        self.figures.slowest.at_least(since.elapsed());
        // It dies with the namespace, and nothing else ends it.
        self.w
            .home()
            .ip(&format!("link add {link} type veth peer name up netns {name}"));
        for _ in 0..self.rng.between(1, 4) {
            let order = Order::any(&mut self.rng);
            let peer = if self.rng.one_in(2) {
                tenant.connect(TENANTS)
            } else {
                let peer = Peer::connect(HEADERS);
                peer.send(header(&name));
                peer
            };
            exchange(&peer, &order, &who);
            self.figures.exchanged(&order);
        }
        let open = self.rng.one_in(2).then(|| self.begin_one(&tenant));
        self.w.remove_netns(&name);
        self.figures.namespaces.fetch_add(1, Ordering::Relaxed);
        if let Some(open) = open {
            // Of the end that is in the removed namespace; how it is told depends on which bytes were under way.
            let since = Instant::now();
            let _ = open.try_receive(&mut [0; 16]);
            let ended = since.elapsed();
            assert!(
                ended < NETNS_REMOVED + PATIENCE / 2,
                "a session went on for {ended:?} in the removed netns {name}"
            );
        }
        drop((service, tenant));
        self.await_death();
        self.before = Some(link);
    }

    /// Waits until the namespace before is dead, too: one that is pinned keeps its link.
    pub(crate) fn await_death(&mut self) {
        if let Some(link) = self.before.take() {
            eventually(
                PATIENCE,
                &format!("the end of a removed namespace, by its link {link}"),
                || if_nametoindex(&*link).is_err().then_some(()),
            );
        }
    }

    /// A session in the namespace that is under way.
    fn begin_one(&mut self, tenant: &Netns) -> Peer {
        let order = Order::new(&mut self.rng, 1, 4 << 10);
        let peer = tenant.connect(TENANTS).with_deadline(PATIENCE);
        begin(&peer, &order);
        peer
    }
}

/// A PROXY header that says that its client is in a namespace.
pub(crate) fn header(netns: &str) -> Vec<u8> {
    let source = ([192, 0, 2, 1], 4711).into();
    let destination = ([192, 0, 2, 2], 80).into();
    let transport = proxy_proto::Transport::Stream;
    let addresses = proxy_proto::Addresses::from_socket_addrs(transport, source, destination)
        .expect("both of one family");
    let header = proxy_proto::v2::to_vec(proxy_proto::Command::Proxy(addresses), |header| {
        header.netns(netns.as_bytes());
    });
    header.expect("a header of a few bytes")
}
