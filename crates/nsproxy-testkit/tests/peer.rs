//! Peers and services: what is expected passes, and what comes instead is named.

use std::io::ErrorKind;
use std::panic::{self, AssertUnwindSafe};
use std::thread;
use std::time::Duration;

use nsproxy_testkit::{Listener, Peer, Rng, Service, Tally, pattern};

const LOOPBACK: &str = "127.0.0.1:0";

fn pair() -> (Peer, Peer) {
    let listener = Listener::bind(LOOPBACK);
    let peer = Peer::connect(listener.address());
    (peer, listener.accept())
}

fn panic_message<T>(body: impl FnOnce() -> T) -> String {
    let Err(payload) = panic::catch_unwind(AssertUnwindSafe(body)) else {
        panic!("the body was to panic");
    };
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast_ref::<&str>().expect("a message")).to_owned(),
    }
}

#[test]
fn two_listeners_on_port_zero_have_ports_of_their_own() {
    let (one, other) = (Listener::bind(LOOPBACK), Listener::bind(LOOPBACK));
    assert_ne!(one.address().port(), other.address().port());
}

#[test]
fn both_ends_know_both_addresses() {
    let (peer, accepted) = pair();
    assert_eq!(peer.local_addr(), accepted.peer_addr());
    assert_eq!(peer.peer_addr(), accepted.local_addr());
}

#[test]
fn chunks_arrive_as_one_stream() {
    let (peer, accepted) = pair();
    let mut rng = Rng::from_env();
    let bytes = pattern(rng.next_u64(), 50_000);
    thread::scope(|scope| {
        scope.spawn(|| peer.send_in_chunks(&bytes, 999, &mut rng));
        accepted.expect(&bytes);
    });
}

#[test]
fn a_half_closed_end_still_receives() {
    let (peer, accepted) = pair();
    peer.half_close();
    accepted.expect_eof();
    accepted.send("still here");
    accepted.half_close();
    assert_eq!(peer.read_to_end(100), b"still here");
}

#[test]
fn a_reset_is_no_end_of_stream() {
    let (peer, accepted) = pair();
    peer.reset();
    accepted.expect_reset();

    let (peer, accepted) = pair();
    peer.close();
    let message = panic_message(|| accepted.expect_reset());
    assert_eq!(message, "expected a reset, the end of the stream came");
}

#[test]
fn other_bytes_are_named_with_their_offset() {
    let (peer, accepted) = pair();
    peer.send("PROXY v3");
    let message = panic_message(|| accepted.expect("PROXY v1"));
    assert_eq!(message, "expected b\"1\", other bytes came from offset 7: b\"3\"");
}

#[test]
fn an_early_end_is_named_with_what_came_before_it() {
    let (peer, accepted) = pair();
    peer.send("PRO");
    peer.half_close();
    let message = panic_message(|| accepted.expect("PROXY"));
    assert_eq!(
        message,
        "expected b\"PROXY\", the end of the stream came after 3 bytes: b\"PRO\""
    );
}

#[test]
fn silence_ends_at_the_deadline() {
    let (peer, accepted) = pair();
    accepted.expect_silence(Duration::from_millis(20));
    let accepted = accepted.with_deadline(Duration::from_millis(20));
    let error = accepted.try_receive(&mut [0; 1]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    drop(peer);
}

#[test]
fn more_than_the_limit_is_refused() {
    let (peer, accepted) = pair();
    peer.send("12345");
    peer.half_close();
    assert!(panic_message(|| accepted.read_to_end(4)).contains("at most 4 bytes"));
}

#[test]
fn a_refused_connection_is_an_error_that_can_be_looked_at() {
    let listener = Listener::bind(LOOPBACK);
    let address = listener.address().clone();
    drop(listener);
    assert_eq!(
        Peer::try_connect(&address).unwrap_err().kind(),
        ErrorKind::ConnectionRefused
    );
}

#[test]
fn large_transfers_are_summed_up_at_both_ends() {
    const LENGTH: u64 = 8 << 20;
    let sink = Service::sink(Listener::bind(LOOPBACK));
    let peer = Peer::connect(sink.address());
    let sent = peer.send_pattern(3, LENGTH);
    peer.half_close();
    peer.expect_eof();
    assert_eq!(sink.tallies(), [sent]);

    let source = Service::source(Listener::bind(LOOPBACK), 3, LENGTH);
    let received: Tally = Peer::connect(source.address()).tally_to_end();
    assert_eq!(received, sent);
}

#[test]
fn an_echo_returns_every_byte_to_each_of_several_peers() {
    let echo = Service::echo(Listener::bind(LOOPBACK));
    thread::scope(|scope| {
        for seed in 0..4 {
            let echo = &echo;
            scope.spawn(move || {
                let peer = Peer::connect(echo.address());
                peer.send(pattern(seed, 20_000));
                peer.half_close();
                assert_eq!(peer.read_to_end(20_000), pattern(seed, 20_000));
            });
        }
    });
}

#[test]
fn a_service_that_fails_fails_its_test() {
    let service = Service::start(Listener::bind(LOOPBACK), |peer| peer.expect("hello"));
    Peer::connect(service.address()).send("other");
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| drop(service)));
    assert!(outcome.is_err());
}
