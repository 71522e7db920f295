//! What sockets are like, as the kernel and HAProxy show it.

use std::time::{Duration, Instant};

use nsproxy_testkit::{Netns, Program, Service, World, require, world};

use crate::common::{DEFAULTS, Proxy, SILENCE, joined, line_with, peer_ip, run, same, session, take_all};

/// The connections of a proxy as `ss` shows them, with what is random left out: its end, and the timer that runs.
fn timers(w: &World, ss: &Program) -> Vec<String> {
    let mut command = ss.command();
    command.args([
        "-Htno",
        "state",
        "established",
        "( sport = :8000 or dport = :9000 )",
    ]);
    let shown = w.home().output(command).expect_success();
    let mut timers: Vec<_> = shown
        .lines()
        .map(|line| {
            let end = if line.contains(":9000") {
                "server"
            } else {
                "client"
            };
            let timer = line.split_once("timer:(").map(|(_, timer)| timer);
            // `keepalive,59sec,0`: rounded, and running.
            format!(
                "{end} {}",
                timer.and_then(|timer| timer.split(',').next()).unwrap_or("-")
            )
        })
        .collect();
    timers.sort();
    timers
}

#[test]
fn silent_peers_are_probed_as_in_haproxy() {
    let proxies = require!(Proxy::both());
    let ss = require!(Program::find("ss"));
    world("keep-alive", |w| {
        let origin = w.home().listen("127.0.0.1:9000");
        for (options, expected) in [
            ("", ["client -", "server -"]),
            ("  option tcpka\n", ["client keepalive", "server keepalive"]),
            (
                "  option clitcpka\n  clitcpka-idle 60\n",
                ["client keepalive", "server -"],
            ),
            (
                "  option srvtcpka\n  srvtcpka-idle 60\n",
                ["client -", "server keepalive"],
            ),
        ] {
            let config =
                format!("{DEFAULTS}listen l\n  bind 127.0.0.1:8000\n{options}  server s 127.0.0.1:9000\n");
            let seen = same(
                &proxies,
                w,
                (w.home(), &config),
                &[(w.home(), "127.0.0.1:8000")],
                || {
                    let _session = session(w.home(), "127.0.0.1:8000", &origin);
                    timers(w, &ss)
                },
            );
            assert_eq!(seen, expected, "{options}");
        }
    });
}

#[test]
fn each_socket_of_a_bind_line_has_its_maxconn_as_in_haproxy() {
    let proxies = require!(Proxy::both());
    world("bind-maxconn", |w| {
        let _service = Service::echo(w.home().listen("127.0.0.1:9000"));
        let config = format!(
            "{DEFAULTS}listen l\n  bind 127.0.0.1:8000-8001 maxconn 1 backlog 5 mss 1000 tcp-ut 30s\n  server s 127.0.0.1:9000\n"
        );
        let places = [(w.home(), "127.0.0.1:8000"), (w.home(), "127.0.0.1:8001")];
        same(&proxies, w, (w.home(), &config), &places, || {
            let clients = ["127.0.0.1:8000", "127.0.0.1:8001"].map(|place| {
                let client = w.home().connect(place);
                client.send("x");
                client.expect("x");
                client
            });
            let third = w.home().connect("127.0.0.1:8000");
            third.send("y");
            third.expect_silence(SILENCE);
            drop(clients);
            third.expect("y");
        });
    });
}

#[test]
fn a_silent_client_of_a_deferred_listener_reaches_no_server() {
    let proxies = require!(Proxy::both());
    world("defer-accept", |w| {
        let origin = w.home().listen("127.0.0.1:9000");
        let config = format!(
            "{DEFAULTS}listen l\n  bind 127.0.0.1:8000 defer-accept interface lo\n  server s 127.0.0.1:9000\n"
        );
        same(
            &proxies,
            w,
            (w.home(), &config),
            &[(w.home(), "127.0.0.1:8000")],
            || {
                let client = w.home().connect("127.0.0.1:8000");
                origin.expect_no_connection(SILENCE);
                client.send("x");
                origin.accept().expect("x");
            },
        );
    });
}

