//! What an observer can ask of a session, while it goes on and when it has ended.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod common;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use common::{LOOPBACK, plan, settings};
use nsproxy_engine::{Endpoint, Engine, InProcess, Observer, SessionFacts, SessionSummary};
use nsproxy_testkit::{DEFAULT_DEADLINE, Listener, Peer, eventually};

/// What was asked, and when.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    stage: &'static str,
    server: Option<String>,
    destination: Option<SocketAddr>,
    source: Option<SocketAddr>,
    connected: bool,
    /// Of the engine, the relay, the pool and the server.
    sessions: [usize; 4],
    accepted: SystemTime,
}

#[derive(Debug, Default)]
struct Curious(Mutex<Vec<Seen>>);

impl Curious {
    fn note(&self, stage: &'static str, facts: &SessionFacts<'_>) {
        self.0.lock().unwrap().push(Seen {
            stage,
            server: facts.server().map(str::to_owned),
            destination: facts.destination(),
            source: facts.source(),
            connected: facts.connect().is_some(),
            sessions: [
                facts.sessions(),
                facts.relay_sessions(),
                facts.pool_sessions(),
                facts.server_sessions(),
            ],
            accepted: facts.accepted(),
        });
    }

    fn wait(&self, count: usize) -> Vec<Seen> {
        eventually(DEFAULT_DEADLINE, "what the observer is told", || {
            let seen = self.0.lock().unwrap();
            (seen.len() >= count).then(|| seen.clone())
        })
    }
}

impl Observer for Curious {
    fn session_began(&self, facts: &SessionFacts<'_>) {
        self.note("began", facts);
    }

    fn session_connected(&self, facts: &SessionFacts<'_>) {
        self.note("connected", facts);
    }

    fn session_ended(&self, summary: &SessionSummary<'_>) {
        self.note("ended", &summary.facts);
    }
}

#[test]
fn each_stage_of_a_session_is_told_with_the_counts_of_that_moment() {
    let target = Listener::bind(LOOPBACK);
    let curious = Arc::<Curious>::default();
    let observer = Arc::clone(&curious) as Arc<dyn Observer>;
    let engine = Engine::start(&settings(1), Arc::new(InProcess), observer).unwrap();
    let mut plan = plan(target.address());
    plan.relays[0].followed = true;
    let status = engine.handle().apply(&plan).unwrap();
    let Endpoint::Ip(address) = status[0].address else {
        panic!("an IP listener");
    };
    let before = SystemTime::now();
    let client = Peer::connect(address);
    let accepted = target.accept();
    let during = curious.wait(2);
    accepted.close();
    client.expect_eof();
    client.close();
    let seen = curious.wait(3);

    let stages: Vec<_> = seen.iter().map(|seen| (seen.stage, seen.connected)).collect();
    assert_eq!(stages, [("began", false), ("connected", true), ("ended", true)]);
    assert_eq!(seen[0].server, None);
    assert_eq!(seen[0].sessions, [1, 1, 0, 0]);
    assert_eq!(seen[1].sessions, [1, 1, 1, 1]);
    assert_eq!(seen[2].sessions, [1, 1, 0, 0], "without the one that has ended");
    assert!(seen.iter().all(|seen| seen.destination == Some(address)));
    assert_eq!(during[1].source, seen[2].source);
    assert!(seen[2].source.is_some());
    let after = SystemTime::now();
    // A moment is a whole millisecond, and the clock of a worker is read once a round.
    let slack = std::time::Duration::from_millis(50);
    assert!(seen[2].accepted + slack >= before && seen[2].accepted <= after);
}
