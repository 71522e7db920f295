//! Timeouts of a session: it ends in time, both ends see that it did, and the log says why.
//!
//! That of a PROXY header is in `refusals.rs`.

use std::time::{Duration, Instant};

use nsproxy_testkit::{Listener, Peer, World, require, world};

use crate::common::{DEFAULTS, Proxy, RELAY, exchange, joined, line_with, run, session, tenant};

/// Long enough not to be met by accident.
const LONG: &str = "20s";

fn config(connect: &str, client: &str, server: &str) -> String {
    format!(
        "defaults\n  timeout connect {connect}\n  timeout client {client}\n  timeout server {server}\n\
         listen l\n  bind 127.0.0.1:8000\n  server s 10.0.0.1:80 namespace tenant1\n"
    )
}

/// A session that falls silent ends for this reason.
#[track_caller]
fn silence_ends(name: &str, config: &str, reason: &str) {
    world(name, |w| {
        let tenant = tenant(w);
        let server = tenant.listen("10.0.0.1:80");
        let running = run(w, w.home(), config);
        let (client, accepted) = session(w.home(), "127.0.0.1:8000", &server);
        client.expect_closed();
        accepted.expect_closed();
        line_with(&running, &["session relay=l", "up=9 down=9", reason]);
    });
}

#[test]
fn a_silent_client_is_closed_after_timeout_client() {
    silence_ends(
        "timeout-client",
        &config(LONG, "300ms", LONG),
        "client idle for too long",
    );
}

#[test]
fn a_silent_server_is_closed_after_timeout_server() {
    silence_ends(
        "timeout-server",
        &config(LONG, LONG, "300ms"),
        "server idle for too long",
    );
}

#[test]
fn a_session_with_traffic_outlives_its_timeouts() {
    world("timeout-traffic", |w| {
        let tenant = tenant(w);
        let server = tenant.listen("10.0.0.1:80");
        let _running = run(w, w.home(), &config(LONG, "400ms", "400ms"));
        let client = w.home().connect("127.0.0.1:8000");
        let accepted = server.accept();
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(1200) {
            exchange(&client, &accepted);
            client.expect_silence(Duration::from_millis(50));
        }
    });
}

#[test]
fn a_server_that_does_not_answer_is_given_up_after_timeout_connect() {
    world("timeout-connect", |w| {
        let (tenant, _host) = joined(w, ("tenant1", "10.0.0.2/24"), ("host", "10.0.0.3/24"));
        // Nobody has this link address, so what is sent there is lost.
        tenant.ip("neighbour add 10.0.0.1 lladdr 02:00:00:00:00:01 dev to-host");
        let running = run(w, w.home(), &config("300ms", LONG, LONG));
        let client = w.home().connect("127.0.0.1:8000");
        client.expect_closed();
        line_with(
            &running,
            &["session relay=l", "connection to the server timed out"],
        );
    });
}

/// Plays `scene` with HAProxy and with nsproxy: a client and its server, behind these timeouts and 20 s else.
#[track_caller]
fn under_both(name: &str, timeouts: &str, scene: impl Fn(&Peer, &Peer) + Send + Sync) {
    let proxies = require!(Proxy::both());
    world(name, |w: &World| {
        let listener: Listener = w.home().listen("127.0.0.1:9000");
        let config = format!("{DEFAULTS}{timeouts}{RELAY}");
        for proxy in proxies {
            let _running = proxy.start(w, w.home(), &config, &[(w.home(), "127.0.0.1:8000")]);
            let (client, server) = session(w.home(), "127.0.0.1:8000", &listener);
            scene(&client, &server);
        }
    });
}

#[test]
fn timeout_tunnel_takes_the_place_of_both_others() {
    under_both("timeout-tunnel", "  timeout tunnel 300ms\n", |client, server| {
        client.expect_closed();
        server.expect_closed();
    });
    let shorter = "  timeout client 200ms\n  timeout server 200ms\n  timeout tunnel 20s\n";
    under_both("timeout-tunnel-longer", shorter, |client, server| {
        client.expect_silence(Duration::from_millis(600));
        exchange(client, server);
    });
}

#[test]
fn a_client_that_does_not_end_after_its_server_has_timeout_client_fin() {
    under_both(
        "timeout-client-fin",
        "  timeout tunnel 20s\n  timeout client-fin 400ms\n",
        |client, server| {
            client.expect_silence(Duration::from_millis(600));
            server.half_close();
            client.expect_eof();
            // It begins with the end, and not before.
            let ended = Instant::now();
            server.expect_closed();
            assert!(
                ended.elapsed() >= Duration::from_millis(300),
                "{:?}",
                ended.elapsed()
            );
        },
    );
}

#[test]
fn a_server_that_does_not_end_after_its_client_has_timeout_server_fin() {
    under_both(
        "timeout-server-fin",
        "  timeout server-fin 400ms\n",
        |client, server| {
            client.expect_silence(Duration::from_millis(600));
            client.half_close();
            server.expect_eof();
            server.send("late, but not too late");
            client.expect("late, but not too late");
            client.expect_closed();
        },
    );
}
