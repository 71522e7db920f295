//! `source` with a range of ports: each connection has one to itself, as in HAProxy.

use nsproxy_testkit::{Address, DEFAULT_DEADLINE, Peer, Signal, eventually, require, world};

use crate::common::{DEFAULTS, Proxy, SILENCE, exchange, finish, inherited, line_with, run, session};
use crate::syslog::Syslog;

const PLACE: &str = "127.0.0.1:8000";

#[track_caller]
fn port(accepted: &Peer) -> u16 {
    match accepted.peer_addr() {
        Address::Inet(address) => {
            assert_eq!(address.ip().to_string(), "127.0.0.1");
            address.port()
        }
        Address::Unix(path) => panic!("{} is no internet address", path.display()),
    }
}

/// The last fields of a line of `option tcplog` that do not change from run to run: letters and retries.
#[track_caller]
fn line(log: &Syslog, server: &str) -> String {
    loop {
        let line = log.line();
        let words: Vec<_> = line.split_whitespace().collect();
        // HAProxy says on a line of its own what is missing; and the sessions of the proxy before have lines, too.
        if words.get(3) == Some(&server) {
            let retries = words[7].rsplit('/').next().unwrap_or_default();
            return format!("{} {retries}", words[6]);
        }
    }
}

/// The first port of the range: another one for each proxy, since the kernel remembers the connections of the one before.
fn first_port(proxy: &Proxy) -> u16 {
    match proxy {
        Proxy::Haproxy(_) => 10_000,
        Proxy::Nsproxy => 11_000,
    }
}

#[test]
fn each_connection_has_a_port_of_the_range_to_itself_and_there_are_no_more_as_in_haproxy() {
    let both = require!(Proxy::both());
    world("source-ports", |w| {
        let log = Syslog::udp(w.home(), 5140);
        let server = w.home().listen("127.0.0.1:9000");
        for proxy in both {
            let first = first_port(&proxy);
            let config = format!(
                "global\n  log 127.0.0.1:5140 format raw local0\n{DEFAULTS}  log global\n  option tcplog\n  retries 0\n\
                 listen l{first}\n  bind {PLACE}\n  server s 127.0.0.1:9000 source 127.0.0.1:{first}-{}\n",
                first + 2
            );
            let name = format!("l{first}/s");
            let _running = proxy.start(w, w.home(), &config, &[(w.home(), PLACE)]);
            let mut sessions: Vec<_> = (0..3).map(|_| session(w.home(), PLACE, &server)).collect();
            let mut ports: Vec<_> = sessions.iter().map(|(_, accepted)| port(accepted)).collect();
            ports.sort_unstable();
            assert_eq!(ports, [first, first + 1, first + 2]);
            w.home().connect(PLACE).expect_closed();
            assert_eq!(line(&log, &name), "SC 0");
            // One that ends has its port to give away. The server ends first: nothing is left of it on our side.
            let (client, accepted) = sessions.remove(1);
            let free = port(&accepted);
            finish(accepted, client);
            assert_eq!(line(&log, &name), "-- 0");
            let (_client, accepted) = session(w.home(), PLACE, &server);
            assert_eq!(port(&accepted), free);
        }
    });
}

#[test]
fn another_server_is_tried_when_no_port_is_free_and_that_is_allowed() {
    world("source-ports-redispatch", |w| {
        let log = Syslog::udp(w.home(), 5140);
        let server = w.home().listen("127.0.0.1:9000");
        let other = w.home().listen("127.0.0.1:9001");
        let config = format!(
            "global\n  log 127.0.0.1:5140 format raw local0\n{DEFAULTS}  log global\n  option tcplog\n  option redispatch\n\
             \x20 balance first\n\
             listen l\n  bind {PLACE}\n  server s 127.0.0.1:9000 source 127.0.0.1:10000-10001\n  server t 127.0.0.1:9001\n"
        );
        let _running = run(w, w.home(), &config);
        let _first: Vec<_> = (0..2).map(|_| session(w.home(), PLACE, &server)).collect();
        let (client, accepted) = session(w.home(), PLACE, &other);
        finish(accepted, client);
        assert_eq!(line(&log, "l/t"), "-- +1");
    });
}

#[test]
fn a_port_that_somebody_else_has_is_passed_over() {
    world("source-ports-taken", |w| {
        let server = w.home().listen("127.0.0.1:9000");
        let _taken = [10_000, 10_001].map(|port| {
            let socket = inherited(w.home(), &format!("127.0.0.1:{port}"));
            socket.listen(1).expect("a listener");
            socket
        });
        let config = format!(
            "{DEFAULTS}listen l\n  bind {PLACE}\n  server s 127.0.0.1:9000 source 127.0.0.1:10000-10003\n"
        );
        let running = run(w, w.home(), &config);
        let mut sessions: Vec<_> = (0..2).map(|_| session(w.home(), PLACE, &server)).collect();
        let ports: Vec<_> = sessions.iter().map(|(_, accepted)| port(accepted)).collect();
        assert_eq!(ports, [10_002, 10_003]);
        // The others are tried, and are taken; then none is free.
        w.home().connect(PLACE).expect_closed();
        line_with(
            &running,
            &["socket-failed", "127.0.0.1:1000", "Address already in use"],
        );
        // After a reload the sessions still have theirs.
        running.signal(Signal::SIGHUP);
        line_with(&running, &["reloaded"]);
        let (client, accepted) = sessions.remove(0);
        finish(accepted, client);
        eventually(DEFAULT_DEADLINE, "the port that has become free", || {
            let client = w.home().connect(PLACE);
            let accepted = server.try_accept(SILENCE).ok()?;
            exchange(&client, &accepted);
            assert_eq!(port(&accepted), 10_002);
            Some(())
        });
    });
}
