//! What rules let pass, and where they send it: the same as under HAProxy, with the same configuration.

use std::net::SocketAddr;

use nsproxy_testkit::{DEFAULT_DEADLINE, Netns, Peer, Program, Service, World, require, world};
use socket2::{Domain, Socket, Type};

use crate::common::{
    DEFAULTS, Proxy, SILENCE, connect_from, exchange, joined, line_with, nsproxy, run, same, soon, v2_header,
};

const PLACE: &str = "127.0.0.1:8000";

/// How a client's connection went on: what it was told, or the error that ended it.
pub(crate) fn fate(client: &Peer) -> String {
    let mut told = Vec::new();
    let mut buffer = [0; 64];
    loop {
        match client.try_receive(&mut buffer) {
            Ok(0) => return String::from_utf8_lossy(&told).into_owned(),
            Ok(count) => told.extend_from_slice(&buffer[..count]),
            Err(error) => return format!("{:?}", error.kind()),
        }
    }
}

/// The same for a client with this address. A reset may come before the client knows that it is connected.
pub(crate) fn fate_from(home: &Netns, ip: &str) -> String {
    let connect = || {
        let [source, to]: [SocketAddr; 2] =
            [&format!("{ip}:0"), PLACE].map(|text| text.parse().expect("an address with port"));
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&source.into())?;
        socket.connect_timeout(&to.into(), DEFAULT_DEADLINE)?;
        Ok::<_, std::io::Error>(Peer::new(socket))
    };
    home.run(connect)
        .map_or_else(|error| format!("{:?}", error.kind()), |client| fate(&client))
}

