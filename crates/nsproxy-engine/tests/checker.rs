//! Health checks that cannot be made, for reasons that are not the server's: somebody hears of it, and servers stay as they
//! are.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use std::{io, thread};

use common::checks::{checked_by, connect, often};
use common::{Relay, plan, settings};
use nsproxy_engine::{
    CheckPlan, InProcess, OpenAnswer, OpenError, OpenToken, OpenerFactory, Operation, Plan, Script,
    SocketOpener, SocketRequest,
};
use nsproxy_testkit::{DEFAULT_DEADLINE, Listener, Service, eventually};

/// What becomes of the sockets of checks.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// There is no descriptor for them.
    Want,
    /// Whoever is asked panics.
    Panic,
}

/// An opener that fails where checks are made, and nowhere else.
struct Faulty {
    fault: Fault,
    asked: Arc<AtomicUsize>,
}

struct FaultyOpener {
    fault: Fault,
    asked: Arc<AtomicUsize>,
    queue: Vec<OpenAnswer>,
}

impl OpenerFactory for Faulty {
    fn opener(&self, stock: usize) -> io::Result<Box<dyn SocketOpener>> {
        if thread::current().name() != Some("nsproxy-checks") {
            return InProcess.opener(stock);
        }
        Ok(Box::new(FaultyOpener {
            fault: self.fault,
            asked: Arc::clone(&self.asked),
            queue: Vec::new(),
        }))
    }
}

impl SocketOpener for FaultyOpener {
    fn request(&mut self, token: OpenToken, request: SocketRequest) {
        self.asked.fetch_add(1, Ordering::SeqCst);
        match self.fault {
            Fault::Want => self.queue.push(OpenAnswer {
                token,
                result: Err(OpenError {
                    operation: Operation::CreateSocket,
                    netns: request.netns,
                    source: io::Error::from_raw_os_error(libc::EMFILE),
                }),
            }),
            Fault::Panic => panic!("asked for a panic"),
        }
    }

    fn answers(&mut self, answers: &mut Vec<OpenAnswer>) {
        answers.append(&mut self.queue);
    }

    fn stock(&self) -> usize {
        0
    }

    fn release_unused(&mut self) {}
}

fn plan_with_a_check(service: &Service) -> Plan {
    let mut plan = plan(service.address());
    let script = Script::connect(connect(service.address().inet()));
    plan.pools[0].servers[0].health = checked_by(CheckPlan {
        reports: true,
        ..CheckPlan::new(script, often())
    });
    plan
}

fn told(relay: &Relay, word: &str) -> usize {
    let notices = relay.record.notices();
    notices.iter().filter(|notice| notice.starts_with(word)).count()
}

#[test]
fn a_check_without_a_descriptor_is_told_once_in_a_while_and_says_nothing_of_the_server() {
    let service = Service::reply(Listener::bind("127.0.0.1:0"), "x");
    let asked = Arc::<AtomicUsize>::default();
    let faulty = Faulty {
        fault: Fault::Want,
        asked: Arc::clone(&asked),
    };
    let begun = Instant::now();
    let relay = Relay::start_with(&settings(1), Arc::new(faulty), &plan_with_a_check(&service));
    eventually(DEFAULT_DEADLINE, "checks", || {
        (asked.load(Ordering::SeqCst) >= 20).then_some(())
    });
    let told = told(&relay, "CheckPrevented");
    let most = begun.elapsed().as_secs() + 1;
    assert!(told >= 1 && told as u64 <= most, "{told} in {most} seconds");
    let notice = relay.record.notices().remove(0);
    assert!(
        notice.contains("server: \"s\"") && notice.contains("code: 24"),
        "{notice}"
    );
    relay.connect().expect("x");
}

#[test]
fn the_end_of_all_checks_is_told_and_servers_stay_as_they_are() {
    let service = Service::reply(Listener::bind("127.0.0.1:0"), "x");
    let faulty = Faulty {
        fault: Fault::Panic,
        asked: Arc::default(),
    };
    let relay = Relay::start_with(&settings(1), Arc::new(faulty), &plan_with_a_check(&service));
    eventually(DEFAULT_DEADLINE, "the end to be told", || {
        (told(&relay, "ChecksEnded") == 1).then_some(())
    });
    relay.connect().expect("x");
    // Nor does anybody wait for a thread that has gone.
    let begun = Instant::now();
    relay.handle.stop();
    relay.engine.wait().unwrap();
    assert!(begun.elapsed() < DEFAULT_DEADLINE);
}
