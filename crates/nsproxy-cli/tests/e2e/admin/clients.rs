//! Clients who mean no good, and who are in nobody's way.

use std::fs;

use nsproxy_testkit::{DEFAULT_DEADLINE, Peer, eventually, world};

use super::{answer, client, config, echo, end, start};
use crate::common::run;

#[test]
fn a_line_without_an_end_is_cut_off_and_nobody_else_notices() {
    world("admin-endless", |w| {
        let _echo = echo(w, 9000);
        let (_running, socket) = start(w, "");
        let endless = Peer::connect(&*socket);
        let piece = [b'x'; 4096];
        // Until the other end has had enough.
        eventually(DEFAULT_DEADLINE, "the end of the connection", || {
            endless.try_send(piece).is_err().then_some(())
        });
        end(client(w.home(), 8000));
        assert!(answer(&socket, "show version").contains('.'));
        // What is no text is no command, and no harm.
        let noise: Vec<u8> = (0..=255).filter(|byte| *byte != b'\n').chain([b'\n']).collect();
        let client = Peer::connect(&*socket);
        client.send(noise);
        assert!(String::from_utf8_lossy(&client.read_to_end(1 << 20)).contains("Unknown command"));
    });
}

#[test]
fn clients_beyond_the_limit_wait_and_those_who_say_nothing_are_sent_away() {
    world("admin-many", |w| {
        let _echo = echo(w, 9000);
        let socket = w.path("admin.sock");
        let config =
            config(&socket, "").replace("global\n", "global\n  stats maxconn 2\n  stats timeout 200ms\n");
        let running = run(w, w.home(), &config);
        let threads = || {
            fs::read_dir(format!("/proc/{}/task", running.pid()))
                .unwrap()
                .count()
        };
        let before = threads();
        let silent: Vec<_> = (0..20).map(|_| Peer::connect(&*socket)).collect();
        end(client(w.home(), 8000));
        // Two are served, and the threads of two before them may be about to end.
        assert!(threads() <= before + 4);
        // Whoever has waited is served once those before have gone.
        assert!(answer(&socket, "show version").contains('.'));
        silent[0].expect_eof();
    });
}

#[test]
fn a_client_that_does_not_read_is_in_nobodys_way() {
    world("admin-deaf", |w| {
        let _echo = echo(w, 9000);
        let (running, socket) = start(w, "level admin");
        let open: Vec<_> = (0..400).map(|_| client(w.home(), 8000)).collect();
        let deaf = Peer::connect(&*socket);
        // Far more than a socket holds.
        deaf.send("show sess all;".repeat(400) + "\n");
        let resident = || {
            let status = fs::read_to_string(format!("/proc/{}/status", running.pid())).unwrap();
            let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
            line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
        };
        // It is under way.
        eventually(DEFAULT_DEADLINE, "something to read", || {
            let mut byte = [std::mem::MaybeUninit::uninit()];
            deaf.socket()
                .peek(&mut byte)
                .is_ok_and(|read| read == 1)
                .then_some(())
        });
        let before = resident();
        for client in &open {
            client.send("x");
            client.expect("x");
        }
        assert!(
            resident() < before + 8 * 1024,
            "memory grows: {before} KiB, {} KiB",
            resident()
        );
        assert!(answer(&socket, "show version").contains('.'));
    });
}