/// Services that say their names, and a backend for each.
fn backends(w: &World, names: &[&'static str]) -> (Vec<Service>, String) {
    let services: Vec<_> = names
        .iter()
        .map(|name| Service::reply(w.home().listen("127.0.0.1:0"), *name))
        .collect();
    let sections = services
        .iter()
        .zip(names)
        .map(|(service, name)| format!("backend {name}\n  server s {}\n", service.address()));
    let sections = sections.collect();
    (services, sections)
}

/// What the same clients meet under both.
#[track_caller]
fn fates(w: &World, both: &[Proxy; 2], rules: &str, scene: impl Fn(&World) -> Vec<String>) -> Vec<String> {
    let (_services, sections) = backends(w, &["one", "two", "six"]);
    let config = format!("{DEFAULTS}frontend f\n  bind {PLACE}\n{rules}  default_backend one\n{sections}");
    same(both, w, (w.home(), &config), &[(w.home(), PLACE)], || scene(w))
}

#[test]
fn connections_are_rejected_and_sent_elsewhere_as_in_haproxy() {
    let both = require!(Proxy::both());
    world("rules-connection", |w| {
        let clients = |w: &World| {
            let from = |ip: &str| fate_from(w.home(), ip);
            ["127.0.0.2", "127.0.1.1", "127.0.2.7", "127.0.3.7", "127.9.0.1"]
                .map(from)
                .to_vec()
        };
        for (rules, expected) in [
            (
                "  tcp-request connection reject if { src 127.0.1.0/24 }\n  use_backend two if { src 127.0.2.0/24 }\n",
                ["one", "ConnectionReset", "two", "one", "one"],
            ),
            (
                "  acl low src 127.0.0.0/16\n  acl low src 127.9.0.1\n  tcp-request connection accept if low\n\
                 \x20 tcp-request connection reject\n  use_backend two if !low or { src -m end .7 } || { src_port 1 }\n",
                ["one", "one", "two", "two", "one"],
            ),
            (
                "  tcp-request session reject unless { src 127.0.0.0/22 }\n  use_backend six unless { dst_port 8000 }\n  use_backend two\n",
                ["two", "two", "two", "two", ""],
            ),
            (
                "  tcp-request content reject if { src,ipmask(24) 127.0.3.0 }\n  use_backend two if { nbsrv(two) eq 1 } { fe_name f } { be_conn(six) 0 } LOCALHOST\n",
                ["two", "two", "two", "", "two"],
            ),
        ] {
            assert_eq!(fates(w, &both, rules, clients), expected, "{rules}");
        }
    });
}

#[test]
fn addresses_that_rules_set_are_those_of_the_header_as_in_haproxy() {
    let both = require!(Proxy::both());
    world("rules-set", |w| {
        let server = w.home().listen("127.0.0.1:9000");
        for (rules, expected) in [
            (
                "  tcp-request connection set-src ipv4(192.0.2.1)\n  tcp-request connection set-src-port int(7)\n\
                 \x20 tcp-request connection set-dst-port int(9)\n",
                "PROXY TCP4 192.0.2.1 127.0.0.1 7 9\r\n",
            ),
            (
                "  tcp-request connection set-src src,ipmask(8) if { src 127.0.7.7 }\n  tcp-request connection set-dst ipv4(198.51.100.1)\n\
                 \x20 tcp-request connection set-src-port int(5) if { src 127.0.0.0 }\n",
                "PROXY TCP4 127.0.0.0 198.51.100.1 5 8000\r\n",
            ),
        ] {
            let config =
                format!("{DEFAULTS}listen l\n  bind {PLACE}\n{rules}  server s 127.0.0.1:9000 send-proxy\n");
            same(&both, w, (w.home(), &config), &[(w.home(), PLACE)], || {
                let client = connect_from(w.home(), "127.0.7.7:0", PLACE);
                let accepted = server.accept();
                accepted.expect(expected);
                exchange(&client, &accepted);
            });
        }
    });
}

#[test]
fn who_is_local_is_known_in_the_namespace_of_the_listener_as_in_haproxy() {
    let both = require!(Proxy::both());
    world("rules-local", |w| {
        let (far, near) = joined(w, ("far", "10.0.0.1/24"), ("near", "10.0.0.2/24"));
        let (_services, sections) = backends(w, &["one", "two"]);
        let config = format!(
            "{DEFAULTS}frontend f\n  bind 10.0.0.2:80 namespace near\n  bind 10.0.0.2:81 namespace near accept-proxy\n  bind {PLACE}\n\
             \x20 tcp-request connection reject unless {{ dst_is_local }}\n  use_backend two if {{ src_is_local }}\n\
             \x20 default_backend one\n{sections}"
        );
        let places = [(&near, "10.0.0.2:80"), (&near, "10.0.0.2:81"), (w.home(), PLACE)];
        let told = same(&both, w, (w.home(), &config), &places, || {
            let named = |source: &str| {
                let client = far.connect("10.0.0.2:81");
                client.send(v2_header(source, "10.0.0.2:81", None));
                fate(&client)
            };
            [
                fate(&far.connect("10.0.0.2:80")),
                fate(&near.connect("10.0.0.2:80")),
                named("10.0.0.2:1"),
                named("10.0.0.1:1"),
                named("127.9.9.9:1"),
                fate(&w.home().connect(PLACE)),
            ]
        });
        assert_eq!(told, ["one", "two", "two", "one", "two", "two"]);
    });
}

#[test]
fn a_header_is_expected_only_from_whom_rules_say_as_in_haproxy() {
    let both = require!(Proxy::both());
    world("rules-expect-proxy", |w| {
        let rules = "  tcp-request connection expect-proxy layer4 if { src 127.0.5.0/24 }\n\
                     \x20 tcp-request session reject if { fc_rcvd_proxy } !{ src 192.0.2.0/24 }\n\
                     \x20 use_backend two if { fc_rcvd_proxy } { dst 198.51.100.1 } { dst_port 2 }\n";
        let scene = |w: &World| {
            let with = |source: &str| {
                let client = connect_from(w.home(), "127.0.5.1:0", PLACE);
                client.send(v2_header(source, "198.51.100.1:2", None));
                fate(&client)
            };
            let without = fate(&connect_from(w.home(), "127.0.6.1:0", PLACE));
            vec![with("192.0.2.5:1"), with("192.0.3.5:1"), without]
        };
        assert_eq!(fates(w, &both, rules, scene), ["two", "", "one"]);
    });
}

#[test]
fn bytes_that_rules_have_looked_at_reach_the_server_in_order_as_in_haproxy() {
    let both = require!(Proxy::both());
    world("rules-content", |w| {
        let server = w.home().listen("127.0.0.1:9000");
        let other = w.home().listen("127.0.0.1:9001");
        let config = format!(
            "{DEFAULTS}frontend f\n  bind {PLACE}\n  tcp-request inspect-delay 10s\n\
             \x20 tcp-request content accept if {{ req.payload(0,4) -m str SSH- }}\n\
             \x20 tcp-request content reject if {{ req.len gt 20 }}\n\
             \x20 use_backend ssh if {{ req.payload(0,4) -m bin 5353482d }}\n  default_backend other\n\
             backend ssh\n  server s 127.0.0.1:9000\nbackend other\n  server s 127.0.0.1:9001\n"
        );
        same(&both, w, (w.home(), &config), &[(w.home(), PLACE)], || {
            let client = w.home().connect(PLACE);
            for byte in "SSH".bytes() {
                client.send([byte]);
                server.expect_no_connection(SILENCE / 4);
            }
            client.send("-2.0");
            let accepted = server.accept();
            accepted.expect("SSH-2.0");
            exchange(&client, &accepted);
            // What is too long is none.
            let long = w.home().connect(PLACE);
            long.send("x".repeat(21));
            long.expect_closed();
            server.expect_no_connection(SILENCE / 4);
            other.expect_no_connection(SILENCE / 4);
        });
    });
}

#[test]
fn who_says_nothing_is_let_through_when_the_delay_is_over_as_in_haproxy() {
    let both = require!(Proxy::both());
    world("rules-delay", |w| {
        let rules = "  tcp-request inspect-delay 200ms\n  tcp-request content accept if { req.ssl_hello_type 1 }\n\
                     \x20 tcp-request content reject if REQ_CONTENT\n  use_backend two if WAIT_END\n";
        let scene = |w: &World| {
            let silent = fate(&w.home().connect(PLACE));
            let talking = w.home().connect(PLACE);
            talking.send("GET / HTTP/1.0\r\n\r\n");
            vec![silent, fate(&talking)]
        };
        assert_eq!(fates(w, &both, rules, scene), ["two", ""]);
    });
}

#[test]
fn a_backend_has_rules_of_its_own_as_in_haproxy() {
    let both = require!(Proxy::both());
    world("rules-backend", |w| {
        let server = w.home().listen("127.0.0.1:9000");
        let config = format!(
            "{DEFAULTS}frontend f\n  bind {PLACE}\n  tcp-request inspect-delay 10s\n  tcp-request content accept if {{ req.len ge 1 }}\n\
             \x20 use_backend named if {{ req.payload(0,1) -m str n }}\n  default_backend own\n\
             backend named\n  tcp-request inspect-delay 10s\n  tcp-request content reject if {{ req.payload(0,3) -m str nay }}\n\
             \x20 tcp-request content accept if {{ req.len ge 4 }}\n  server s 127.0.0.1:9000\n\
             backend own\n  tcp-request content reject if {{ src 127.0.0.2 }}\n  server s 127.0.0.1:9000\n"
        );
        same(&both, w, (w.home(), &config), &[(w.home(), PLACE)], || {
            let client = w.home().connect(PLACE);
            for byte in "nor".bytes() {
                client.send([byte]);
                server.expect_no_connection(SILENCE / 4);
            }
            client.send("th");
            let accepted = server.accept();
            accepted.expect("north");
            exchange(&client, &accepted);
            let rejected = w.home().connect(PLACE);
            rejected.send("nay");
            rejected.expect_closed();
            let own = w.home().connect(PLACE);
            own.send("own");
            server.accept().expect("own");
            let refused = connect_from(w.home(), "127.0.0.2:0", PLACE);
            refused.send("own");
            refused.expect_closed();
            server.expect_no_connection(SILENCE / 4);
        });
    });
}

#[test]
fn the_log_says_which_rules_have_rejected_a_connection() {
    world("rules-log", |w| {
        let (_services, sections) = backends(w, &["one"]);
        let config = format!(
            "{DEFAULTS}frontend f\n  bind {PLACE}\n  tcp-request connection reject if {{ src 127.0.0.2 }}\n\
             \x20 tcp-request session reject if {{ src 127.0.0.3 }}\n  tcp-request content reject if {{ src 127.0.0.4 }}\n\
             \x20 default_backend one\n{sections}"
        );
        let running = run(w, w.home(), &config);
        for (ip, stage) in [
            ("127.0.0.2", "connection"),
            ("127.0.0.3", "session"),
            ("127.0.0.4", "content"),
        ] {
            fate_from(w.home(), ip);
            line_with(
                &running,
                &[
                    &format!("client={ip}:"),
                    &format!("rejected by a rule about the {stage}"),
                ],
            );
        }
    });
}

#[test]
fn connections_that_rules_reject_are_said_only_when_all_are() {
    world("rules-quiet", |w| {
        let (_services, sections) = backends(w, &["one"]);
        let config = format!(
            "{DEFAULTS}frontend f\n  bind {PLACE}\n  tcp-request connection reject if {{ src 127.0.0.2 }}\n\
             \x20 tcp-request session reject if {{ src 127.0.0.3 }}\n  default_backend one\n{sections}"
        );
        let path = w.write("nsproxy.cfg", &config);
        let mut command = nsproxy(&["run", "-f"]);
        command.arg(path);
        let running = w.home().spawn(command);
        w.home().wait_listening(PLACE, soon());
        for ip in ["127.0.0.2", "127.0.0.3"] {
            fate_from(w.home(), ip);
        }
        line_with(&running, &["rejected by a rule about the session"]);
        let printed = running.stderr();
        assert!(!printed.contains("about the connection"), "{printed}");
    });
}

#[test]
fn connections_that_rules_reject_do_not_count_against_the_rate_as_in_haproxy() {
    let both = require!(Proxy::both());
    world("rules-rate", |w| {
        // As many seconds as there are of them would be longer than any test waits.
        let rules = "  rate-limit sessions 1\n  tcp-request connection reject if { src 127.0.0.2 }\n";
        let scene = |w: &World| {
            for _ in 0..20 {
                let rejected = fate_from(w.home(), "127.0.0.2");
                assert_eq!(rejected, "ConnectionReset");
            }
            vec![fate_from(w.home(), "127.0.0.1")]
        };
        assert_eq!(fates(w, &both, rules, scene), ["one"]);
    });
}

#[test]
fn tls_clients_reach_the_server_of_the_name_that_they_ask_for_as_in_haproxy() {
    let both = require!(Proxy::both());
    let openssl = require!(Program::find("openssl"));
    let curl = require!(Program::find("curl"));
    world("rules-sni", |w| {
        let servers = ["9001", "9002", "9003"].map(|port| w.home().listen(&*format!("127.0.0.1:{port}")));
        let config = format!(
            "{DEFAULTS}frontend f\n  bind {PLACE}\n  tcp-request inspect-delay 10s\n\
             \x20 tcp-request content accept if {{ req.ssl_hello_type 1 }}\n\
             \x20 use_backend exact if {{ req.ssl_sni -i a.example }}\n\
             \x20 use_backend under if {{ req.ssl_sni,lower -m end .b.example }} {{ req.ssl_alpn h2 }} {{ req.ssl_ver ge 3.3 }}\n\
             \x20 default_backend other\n\
             backend exact\n  server s 127.0.0.1:9001\nbackend under\n  server s 127.0.0.1:9002\n\
             backend other\n  server s 127.0.0.1:9003\n"
        );
        let names = [("A.example", 0), ("www.B.example", 1), ("b.example", 2), ("", 2)];
        same(&both, w, (w.home(), &config), &[(w.home(), PLACE)], || {
            for (name, server) in names {
                let mut command = openssl.command();
                command.args(["s_client", "-connect", PLACE, "-alpn", "http/1.1,h2"]);
                if name.is_empty() {
                    command.arg("-noservername");
                } else {
                    command.args(["-servername", name]);
                }
                let _client = w.home().spawn(command);
                let hello = first_record(&servers[server].accept());
                // The same again, byte by byte.
                let client = w.home().connect(PLACE);
                for byte in &hello {
                    client.send([*byte]);
                }
                let accepted = servers[server].accept();
                accepted.expect(&hello);
                exchange(&client, &accepted);
            }
            let mut command = curl.command();
            command.args([
                "--silent",
                "--resolve",
                "a.example:8000:127.0.0.1",
                "https://a.example:8000/",
            ]);
            let _client = w.home().spawn(command);
            first_record(&servers[0].accept());
        });
    });
}

/// The first TLS record that a client sends.
#[track_caller]
fn first_record(peer: &Peer) -> Vec<u8> {
    let mut record = peer.read_exact(5);
    assert_eq!(record[0], 22, "no handshake");
    record.extend(peer.read_exact(usize::from(u16::from_be_bytes([record[3], record[4]]))));
    record
}

#[test]
fn a_hello_in_several_records_and_a_namespace_decide_where_a_client_goes() {
    world("rules-netns", |w| {
        let (blue, relay) = joined(w, ("blue", "10.0.0.1/24"), ("relay", "10.0.0.2/24"));
        let in_blue = blue.listen("127.0.0.1:443");
        let here = relay.listen("127.0.0.1:9000");
        let config = format!(
            "{DEFAULTS}namespace_list\n  namespace blue\n\
             frontend f\n  bind 10.0.0.1:443 namespace blue\n  bind {PLACE} accept-proxy\n  tcp-request inspect-delay 10s\n\
             \x20 tcp-request session reject if {{ fc_pp_netns red }}\n\
             \x20 tcp-request content reject unless {{ req.ssl_sni -m found }}\n\
             \x20 use_backend follow if {{ fc_netns blue }} {{ req.ssl_sni a.example }}\n  default_backend here\n\
             backend follow\n  server s 127.0.0.1:443 namespace *\nbackend here\n  server s 127.0.0.1:9000\n"
        );
        let _running = run(w, &relay, &config);
        let hello = split_hello("a.example");
        let direct = blue.connect("10.0.0.1:443");
        direct.send(&hello);
        let accepted = in_blue.accept();
        accepted.expect(&hello);
        exchange(&direct, &accepted);
        for (netns, server) in [(Some("blue"), &in_blue), (None, &here)] {
            let client = relay.connect(PLACE);
            client.send([v2_header("192.0.2.1:1", "192.0.2.2:2", netns), hello.clone()].concat());
            let accepted = server.accept();
            accepted.expect(&hello);
            exchange(&client, &accepted);
        }
        let refused = relay.connect(PLACE);
        refused.send(v2_header("192.0.2.1:1", "192.0.2.2:2", Some("red")));
        refused.expect_closed();
    });
}

/// A `ClientHello` with this name, in records of ten bytes.
pub(crate) fn split_hello(name: &str) -> Vec<u8> {
    let two = |length: usize| u16::try_from(length).expect("short").to_be_bytes();
    let entry = [&[0], &two(name.len())[..], name.as_bytes()].concat();
    let list = [&two(entry.len())[..], &entry].concat();
    let extension = [&[0, 0], &two(list.len())[..], &list].concat();
    let random = [9; 32];
    let rest = [
        &b"\x00\x00\x02\x13\x01\x01\x00"[..],
        &two(extension.len()),
        &extension,
    ]
    .concat();
    let body = [&[3, 3], &random[..], &rest].concat();
    let message = [&[1, 0], &two(body.len())[..], &body].concat();
    let record = |part: &[u8]| [&b"\x16\x03\x01"[..], &two(part.len()), part].concat();
    message.chunks(10).flat_map(record).collect()
}
