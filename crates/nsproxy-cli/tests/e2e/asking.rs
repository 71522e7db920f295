//! What rules ask about listeners, backends and servers, and what a server is chosen by: the same as under HAProxy.

use nsproxy_testkit::{Service, World, require, world};

use crate::common::{DEFAULTS, Proxy, connect_from, exchange, same};
use crate::rules::fate;

/// Services at these ports, which say their names.
fn services(w: &World, names: &[(u16, &'static str)]) -> Vec<Service> {
    let listen = |port| w.home().listen(format!("127.0.0.1:{port}").as_str());
    names
        .iter()
        .map(|(port, name)| Service::reply(listen(*port), *name))
        .collect()
}

#[test]
fn the_socket_that_a_client_came_in_by_decides_as_in_haproxy() {
    let proxies = require!(Proxy::both());
    world("so-id", |w| {
        let _services = services(
            w,
            &[
                (9001, "first"),
                (9002, "named"),
                (9003, "seventh"),
                (9004, "fourth"),
                (9005, "other"),
            ],
        );
        let config = format!(
            "{DEFAULTS}frontend f\n  bind 127.0.0.1:8001\n  bind 127.0.0.1:8002 name public\n  bind 127.0.0.1:8003 id 7\n\
             \x20 bind 127.0.0.1:8004,127.0.0.1:8005\n\
             \x20 use_backend named if {{ so_name public }}\n  use_backend first if {{ so_id 1 }}\n\
             \x20 use_backend seventh if {{ so_id 7 }}\n  use_backend fourth if {{ so_id 4 }}\n  default_backend other\n\
             backend first\n  server s 127.0.0.1:9001\nbackend named\n  server s 127.0.0.1:9002\n\
             backend seventh\n  server s 127.0.0.1:9003\nbackend fourth\n  server s 127.0.0.1:9004\nbackend other\n  server s 127.0.0.1:9005\n"
        );
        let told = same(
            &proxies,
            w,
            (w.home(), &config),
            &[(w.home(), "127.0.0.1:8005")],
            || {
                [8001, 8002, 8003, 8004, 8005]
                    .map(|port| fate(&w.home().connect(format!("127.0.0.1:{port}").as_str())))
            },
        );
        assert_eq!(told, ["first", "named", "seventh", "fourth", "other"]);
    });
}

#[test]
fn how_servers_stand_decides_as_in_haproxy() {
    let proxies = require!(Proxy::both());
    world("srv-conn", |w| {
        let origin = w.home().listen("127.0.0.1:9001");
        let _services = services(w, &[(9002, "spilled"), (9003, "down"), (9004, "no limit")]);
        let config = format!(
            "{DEFAULTS}frontend f\n  bind 127.0.0.1:8001\n  bind 127.0.0.1:8002\n\
             \x20 acl second dst_port 8002\n\
             \x20 use_backend down if second !{{ srv_is_up(main/off) }} {{ srv_is_up(main/s) }} {{ srv_queue(main/s) 0 }}\n\
             \x20 use_backend none if {{ connslots(open) ge 0 }}\n\
             \x20 use_backend spill if {{ srv_conn(main/s) ge 1 }} {{ connslots(main) lt 4 }}\n  default_backend main\n\
             backend main\n  server s 127.0.0.1:9001 maxconn 2 maxqueue 2\n  server off 127.0.0.1:9001 disabled maxconn 1 maxqueue 1\n\
             backend spill\n  server s 127.0.0.1:9002\nbackend down\n  server s 127.0.0.1:9003\n\
             backend none\n  server s 127.0.0.1:9004\nbackend open\n  server s 127.0.0.1:9004 maxconn 3\n"
        );
        let told = same(
            &proxies,
            w,
            (w.home(), &config),
            &[(w.home(), "127.0.0.1:8002")],
            || {
                let first = w.home().connect("127.0.0.1:8001");
                exchange(&first, &origin.accept());
                ["127.0.0.1:8001", "127.0.0.1:8002"].map(|place| fate(&w.home().connect(place)))
            },
        );
        assert_eq!(told, ["spilled", "down"]);
    });
}

#[test]
fn bytes_that_are_counted_decide_as_in_haproxy() {
    let proxies = require!(Proxy::both());
    world("payload-lv", |w| {
        let _services = services(
            w,
            &[
                (9001, "right behind"),
                (9002, "later"),
                (9003, "from the start"),
                (9004, "none"),
            ],
        );
        let config = format!(
            "{DEFAULTS}frontend f\n  bind 127.0.0.1:8001\n  tcp-request inspect-delay 2s\n\
             \x20 tcp-request content accept if {{ req.payload_lv(0,2) -m found }}\n\
             \x20 use_backend one if {{ req.payload_lv(0,2) -m str abc }}\n\
             \x20 use_backend two if {{ req.payload_lv(0,1,+3) -m str xyz }}\n\
             \x20 use_backend three if {{ req.payload_lv(1,1,0) -m bin 0003 }} or {{ req.payload_lv(1,1,0) -m bin 000361 }}\n\
             \x20 default_backend none\n\
             backend one\n  server s 127.0.0.1:9001\nbackend two\n  server s 127.0.0.1:9002\n\
             backend three\n  server s 127.0.0.1:9003\nbackend none\n  server s 127.0.0.1:9004\n"
        );
        let told = same(
            &proxies,
            w,
            (w.home(), &config),
            &[(w.home(), "127.0.0.1:8001")],
            || {
                [
                    &b"\x00\x03abc"[..],
                    b"\x03\x02..xyz",
                    b"\x00\x03aXX",
                    b"\x00\x03XYZ",
                ]
                .map(|bytes| {
                    let client = w.home().connect("127.0.0.1:8001");
                    client.send(bytes);
                    client.half_close();
                    fate(&client)
                })
            },
        );
        assert_eq!(told[0], "right behind");
    });
}

#[test]
fn a_hash_of_any_value_chooses_the_server_that_haproxy_chooses() {
    let proxies = require!(Proxy::both());
    world("balance-hash", |w| {
        let _services = services(w, &[(9001, "1"), (9002, "2"), (9003, "3"), (9004, "4")]);
        for (key, kind) in [
            ("src", ""),
            ("src,ipmask(24)", "  hash-type consistent\n"),
            ("src_port", ""),
            ("src_port", "  hash-type consistent\n"),
            ("str(the-same)", ""),
            ("fe_name,upper", "  hash-type consistent\n"),
            ("req.ssl_sni", ""),
        ] {
            let config = format!(
                "{DEFAULTS}listen l\n  bind 127.0.0.1:8000\n  balance hash {key}\n{kind}\
                 \x20 server a 127.0.0.1:9001\n  server b 127.0.0.1:9002 weight 3\n  server c 127.0.0.1:9003\n  server d 127.0.0.1:9004\n"
            );
            same(
                &proxies,
                w,
                (w.home(), &config),
                &[(w.home(), "127.0.0.1:8000")],
                || {
                    let clients = (1..=12).map(|n| format!("127.0.{n}.{n}:{}", 5000 + 37 * n));
                    clients
                        .map(|client| fate(&connect_from(w.home(), &client, "127.0.0.1:8000")))
                        .collect::<Vec<_>>()
                },
            );
        }
    });
}
