//! Sixty connections at once that do as they like: random chunks, pauses, half-closes and resets, every byte checked.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod common;

use std::io::ErrorKind;
use std::thread;
use std::time::Duration;

use common::relay_to;
use nsproxy_engine::CloseReason;
use nsproxy_testkit::{Checksum, Listener, Peer, Rng, pattern};

const CONNECTIONS: u64 = 60;
const LARGEST: usize = 3_000_000;
/// The longest that a peer makes.
const PAUSE: Duration = Duration::from_millis(5);

/// How a direction ended for who reads it.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// Everything came, and then the end.
    Whole,
    /// Something came, and then what looks like an end.
    Short,
    Reset,
}

/// Sends in random chunks with pauses, then ends; `true` when all of it was taken.
fn send(peer: &Peer, bytes: &[u8], rng: &mut Rng) -> bool {
    let mut rest = bytes;
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(rng.between(1, rest.len().min(200_000)));
        if peer.try_send(chunk).is_err() {
            return false;
        }
        if rng.one_in(8) {
            rng.pause(PAUSE);
        }
        rest = after;
    }
    true
}

/// Reads to the end with pauses; whatever comes must be a part of `bytes`, from its beginning.
fn receive(peer: &Peer, bytes: &[u8], rng: &mut Rng) -> End {
    let mut buffer = vec![0; 100_000];
    let mut received = 0;
    loop {
        let room = rng.between(1, buffer.len());
        match peer.try_receive(&mut buffer[..room]) {
            Ok(0) => {
                return if received == bytes.len() {
                    End::Whole
                } else {
                    End::Short
                };
            }
            Ok(count) => {
                let expected = Checksum::of(&bytes[received..received + count]);
                assert_eq!(
                    Checksum::of(&buffer[..count]),
                    expected,
                    "other bytes from {received} on"
                );
                received += count;
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return End::Reset,
            Err(error) => panic!("after {received} bytes: {error}"),
        }
        if rng.one_in(16) {
            rng.pause(PAUSE);
        }
    }
}

/// Both directions of one connection; the server may reset it before it has sent all.
fn exchange(client: &Peer, server: Peer, seed: u64) {
    let mut rng = Rng::new(seed);
    let mut stream = || pattern(rng.next_u64(), rng.between(0, LARGEST));
    let (up, down) = (stream(), stream());
    let resets = rng.one_in(3);
    let cut = if resets {
        rng.between(0, down.len())
    } else {
        down.len()
    };
    let mut rngs = [(); 4].map(|()| Rng::new(rng.next_u64()));
    let [client_sends, client_reads, server_sends, server_reads] = &mut rngs;
    let send_up = || {
        let sent = send(client, &up, client_sends);
        // A reset may have come in between.
        let _ = client.socket().shutdown(std::net::Shutdown::Write);
        sent
    };
    let read_down = || receive(client, &down, client_reads);
    if resets {
        thread::scope(|scope| {
            let sent = scope.spawn(send_up);
            let read = scope.spawn(read_down);
            send(&server, &down[..cut], server_sends);
            server.reset();
            // The kernel tells of a reset once: when the writing thread has met it, the reading one sees an end.
            let writer_saw_it = !sent.join().unwrap();
            assert!(
                read.join().unwrap() == End::Reset || writer_saw_it,
                "the reset was seen by nobody"
            );
        });
    } else {
        thread::scope(|scope| {
            let sent = scope.spawn(send_up);
            let read = [
                scope.spawn(read_down),
                scope.spawn(|| receive(&server, &up, server_reads)),
            ];
            assert!(send(&server, &down, server_sends));
            server.half_close();
            assert!(sent.join().unwrap());
            assert!(read.into_iter().all(|read| read.join().unwrap() == End::Whole));
        });
    }
}

#[test]
fn every_byte_arrives_or_the_reset_is_seen() {
    let mut rng = Rng::from_env();
    let origin = Listener::bind("127.0.0.1:0");
    let relay = relay_to(origin.address());
    thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            let client = relay.connect();
            let server = origin.accept();
            let seed = rng.next_u64();
            scope.spawn(move || exchange(&client, server, seed));
        }
    });
    let ends = relay.ends(usize::try_from(CONNECTIONS).unwrap());
    assert!(
        ends.iter()
            .all(|end| matches!(end.reason, CloseReason::Finished | CloseReason::Reset(_))),
        "{ends:?}"
    );
    relay.expect_idle();
}
