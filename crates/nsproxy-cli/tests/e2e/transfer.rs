//! Every byte arrives, in order and before the close, whatever the pieces.

use std::thread;

use nsproxy_testkit::{Checksum, Listener, Netns, Peer, Rng, pattern, world};

use crate::common::{DEFAULTS, SILENCE, exchange, joined, run, session, v2_header};

/// Each way.
const LENGTH: usize = 16 * 1024 * 1024;
/// Larger than what one turn of a relay moves, and smaller than many.
const LARGEST_CHUNK: usize = 150_000;

/// Sends `LENGTH` bytes that follow from `seed` in odd chunks, then the end; returns their sum.
fn send(peer: &Peer, seed: u64) -> Checksum {
    let bytes = pattern(seed, LENGTH);
    peer.send_in_chunks(&bytes, LARGEST_CHUNK, &mut Rng::new(seed));
    peer.half_close();
    Checksum::of(&bytes)
}

#[track_caller]
fn receive(peer: &Peer, expected: Checksum, length: usize) {
    let tally = peer.tally_to_end();
    assert_eq!(tally.bytes, length as u64);
    assert_eq!(
        tally.checksum, expected,
        "{} bytes came, but other ones",
        tally.bytes
    );
}

/// Plays a scene in the namespace of a relay at port 9000 to a server in another one.
fn through_relay(name: &str, scene: impl FnOnce(&Netns, &Listener) + Send) {
    world(name, |w| {
        let (tenant, relay) = joined(w, ("tenant1", "10.0.0.1/24"), ("relay", "10.0.0.2/24"));
        let server = tenant.listen("10.0.0.1:9000");
        let config = format!("{DEFAULTS}listen l\n  bind 127.0.0.1:9000\n  server s 10.0.0.1:9000\n");
        let _running = run(w, &relay, &config);
        scene(&relay, &server);
    });
}

#[test]
fn sixteen_mebibytes_each_way_at_once_arrive_whole() {
    through_relay("transfer-both-ways", |relay, server| {
        let client = relay.connect("127.0.0.1:9000");
        let accepted = server.accept();
        thread::scope(|scope| {
            let up = scope.spawn(|| send(&client, 1));
            let down = scope.spawn(|| send(&accepted, 2));
            let at_server = scope.spawn(|| accepted.tally_to_end());
            let at_client = client.tally_to_end();
            let at_server = at_server.join().unwrap();
            assert_eq!((at_server.bytes, at_client.bytes), (LENGTH as u64, LENGTH as u64));
            assert_eq!(at_server.checksum, up.join().unwrap());
            assert_eq!(at_client.checksum, down.join().unwrap());
        });
    });
}

#[test]
fn the_response_still_flows_after_the_client_has_half_closed() {
    through_relay("transfer-half-close", |relay, server| {
        let client = relay.connect("127.0.0.1:9000");
        let accepted = server.accept();
        client.send("the request");
        client.half_close();
        accepted.expect("the request");
        accepted.expect_eof();
        thread::scope(|scope| {
            let sent = scope.spawn(|| send(&accepted, 3));
            let tally = client.tally_to_end();
            assert_eq!(
                (tally.bytes, tally.checksum),
                (LENGTH as u64, sent.join().unwrap())
            );
        });
    });
}

#[test]
fn the_last_bytes_arrive_before_the_close() {
    through_relay("transfer-last-bytes", |relay, server| {
        for length in [1, 1000, 100_000, 1_000_000] {
            let client = relay.connect("127.0.0.1:9000");
            let accepted = server.accept();
            let bytes = pattern(4, length);
            thread::scope(|scope| {
                scope.spawn(|| {
                    client.send(&bytes);
                    client.close();
                });
                receive(&accepted, Checksum::of(&bytes), length);
            });
        }
    });
}

#[test]
fn a_reset_of_one_end_resets_the_other() {
    through_relay("transfer-reset", |relay, server| {
        for client_resets in [true, false] {
            let (client, accepted) = session(relay, "127.0.0.1:9000", server);
            let (one, other) = if client_resets {
                (client, accepted)
            } else {
                (accepted, client)
            };
            one.reset();
            other.expect_reset();
        }
    });
}

#[test]
fn a_writer_is_held_back_by_a_reader_that_pauses_and_nothing_is_lost() {
    through_relay("transfer-backpressure", |relay, server| {
        let client = relay.connect("127.0.0.1:9000");
        let accepted = server.accept();
        let client = client.with_deadline(SILENCE);
        let piece = pattern(6, 100_000);
        let mut sent = 0;
        // The kernel's buffers on the way hold some megabytes; more than this would have to be in the relay.
        while client.try_send(&piece).is_ok() {
            sent += piece.len();
            assert!(
                sent < 256 * 1024 * 1024,
                "{sent} bytes were taken and none was read"
            );
        }
        drop(client);
        let tally = accepted.tally_to_end();
        assert!(tally.bytes >= sent as u64, "{} of {sent} bytes came", tally.bytes);
    });
}

#[test]
fn a_header_may_come_byte_by_byte_and_the_payload_behind_it_is_kept() {
    world("transfer-header-bytewise", |w| {
        let (tenant, relay) = joined(w, ("tenant1", "10.0.0.1/24"), ("relay", "10.0.0.2/24"));
        let server = tenant.listen("10.0.0.1:9000");
        let config = format!(
            "{DEFAULTS}listen l\n  bind 127.0.0.1:9000 accept-proxy\n  server s 10.0.0.1:9000 namespace tenant1\n"
        );
        let _running = run(w, &relay, &config);
        let v2 = v2_header("192.0.2.1:1234", "198.51.100.7:80", None);
        let headers: [&[u8]; 2] = [b"PROXY TCP4 192.0.2.1 198.51.100.7 1234 80\r\n", &v2];
        for header in headers {
            let client = relay.connect("127.0.0.1:9000");
            client.send_in_chunks(header, 1, &mut Rng::new(0));
            client.send("payload");
            let accepted = server.accept();
            accepted.expect("payload");
            exchange(&client, &accepted);
        }
    });
}

#[test]
fn payload_in_the_same_segment_as_the_header_is_not_lost() {
    world("transfer-header-and-payload", |w| {
        let relay = w.add_netns("relay");
        let server = relay.listen("127.0.0.1:9001");
        let config =
            format!("{DEFAULTS}listen l\n  bind 127.0.0.1:9000 accept-proxy\n  server s 127.0.0.1:9001\n");
        let _running = run(w, &relay, &config);
        let client = relay.connect("127.0.0.1:9000");
        let payload = pattern(5, 50_000);
        client.send(
            [
                v2_header("192.0.2.1:1234", "198.51.100.7:80", None),
                payload.clone(),
            ]
            .concat(),
        );
        client.half_close();
        receive(&server.accept(), Checksum::of(&payload), payload.len());
    });
}