#[test]
fn each_server_is_reached_from_where_its_line_says_as_in_haproxy() {
    let proxies = require!(Proxy::both());
    world("server-source", |w| {
        let (services, clients) = joined(w, ("services", "10.0.0.1/24"), ("clients", "10.0.0.2/24"));
        clients.ip("address add 10.0.0.3/24 dev to-services");
        clients.ip("address add 10.0.0.4/24 dev to-services");
        take_all(&clients, "to-services");
        services.ip("route add 198.51.100.0/24 via 10.0.0.2");
        let origins = ["10.0.0.1:9001", "10.0.0.1:9002", "10.0.0.1:9003"].map(|place| services.listen(place));
        let config = format!(
            "{DEFAULTS}listen l\n  bind 127.0.0.1:8000\n  balance roundrobin\n  source 10.0.0.3\n\
             \x20 server plain 10.0.0.1:9001\n\
             \x20 server own 10.0.0.1:9002 source 10.0.0.4 interface to-services\n\
             \x20 server foreign 10.0.0.1:9003 source 0.0.0.0 usesrc 198.51.100.7\n"
        );
        let seen = same(
            &proxies,
            w,
            (&clients, &config),
            &[(&clients, "127.0.0.1:8000")],
            || {
                origins.each_ref().map(|origin| {
                    let (_client, server) = session(&clients, "127.0.0.1:8000", origin);
                    peer_ip(&server)
                })
            },
        );
        assert_eq!(seen, ["10.0.0.3", "10.0.0.4", "198.51.100.7"]);
    });
}

#[test]
fn a_source_at_a_link_that_is_not_there_is_told_with_the_reason() {
    world("source-interface", |w| {
        let config = format!(
            "{DEFAULTS}listen l\n  bind 127.0.0.1:8000\n  server s 127.0.0.1:9000 source 0.0.0.0 interface gone0\n"
        );
        let running = run(w, w.home(), &config);
        w.home().connect("127.0.0.1:8000").expect_closed();
        line_with(
            &running,
            &["socket-failed", "cannot set SO_BINDTODEVICE", "No such device"],
        );
    });
}

#[test]
fn the_first_server_that_refuses_gives_way_at_once_as_in_haproxy() {
    let proxies = require!(Proxy::both());
    world("first-redispatch", |w| {
        let _service = Service::echo(w.home().listen("127.0.0.1:9000"));
        let config = format!(
            "{DEFAULTS}listen l\n  bind 127.0.0.1:8000\n  balance first\n  option redispatch\n\
             \x20 server refuses 127.0.0.1:9999\n  server s 127.0.0.1:9000\n"
        );
        same(
            &proxies,
            w,
            (w.home(), &config),
            &[(w.home(), "127.0.0.1:8000")],
            || {
                let begun = Instant::now();
                let client = w.home().connect("127.0.0.1:8000");
                client.send("x");
                client.expect("x");
                // Another attempt at the same server would come after a second.
                assert!(
                    begun.elapsed() < Duration::from_millis(900),
                    "{:?}",
                    begun.elapsed()
                );
            },
        );
    });
}

/// The sizes of the kernel's buffers (`rb`, `tb`) of a connection of this namespace, as `ss` tells them.
#[track_caller]
fn buffers(ss: &Program, netns: &Netns, filter: &str) -> (usize, usize) {
    let mut command = ss.command();
    command
        .args([
            "--no-header",
            "--tcp",
            "--numeric",
            "--memory",
            "state",
            "established",
        ])
        .args(filter.split(' '));
    let said = netns.output(command).expect_success();
    let size = |name: &str| {
        let field = said.split([',', '(']).find_map(|field| field.strip_prefix(name));
        field
            .and_then(|size| size.parse().ok())
            .unwrap_or_else(|| panic!("{filter}: {said}"))
    };
    (size("rb"), size("tb"))
}

#[test]
fn the_kernels_buffers_have_the_sizes_that_are_asked_for_as_in_haproxy() {
    let both = require!(Proxy::both());
    let ss = require!(Program::find("ss"));
    world("socket-buffers", |w| {
        let server = w.home().listen("127.0.0.1:9000");
        // Debian's HAProxy knows no letters behind a number.
        let config = format!(
            "global\n  tune.rcvbuf.client 20480\n  tune.sndbuf.client 24576\n  tune.rcvbuf.server 28672\n\
             \x20 tune.sndbuf.server 32768\n{DEFAULTS}listen l\n  bind 127.0.0.1:8000\n  server s 127.0.0.1:9000\n"
        );
        let letters = config.replace(" 20480", " 20k").replace(" 32768", " 32k");
        for (proxy, config) in both.iter().zip([&config, &letters]) {
            let _running = proxy.start(w, w.home(), config, &[(w.home(), "127.0.0.1:8000")]);
            let _session = session(w.home(), "127.0.0.1:8000", &server);
            // The kernel doubles what it is told.
            assert_eq!(
                buffers(&ss, w.home(), "sport = :8000"),
                (40_960, 49_152),
                "{proxy:?}"
            );
            assert_eq!(
                buffers(&ss, w.home(), "dport = :9000"),
                (57_344, 65_536),
                "{proxy:?}"
            );
        }
    });
}
