//! Urgent data (TCP's urgent pointer): a relay loses neither the byte that it points at nor what follows.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod common;

use std::thread;

use common::relayed;
use nsproxy_engine::CloseReason;
use nsproxy_testkit::{Peer, pattern};

fn send_urgent(peer: &Peer, byte: u8) {
    assert_eq!(peer.socket().send_out_of_band(&[byte]).unwrap(), 1);
}

#[test]
fn an_urgent_byte_arrives_in_its_place_and_what_follows_does_too() {
    let (relay, client, server) = relayed();
    client.send("abc");
    send_urgent(&client, b'!');
    client.send("def");
    server.expect("abc!def");
    send_urgent(&server, b'?');
    client.expect("?");
    client.half_close();
    server.expect_eof();
    server.half_close();
    client.expect_eof();
    assert_eq!(relay.end().reason, CloseReason::Finished);
}

#[test]
fn an_urgent_byte_right_before_the_end_arrives() {
    let (relay, client, server) = relayed();
    send_urgent(&client, b'!');
    client.half_close();
    assert_eq!(server.read_to_end(10), b"!");
    server.half_close();
    client.expect_eof();
    assert_eq!(relay.end().reason, CloseReason::Finished);
}

#[test]
fn urgent_bytes_in_a_spliced_transfer_neither_stop_it_nor_cut_it_off() {
    let (relay, client, server) = relayed();
    let part = pattern(1, 8 << 20);
    let parts = 4;
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..parts {
                client.send(&part);
                send_urgent(&client, b'!');
            }
            client.half_close();
        });
        for _ in 0..parts {
            server.expect(&part);
            server.expect("!");
        }
        server.expect_eof();
    });
    server.half_close();
    client.expect_eof();
    let end = relay.end();
    assert_eq!(
        (end.reason, end.bytes_up),
        (CloseReason::Finished, parts * ((8 << 20) + 1))
    );
    relay.expect_idle();
}
