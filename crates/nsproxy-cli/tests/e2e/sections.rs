//! What sections say beyond addresses: ranges of ports, the order of servers, how many sessions there may be.

use nsproxy_testkit::{Listener, Service, World, require, world};

use crate::common::{DEFAULTS, Proxy, RELAY, SILENCE, exchange, finish, line_with, run, same, session};

#[test]
fn every_address_and_every_port_of_a_range_is_listened_at() {
    world("range", |w| {
        let server = w.home().listen("127.0.0.1:9000");
        let config = format!(
            "{DEFAULTS}{}",
            RELAY.replace("127.0.0.1:8000", "127.0.0.1:8000-8002,[::1]:8000")
        );
        let running = run(w, w.home(), &config);
        for address in ["127.0.0.1:8000", "127.0.0.1:8001", "127.0.0.1:8002", "[::1]:8000"] {
            line_with(&running, &["nsproxy: l listens at ", address]);
            exchange(&w.home().connect(address), &server.accept());
        }
    });
}

#[test]
fn servers_take_turns_in_the_order_of_haproxy() {
    let both = require!(Proxy::both());
    world("roundrobin", |w| {
        let names = ["one", "two", "three"];
        let services = names.map(|name| Service::reply(w.home().listen("127.0.0.1:0"), name));
        let [one, two, three] = services.each_ref().map(Service::address);
        let config = format!(
            "{DEFAULTS}listen l\n  bind 127.0.0.1:8000\n  balance roundrobin\n\
             \x20 server one {one}\n  server two {two}\n  server three {three}\n"
        );
        let order = same(
            &both,
            w,
            (w.home(), &config),
            &[(w.home(), "127.0.0.1:8000")],
            || {
                [(); 7].map(|()| {
                    // A half-close before the server has answered makes HAProxy give up.
                    let client = w.home().connect("127.0.0.1:8000");
                    String::from_utf8(client.read_to_end(10)).unwrap()
                })
            },
        );
        assert_eq!(order, ["one", "two", "three", "one", "two", "three", "one"]);
    });
}

/// With room for one session a second client waits, and is served when the first has gone.
#[track_caller]
fn serves_one_at_a_time(w: &World, server: &Listener, config: &str) {
    let _running = run(w, w.home(), config);
    let (first, accepted) = session(w.home(), "127.0.0.1:8000", server);
    let second = w.home().connect("127.0.0.1:8000");
    server.expect_no_connection(SILENCE);
    finish(first, accepted);
    exchange(&second, &server.accept());
}

#[test]
fn maxconn_in_global_makes_further_clients_wait() {
    world("maxconn-global", |w| {
        let server = w.home().listen("127.0.0.1:9000");
        serves_one_at_a_time(w, &server, &format!("global\n  maxconn 1\n{DEFAULTS}{RELAY}"));
    });
}

#[test]
fn maxconn_in_a_frontend_makes_its_further_clients_wait_and_no_others() {
    world("maxconn-frontend", |w| {
        let limited = RELAY.replace("listen l\n", "listen l\n  maxconn 1\n");
        let server = w.home().listen("127.0.0.1:9000");
        serves_one_at_a_time(w, &server, &format!("{DEFAULTS}{limited}"));
        let config = format!(
            "{DEFAULTS}{limited}{}",
            RELAY.replace("listen l", "listen m").replace(":8000", ":8001")
        );
        let _running = run(w, w.home(), &config);
        let peers = ["127.0.0.1:8000", "127.0.0.1:8001", "127.0.0.1:8001"]
            .map(|address| session(w.home(), address, &server));
        drop(peers);
    });
}
