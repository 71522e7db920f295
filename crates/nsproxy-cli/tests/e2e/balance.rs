//! Which server a client meets, how long it waits, and what follows a server that does not answer: beside HAProxy.

use nsproxy_testkit::{Peer, Service, World, require, world};

use crate::common::{DEFAULTS, Proxy, SILENCE, connect_from, exchange, finish, run, same};

const PLACE: &str = "127.0.0.1:8000";
const NAMES: [&str; 3] = ["one", "two", "six"];

/// Services that say their names, and `server` lines for them with these options.
fn services(w: &World, options: [&str; 3]) -> (Vec<Service>, String) {
    let services = NAMES.map(|name| Service::reply(w.home().listen("127.0.0.1:0"), name));
    let lines = services.iter().zip(NAMES).zip(options);
    let lines =
        lines.map(|((service, name), options)| format!("  server {name} {} {options}\n", service.address()));
    let lines = lines.collect();
    (services.into(), lines)
}

/// What a client is told. A half-close before the server has answered makes HAProxy give up.
fn met(client: &Peer) -> String {
    String::from_utf8_lossy(&client.read_to_end(10)).into_owned()
}

/// The servers that clients meet one after the other, the same ones under both.
#[track_caller]
fn order(w: &World, both: &[Proxy; 2], settings: &str, servers: &str, clients: usize) -> Vec<String> {
    let config = format!("{DEFAULTS}listen l\n  bind {PLACE}\n{settings}{servers}");
    same(both, w, (w.home(), &config), &[(w.home(), PLACE)], || {
        (0..clients).map(|_| met(&w.home().connect(PLACE))).collect()
    })
}

#[test]
fn a_fixed_order_by_weights_is_that_of_haproxy() {
    let both = require!(Proxy::both());
    world("static-rr", |w| {
        for weights in [
            ["weight 1", "weight 1", "weight 1"],
            ["weight 2", "weight 4", "weight 10"],
            ["", "weight 0", "weight 3"],
        ] {
            let (_services, servers) = services(w, weights);
            order(w, &both, "  balance static-rr\n", &servers, 12);
        }
    });
}

#[test]
fn round_robin_shares_by_weight_as_haproxy_does() {
    let both = require!(Proxy::both());
    world("weights", |w| {
        let (_services, servers) = services(w, ["weight 1", "weight 3", "weight 4"]);
        let config = format!("{DEFAULTS}listen l\n  bind {PLACE}\n  balance roundrobin\n{servers}");
        let counts = same(&both, w, (w.home(), &config), &[(w.home(), PLACE)], || {
            let met: Vec<_> = (0..16).map(|_| met(&w.home().connect(PLACE))).collect();
            NAMES.map(|name| met.iter().filter(|met| *met == name).count())
        });
        assert_eq!(counts, [2, 6, 8]);
    });
}

#[test]
fn a_client_has_the_server_that_it_has_in_haproxy() {
    let both = require!(Proxy::both());
    world("source", |w| {
        for hash_type in ["map-based", "consistent"] {
            let (_services, servers) = services(w, ["weight 10", "weight 20", "weight 7"]);
            let config = format!(
                "{DEFAULTS}listen l\n  bind {PLACE}\n  balance source\n  hash-type {hash_type}\n{servers}"
            );
            let servers = same(&both, w, (w.home(), &config), &[(w.home(), PLACE)], || {
                (1..40)
                    .map(|client| met(&connect_from(w.home(), &format!("127.0.3.{client}:0"), PLACE)))
                    .collect::<Vec<_>>()
            });
            assert!(
                NAMES.iter().all(|name| servers.contains(&(*name).to_owned())),
                "{servers:?}"
            );
        }
    });
}

#[test]
fn backups_and_disabled_servers_are_used_as_in_haproxy() {
    let both = require!(Proxy::both());
    world("backup", |w| {
        let (_services, servers) = services(w, ["disabled", "backup", "backup"]);
        assert_eq!(order(w, &both, "", &servers, 3), ["two", "two", "two"]);
        let all = order(
            w,
            &both,
            "  balance roundrobin\n  option allbackups\n",
            &servers,
            4,
        );
        assert_eq!(all, ["two", "six", "two", "six"]);
        let (_services, servers) = services(w, ["disabled", "", "backup"]);
        assert_eq!(order(w, &both, "", &servers, 3), ["two", "two", "two"]);
    });
}

#[test]
fn a_client_beyond_maxconn_of_a_server_waits_as_in_haproxy() {
    let both = require!(Proxy::both());
    world("maxconn-server", |w| {
        let server = w.home().listen("127.0.0.1:9000");
        let config = format!("{DEFAULTS}listen l\n  bind {PLACE}\n  server s 127.0.0.1:9000 maxconn 1\n");
        same(&both, w, (w.home(), &config), &[(w.home(), PLACE)], || {
            let mut client = w.home().connect(PLACE);
            let mut accepted = server.accept();
            exchange(&client, &accepted);
            for _ in 0..3 {
                let next = w.home().connect(PLACE);
                server.expect_no_connection(SILENCE);
                finish(client, accepted);
                accepted = server.accept();
                exchange(&next, &accepted);
                client = next;
            }
        });
    });
}

#[test]
fn a_client_that_waits_for_too_long_is_closed_as_in_haproxy() {
    let both = require!(Proxy::both());
    world("timeout-queue", |w| {
        let server = w.home().listen("127.0.0.1:9000");
        let config = format!(
            "{DEFAULTS}listen l\n  bind {PLACE}\n  timeout queue 200ms\n  server s 127.0.0.1:9000 maxconn 1\n"
        );
        same(&both, w, (w.home(), &config), &[(w.home(), PLACE)], || {
            let client = w.home().connect(PLACE);
            let accepted = server.accept();
            w.home().connect(PLACE).expect_eof();
            exchange(&client, &accepted);
        });
    });
}

#[test]
fn a_dead_server_gives_way_to_another_as_in_haproxy() {
    let both = require!(Proxy::both());
    world("redispatch", |w| {
        let (services, _) = services(w, [""; 3]);
        let living = services[0].address();
        for balance in ["roundrobin", "first"] {
            let servers = format!("  server dead 127.0.0.1:9 weight 2\n  server living {living}\n");
            let settings = format!("  balance {balance}\n  retries 1\n  option redispatch\n");
            let settings = format!("{settings}  timeout connect 300ms\n");
            assert_eq!(order(w, &both, &settings, &servers, 3), ["one"; 3]);
        }
    });
}

#[test]
fn without_redispatch_a_dead_server_is_tried_again_until_it_lives() {
    world("retries", |w| {
        let config = format!(
            "{DEFAULTS}listen l\n  bind {PLACE}\n  retries 50\n  timeout connect 50ms\n  server s 127.0.0.1:9000\n"
        );
        let _running = run(w, w.home(), &config);
        let client = w.home().connect(PLACE);
        client.expect_silence(SILENCE);
        let server = w.home().listen("127.0.0.1:9000");
        exchange(&client, &server.accept());
    });
}
