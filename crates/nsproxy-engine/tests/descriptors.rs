//! When descriptors run out, accepting waits and nothing else does. Alone in its program, since it uses up the descriptors
//! of the whole process.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod common;

use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Relay, listener, server, settings};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::time::{ClockId, clock_gettime};
use nsproxy_engine::{InProcess, Plan, Settings};
use nsproxy_testkit::{DEFAULT_DEADLINE, Listener, Peer, eventually};
use socket2::{Domain, SockAddr, Socket, Type};

/// Enough for an engine with 16 sessions, and for this test.
const LIMIT: u64 = 400;

/// Opens files until no descriptor is left.
fn use_up() -> Vec<File> {
    let mut files = Vec::new();
    loop {
        match File::open("/dev/null") {
            Ok(file) => files.push(file),
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
                return files;
            }
        }
    }
}

/// What this process has used of a CPU; of files, none can be opened here any more.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).unwrap().into()
}

#[test]
fn without_descriptors_accepting_waits_without_spinning_and_sessions_go_on() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, LIMIT.min(hard), hard).unwrap();
    let origin = Listener::bind("127.0.0.1:0");
    let settings = Settings {
        max_sessions: Some(16),
        ..settings(1)
    };
    let plan = Plan::forward(listener(), server(origin.address()), None);
    let relay = Relay::start_with(&settings, Arc::new(InProcess), &plan);
    let running = relay.connect();
    let served = origin.accept();
    // To connect takes no descriptor.
    let late = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();

    let files = use_up();
    let begun = Instant::now();
    late.connect(&SockAddr::from(relay.address())).unwrap();
    let failed = || {
        relay
            .record
            .notices()
            .iter()
            .filter(|text| text.contains("AcceptFailed"))
            .count()
    };
    let used = cpu_time();
    eventually(DEFAULT_DEADLINE, "eleven failed attempts to accept", || {
        (failed() >= 11).then_some(())
    });
    let (took, used) = (begun.elapsed(), cpu_time().checked_sub(used).unwrap());
    assert!(
        took >= Duration::from_secs(1),
        "the attempts are to be 100 ms apart, and eleven took {took:?}"
    );
    // With what it takes to look whether they have failed.
    assert!(used < took / 5, "{used:?} of a CPU in {took:?}");
    running.send("still here");
    served.expect("still here");

    drop(files);
    let late = Peer::new(late);
    late.send("at last");
    origin.accept().expect("at last");
    late.reset();
    running.reset();
    relay.expect_idle();
}
