//! `nsproxy forward`: one relay from the command line.

use std::net::SocketAddr;
use std::process::Command;

use nsproxy_testkit::{Listener, Netns, Peer, Running, Signal, World, world};

use crate::common::{
    connect_from, exchange, expect_meaning, joined, line_with, nsproxy, peer_ip, read_header, session, soon,
    take_all, wait_until_refused,
};

/// `tenant1` with a server at 10.0.0.1, and `other` joined to it.
fn tenant(w: &World) -> (Netns, Netns, Listener) {
    let (tenant, other) = joined(w, ("tenant1", "10.0.0.1/24"), ("other", "10.0.0.2/24"));
    let server = tenant.listen("10.0.0.1:80");
    (tenant, other, server)
}

/// Starts `nsproxy forward` in the home namespace and waits until it relays.
#[track_caller]
fn forward(w: &World, arguments: &[&str]) -> Running {
    let running = w.home().spawn(nsproxy(&[&["forward"], arguments].concat()));
    running.wait_for_output("relaying ", soon());
    running
}

/// The address that it says it listens at.
#[track_caller]
fn listens_at(running: &Running) -> SocketAddr {
    let line = line_with(running, &["relaying "]);
    let rest = line.split_once("relaying ").expect("the line has it").1;
    let address = rest.split(' ').next().unwrap_or_default();
    address
        .parse()
        .unwrap_or_else(|_| panic!("no address in {line:?}"))
}

#[test]
fn a_namespace_is_reached_by_its_name() {
    world("forward-name", |w| {
        let (_, _, server) = tenant(w);
        let running = forward(w, &["127.0.0.1:0", "10.0.0.1:80@tenant1"]);
        let line = line_with(
            &running,
            &[
                "relaying 127.0.0.1:",
                " to 10.0.0.1:80 in netns tenant1",
                "Ctrl-C",
            ],
        );
        assert!(
            !line.contains(":0 "),
            "the port that the kernel chose is not shown: {line}"
        );
        exchange(&w.home().connect(listens_at(&running)), &server.accept());
    });
}

#[test]
fn a_namespace_is_reached_by_its_path() {
    world("forward-path", |w| {
        let (_, _, server) = tenant(w);
        let running = forward(w, &["127.0.0.1:0", "10.0.0.1:80@/run/netns/tenant1"]);
        exchange(&w.home().connect(listens_at(&running)), &server.accept());
    });
}

#[test]
fn a_namespace_is_reached_by_a_process_in_it() {
    world("forward-pid", |w| {
        let (tenant, _, server) = tenant(w);
        let mut command = Command::new("sleep");
        command.arg("600");
        let inside = tenant.spawn(command);
        let running = forward(w, &["127.0.0.1:0", &format!("10.0.0.1:80@pid:{}", inside.pid())]);
        exchange(&w.home().connect(listens_at(&running)), &server.accept());
    });
}

#[test]
fn it_listens_in_a_namespace() {
    world("forward-listen", |w| {
        let (_, other, server) = tenant(w);
        let nowhere = w.add_netns("nowhere");
        let running = forward(w, &["8080@nowhere", "80@other"]);
        line_with(
            &running,
            &["relaying 127.0.0.1:8080 in netns nowhere to 127.0.0.1:80 in netns other"],
        );
        let server_there = other.listen("127.0.0.1:80");
        exchange(&nowhere.connect("127.0.0.1:8080"), &server_there.accept());
        server.expect_no_connection(crate::common::SILENCE);
    });
}

#[test]
fn a_port_alone_is_on_the_loopback_address() {
    world("forward-port", |w| {
        let server = w.home().listen("127.0.0.1:9000");
        let running = forward(w, &["0", "9000"]);
        assert_eq!(listens_at(&running).ip().to_string(), "127.0.0.1");
        exchange(&w.home().connect(listens_at(&running)), &server.accept());
    });
}

#[test]
fn unix_sockets_are_either_end() {
    world("forward-unix", |w| {
        let (_, _, server) = tenant(w);
        let running = forward(w, &["unix:/run/world/in", "10.0.0.1:80@tenant1"]);
        line_with(
            &running,
            &["relaying ", "/run/world/in to 10.0.0.1:80 in netns tenant1"],
        );
        exchange(&Peer::connect("unix:/run/world/in"), &server.accept());

        let server = w.home().listen("unix:/run/world/out");
        let running = forward(w, &["[::1]:0@tenant1", "unix:/run/world/out"]);
        exchange(
            &w.netns("tenant1").connect(listens_at(&running)),
            &server.accept(),
        );
    });
}

#[test]
fn send_proxy_announces_the_client_in_version_1() {
    world("forward-send-proxy", |w| {
        let (_, _, server) = tenant(w);
        let _running = forward(w, &["--send-proxy", "127.0.0.1:8080", "10.0.0.1:80@tenant1"]);
        let client = connect_from(w.home(), "127.0.0.1:40000", "127.0.0.1:8080");
        let accepted = server.accept();
        assert_eq!(
            read_header(&accepted),
            b"PROXY TCP4 127.0.0.1 127.0.0.1 40000 8080\r\n"
        );
        exchange(&client, &accepted);
    });
}

#[test]
fn send_proxy_v2_announces_the_client_and_the_namespace_of_the_listener() {
    world("forward-send-proxy-v2", |w| {
        let (_, other, server) = tenant(w);
        let _running = forward(
            w,
            &["--send-proxy-v2", "10.0.0.2:8080@other", "10.0.0.1:80@tenant1"],
        );
        let client = connect_from(&other, "127.0.0.1:40000", "10.0.0.2:8080");
        let accepted = server.accept();
        expect_meaning(
            &read_header(&accepted),
            ("127.0.0.1:40000", "10.0.0.2:8080"),
            "other",
        );
        exchange(&client, &accepted);
    });
}

#[test]
fn accept_proxy_takes_a_header_and_passes_its_addresses_on() {
    world("forward-accept-proxy", |w| {
        let (_, _, server) = tenant(w);
        let running = forward(
            w,
            &[
                "--accept-proxy",
                "--send-proxy",
                "127.0.0.1:0",
                "10.0.0.1:80@tenant1",
            ],
        );
        let header = "PROXY TCP4 192.0.2.1 198.51.100.7 1234 80\r\n";
        let client = w.home().connect(listens_at(&running));
        client.send(header);
        let accepted = server.accept();
        accepted.expect(header);
        exchange(&client, &accepted);
        let bad = w.home().connect(listens_at(&running));
        bad.send("GET / HTTP/1.1\r\n");
        bad.expect_closed();
        line_with(&running, &["session ", "invalid PROXY header"]);
    });
}

#[test]
fn source_client_connects_from_the_clients_address() {
    world("forward-source-client", |w| {
        let (tenant, other, _server) = tenant(w);
        let clients = w.add_netns("clients");
        clients.ip("address add 192.168.1.5/32 dev lo");
        other.ip("route add default via 10.0.0.1");
        take_all(&tenant, "to-other");
        let server = other.listen("10.0.0.2:80");
        let _running = forward(
            w,
            &["--source-client", "127.0.0.1:8080@clients", "10.0.0.2:80@tenant1"],
        );
        let client = connect_from(&clients, "192.168.1.5:40000", "127.0.0.1:8080");
        let accepted = server.accept();
        assert_eq!(peer_ip(&accepted), "192.168.1.5");
        exchange(&client, &accepted);
    });
}

#[test]
fn ctrl_c_says_how_much_was_relayed() {
    world("forward-ctrl-c", |w| {
        let (tenant, _, server) = tenant(w);
        let running = forward(w, &["127.0.0.1:0", "10.0.0.1:80@tenant1"]);
        let client = w.home().connect(listens_at(&running));
        let accepted = server.accept();
        client.send([b'x'; 1000]);
        client.half_close();
        assert_eq!(accepted.read_to_end(1000).len(), 1000);
        accepted.send([b'y'; 234]);
        accepted.close();
        assert_eq!(client.read_to_end(234).len(), 234);
        drop(server);
        wait_until_refused(&tenant, "10.0.0.1:80");
        w.home().connect(listens_at(&running)).expect_closed();
        line_with(
            &running,
            &[
                "session relay=forward ",
                "connection to the server failed",
                "Connection refused",
            ],
        );
        running.signal(Signal::SIGINT);
        let said = running.wait().expect_code(0);
        let summary = "relayed 2 connections (1 failed): 1000 bytes to the target, 234 bytes back";
        assert!(said.contains(summary), "{said}");
    });
}

#[test]
fn a_second_ctrl_c_does_not_wait_for_connections() {
    world("forward-ctrl-c-twice", |w| {
        let (_, _, server) = tenant(w);
        let running = forward(w, &["127.0.0.1:8080", "10.0.0.1:80@tenant1"]);
        let (client, accepted) = session(w.home(), "127.0.0.1:8080", &server);
        running.signal(Signal::SIGINT);
        wait_until_refused(w.home(), "127.0.0.1:8080");
        exchange(&client, &accepted);
        running.signal(Signal::SIGINT);
        client.expect_reset();
        accepted.expect_reset();
        let said = running.wait().expect_code(0);
        assert!(said.contains("18 bytes to the target, 18 bytes back"), "{said}");
    });
}

#[test]
fn endpoints_that_are_none_are_refused_with_help() {
    let cases: [(&[&str], &str); 8] = [
        (&["127.0.0.1:8080"], "<TARGET>"),
        (
            &["127.0.0.1:8080", "example.org:80"],
            "host names are not looked up",
        ),
        (&["127.0.0.1:8080", "10.0.0.1:80@../x"], "namespace"),
        (&["127.0.0.1:8080", "10.0.0.1:80@pid:x"], "pid"),
        (&["127.0.0.1:8080", "10.0.0.1"], "ADDR:PORT"),
        (&["127.0.0.1:8080", "::1:80:x"], "brackets"),
        (&["unix:", "80"], "no path"),
        (
            &["--send-proxy", "--send-proxy-v2", "1", "2"],
            "cannot be used with",
        ),
    ];
    for (arguments, part) in cases {
        let command = nsproxy(&[&["forward"], arguments].concat());
        let errors = Running::spawn(command).wait().expect_code(2);
        assert!(errors.contains(part), "{arguments:?}: no {part:?} in:\n{errors}");
    }
}

#[test]
fn what_cannot_be_opened_ends_with_1_and_names_it() {
    world("forward-fails", |w| {
        w.add_netns("tenant1");
        let _taken = w.home().listen("127.0.0.1:8080");
        let cases: [(&[&str], &[&str]); 3] = [
            (
                &["127.0.0.1:8080", "80"],
                &["127.0.0.1:8080", "Address already in use"],
            ),
            (
                &["10.9.9.9:80@tenant1", "80"],
                &["10.9.9.9:80", "tenant1", "Cannot assign requested address"],
            ),
            (&["127.0.0.1:8081", "0@tenant1"], &["port 0"]),
        ];
        for (arguments, parts) in cases {
            let errors = w
                .home()
                .output(nsproxy(&[&["forward"], arguments].concat()))
                .expect_code(1);
            for part in parts {
                assert!(errors.contains(part), "{arguments:?}: no {part:?} in:\n{errors}");
            }
        }
    });
}

#[test]
fn sighup_is_answered_and_changes_nothing() {
    world("forward-sighup", |w| {
        let (_, _, server) = tenant(w);
        let running = forward(w, &["127.0.0.1:0", "10.0.0.1:80@tenant1"]);
        running.signal(Signal::SIGHUP);
        line_with(&running, &["SIGHUP", "no configuration"]);
        exchange(&w.home().connect(listens_at(&running)), &server.accept());
    });
}
