//! PROXY headers in and out, compared with HAProxy's where the two are meant to agree.
//!
//! HAProxy runs the same text in the same place, and clients use the same ports, so headers are compared byte for byte.
//! Where nsproxy is meant to differ, the test says so and runs nsproxy alone.

use nsproxy_testkit::{
    DEFAULT_DEADLINE, Listener, Netns, Peer, Rng, Running, World, eventually, require, world,
};
use proxy_proto::{Addresses, Command, Transport, v2};

use crate::common::{
    DEFAULTS, Proxy, SILENCE, connect_from, exchange, joined, line_with, meaning, read_header, run, same,
    v2_header,
};
use crate::rules::split_hello;

/// Where the relay of these tests listens, in whichever namespace.
const LISTEN: &str = "127.0.0.1:8000";
/// Where its server is.
const SERVER: &str = "127.0.0.1:9000";
const CLIENT: &str = "127.0.0.1:40000";
/// What version 1 says of a connection from there to there.
const REAL_V1: &[u8] = b"PROXY TCP4 127.0.0.1 127.0.0.1 40000 8000\r\n";
/// A version 2 header for the sender's own connection.
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00";

/// A relay with these words behind `bind` and `server`; `tenant1` and `tenant2` may be selected.
fn config(bind: &str, server: &str) -> String {
    format!(
        "namespace_list\n  namespace tenant1 tenant2\n{DEFAULTS}listen l\n  bind {LISTEN} {bind}\n\
         \x20 server s {SERVER} {server}\n"
    )
}

/// Namespaces `tenant1` and `tenant2` without links, and `relay` for nsproxy.
fn namespaces(w: &World) -> [Netns; 3] {
    ["relay", "tenant1", "tenant2"].map(|name| w.add_netns(name))
}

/// A relay with these words behind `bind`, in the namespace `listener`. Of each case, it has the first as words behind
/// `server`; a client sends the second; and HAProxy and nsproxy send on the third, byte for byte.
#[track_caller]
fn sends_on(name: &str, listener: &str, bind: &str, cases: &[(&str, &[u8], &[u8])]) {
    let both = require!(Proxy::both());
    world(name, |w| {
        let [relay, ..] = namespaces(w);
        let listener = w.netns(listener);
        let server = relay.listen(SERVER);
        for (send, first, expected) in cases {
            let header = same(
                &both,
                w,
                (&relay, &config(bind, send)),
                &[(&listener, LISTEN)],
                || {
                    let client = connect_from(&listener, CLIENT, LISTEN);
                    client.send(first);
                    let accepted = server.accept();
                    let header = read_header(&accepted);
                    exchange(&client, &accepted);
                    client.reset();
                    header
                },
            );
            assert_eq!(header, *expected, "{send} after {}", first.escape_ascii());
        }
    });
}

#[test]
fn the_addresses_of_the_client_connection_are_sent_and_no_namespace_when_it_has_none() {
    let v2 = v2_header(CLIENT, LISTEN, None);
    let cases: [(&str, &[u8], &[u8]); 2] = [("send-proxy", b"", REAL_V1), ("send-proxy-v2", b"", &v2)];
    sends_on("send-proxy", "relay", "", &cases);
}

#[test]
fn version_2_carries_the_namespace_of_the_listener() {
    let v2 = v2_header(CLIENT, LISTEN, Some("tenant1"));
    let cases: [(&str, &[u8], &[u8]); 2] = [("send-proxy", b"", REAL_V1), ("send-proxy-v2", b"", &v2)];
    sends_on("send-proxy-netns", "tenant1", "namespace tenant1", &cases);
}

#[test]
fn version_2_carries_a_checksum_on_demand() {
    let send = "send-proxy-v2 proxy-v2-options crc32c";
    let plain = v2_header_with_checksum(None);
    sends_on("send-proxy-crc32c", "relay", "", &[(send, b"", &plain)]);
    let with_netns = v2_header_with_checksum(Some("tenant1"));
    let cases: [(&str, &[u8], &[u8]); 1] = [(send, b"", &with_netns)];
    sends_on("send-proxy-crc32c-netns", "tenant1", "namespace tenant1", &cases);
}

/// As HAProxy has it: the checksum before the namespace.
fn v2_header_with_checksum(netns: Option<&str>) -> Vec<u8> {
    let [source, destination] = [CLIENT, LISTEN].map(|text| text.parse().expect("an address with port"));
    let addresses = Addresses::promoted(Transport::Stream, source, destination);
    let header = v2::to_vec(Command::Proxy(addresses), |header| {
        header.crc32c();
        if let Some(name) = netns {
            header.netns(name.as_bytes());
        }
    });
    header.expect("a name that is short enough")
}

#[test]
fn a_received_version_1_header_is_sent_on_in_both_versions() {
    let received = b"PROXY TCP4 192.0.2.1 198.51.100.7 1234 80\r\n";
    let v2 = v2_header("192.0.2.1:1234", "198.51.100.7:80", Some("tenant1"));
    let cases: [(&str, &[u8], &[u8]); 2] = [
        ("send-proxy", received, received),
        ("send-proxy-v2", received, &v2),
    ];
    sends_on("v1-sent-on", "tenant1", "accept-proxy namespace tenant1", &cases);
}

#[test]
fn a_received_version_2_header_is_sent_on_in_both_versions_with_its_own_namespace() {
    let v4 = v2_header("192.0.2.1:1234", "198.51.100.7:80", Some("tenant2"));
    let v6 = v2_header("[2001:db8::1]:1234", "[2001:db8::7]:80", Some("tenant2"));
    let cases: [(&str, &[u8], &[u8]); 4] = [
        ("send-proxy-v2", &v4, &v4),
        ("send-proxy-v2", &v6, &v6),
        (
            "send-proxy",
            &v4,
            b"PROXY TCP4 192.0.2.1 198.51.100.7 1234 80\r\n",
        ),
        (
            "send-proxy",
            &v6,
            b"PROXY TCP6 2001:db8::1 2001:db8::7 1234 80\r\n",
        ),
    ];
    sends_on("v2-sent-on", "tenant1", "accept-proxy namespace tenant1", &cases);
}

#[test]
fn an_ipv4_address_written_as_ipv6_is_sent_on_as_it_came() {
    let received = b"PROXY TCP6 2001:db8::1 ::ffff:198.51.100.7 1234 80\r\n";
    let v2 = v2_header("[2001:db8::1]:1234", "[::ffff:198.51.100.7]:80", None);
    sends_on(
        "mapped-sent-on",
        "relay",
        "accept-proxy",
        &[("send-proxy-v2", received, &v2)],
    );
}

#[test]
fn after_a_header_without_addresses_the_real_ones_are_sent_on() {
    let v2 = v2_header(CLIENT, LISTEN, Some("tenant1"));
    let cases: [(&str, &[u8], &[u8]); 4] = [
        ("send-proxy", LOCAL, REAL_V1),
        ("send-proxy-v2", LOCAL, &v2),
        ("send-proxy", b"PROXY UNKNOWN\r\n", REAL_V1),
        ("send-proxy-v2", b"PROXY UNKNOWN\r\n", &v2),
    ];
    sends_on(
        "real-sent-on",
        "tenant1",
        "accept-proxy namespace tenant1",
        &cases,
    );
}

#[test]
fn a_client_on_a_unix_socket_is_unknown_in_version_1_and_local_in_version_2() {
    let both = require!(Proxy::both());
    world("unix-client", |w| {
        let [relay, ..] = namespaces(w);
        let server = relay.listen(SERVER);
        let expected: [(&str, &[u8]); 2] = [("send-proxy", b"PROXY UNKNOWN\r\n"), ("send-proxy-v2", LOCAL)];
        for (send, expected) in expected {
            let config =
                format!("{DEFAULTS}listen l\n  bind /run/world/socket\n  server s {SERVER} {send}\n");
            let header = same(&both, w, (&relay, &config), &[], || {
                // HAProxy binds another path and renames it when it listens; the one before leaves its path behind.
                let client = eventually(DEFAULT_DEADLINE, "a listener", || {
                    Peer::try_connect("unix:/run/world/socket").ok()
                });
                let accepted = server.accept();
                let header = read_header(&accepted);
                exchange(&client, &accepted);
                header
            });
            assert_eq!(header, expected, "{send}");
        }
    });
}

#[test]
fn an_ipv4_client_of_an_ipv6_listener_is_sent_on_as_haproxy_does() {
    let both = require!(Proxy::both());
    world("dual-stack", |w| {
        let [relay, ..] = namespaces(w);
        let server = relay.listen(SERVER);
        let v1 = b"PROXY TCP6 ::ffff:127.0.0.1 ::ffff:127.0.0.1 40000 8000\r\n".to_vec();
        let v2 = v2_header("[::ffff:127.0.0.1]:40000", "[::ffff:127.0.0.1]:8000", None);
        for (send, expected) in [("send-proxy", v1), ("send-proxy-v2", v2)] {
            let config = format!("{DEFAULTS}listen l\n  bind [::]:8000\n  server s {SERVER} {send}\n");
            let header = same(&both, w, (&relay, &config), &[(&relay, "[::]:8000")], || {
                let client = connect_from(&relay, CLIENT, LISTEN);
                let accepted = server.accept();
                let header = read_header(&accepted);
                exchange(&client, &accepted);
                client.reset();
                header
            });
            assert_eq!(header, expected, "{send}");
        }
    });
}

/// nsproxy in `relay` with this configuration, and its server.
fn alone(w: &World, relay: &Netns, config: &str) -> (Running, Listener) {
    let server = relay.listen(SERVER);
    (run(w, relay, config), server)
}

/// HAProxy answers a header that comes in pieces with a reset.
#[test]
fn a_header_that_comes_byte_by_byte_is_sent_on_whole() {
    world("bytewise", |w| {
        let [relay, ..] = namespaces(w);
        let (_running, server) = alone(w, &relay, &config("accept-proxy", "send-proxy-v2"));
        let received = v2_header("192.0.2.1:1234", "198.51.100.7:80", Some("tenant1"));
        let client = relay.connect(LISTEN);
        client.send_in_chunks(&received, 1, &mut Rng::new(0));
        let accepted = server.accept();
        assert_eq!(read_header(&accepted), received);
        exchange(&client, &accepted);
    });
}

/// HAProxy lets it through into the listener's namespace.
#[test]
fn an_unlisted_namespace_closes_the_connection_where_the_server_would_follow_it() {
    world("unlisted-closed", |w| {
        let [relay, tenant, _] = namespaces(w);
        w.add_netns("tenant3");
        let servers = [&relay, &tenant, &w.netns("tenant3")].map(|netns| netns.listen(SERVER));
        let running = run(
            w,
            &relay,
            &config("accept-proxy namespace tenant1", "namespace *"),
        );
        for name in ["tenant3", "nowhere"] {
            let client = tenant.connect(LISTEN);
            client.send(v2_header("192.0.2.1:1234", "198.51.100.7:80", Some(name)));
            client.expect_closed();
            line_with(
                &running,
                &[
                    "netns-refused relay=l",
                    &format!("name=\"{name}\""),
                    "connection closed",
                ],
            );
        }
        line_with(
            &running,
            &["session ", "names a namespace that it may not select"],
        );
        for server in &servers {
            server.expect_no_connection(SILENCE);
        }
    });
}

#[test]
fn an_unlisted_namespace_leaves_the_listeners_where_the_server_is_fixed() {
    world("unlisted-fixed", |w| {
        let [relay, tenant, _] = namespaces(w);
        let (running, server) = alone(
            w,
            &relay,
            &config("accept-proxy namespace tenant1", "send-proxy-v2"),
        );
        let client = tenant.connect(LISTEN);
        client.send(v2_header("192.0.2.1:1234", "198.51.100.7:80", Some("nowhere")));
        let accepted = server.accept();
        let (_, netns) = meaning(&read_header(&accepted));
        assert_eq!(netns.as_deref(), Some("tenant1"));
        exchange(&client, &accepted);
        line_with(
            &running,
            &[
                "netns-refused relay=l",
                "name=\"nowhere\"",
                "the listener's namespace applies",
            ],
        );
    });
}

/// Control characters in a name must not make lines of their own in the log.
#[test]
fn a_namespace_name_is_escaped_in_the_log() {
    world("unlisted-escaped", |w| {
        let [relay, tenant, _] = namespaces(w);
        let running = run(
            w,
            &relay,
            &config("accept-proxy namespace tenant1", "namespace *"),
        );
        let client = tenant.connect(LISTEN);
        client.send(v2_header(
            "192.0.2.1:1234",
            "198.51.100.7:80",
            Some("a\"\nb\x1b[2J"),
        ));
        client.expect_closed();
        line_with(&running, &["netns-refused", r#"name="a\"\nb\x1b[2J""#]);
    });
}

#[test]
fn the_header_reaches_a_server_in_another_network_before_the_payload() {
    world("header-first", |w| {
        let (tenant, relay) = joined(w, ("tenant1", "10.0.0.1/24"), ("relay", "10.0.0.2/24"));
        let server = tenant.listen("10.0.0.1:9000");
        let config = format!("{DEFAULTS}listen l\n  bind {LISTEN}\n  server s 10.0.0.1:9000 send-proxy\n");
        let _running = run(w, &relay, &config);
        let client = connect_from(&relay, CLIENT, LISTEN);
        client.send("payload");
        server
            .accept()
            .expect("PROXY TCP4 127.0.0.1 127.0.0.1 40000 8000\r\npayload");
    });
}

#[test]
fn pass_proxy_hands_the_tlvs_of_the_received_header_on() {
    world("pass-proxy", |w| {
        let [relay, ..] = namespaces(w);
        let (_running, server) = alone(w, &relay, &config("accept-proxy", "send-proxy-v2 pass-proxy"));
        let addresses = Addresses::promoted(
            Transport::Stream,
            "192.0.2.1:1234".parse().unwrap(),
            "198.51.100.7:80".parse().unwrap(),
        );
        let header = v2::to_vec(Command::Proxy(addresses), |header| {
            header
                .authority("example.org")
                .netns(b"tenant2")
                .unique_id(b"one");
        });
        let header = header.unwrap();
        let client = relay.connect(LISTEN);
        client.send(&header);
        let accepted = server.accept();
        accepted.expect(&header);
        exchange(&client, &accepted);
    });
}

#[test]
fn the_server_is_told_the_name_that_a_tls_client_asks_for_unless_a_header_has_one() {
    world("authority", |w| {
        let server = w.home().listen("127.0.0.1:9000");
        let config = format!(
            "{DEFAULTS}listen l\n  bind 127.0.0.1:8000\n  bind 127.0.0.1:8001 accept-proxy\n  tcp-request inspect-delay 10s\n\
             \x20 tcp-request content accept if {{ req.ssl_hello_type 1 }}\n\
             \x20 server s 127.0.0.1:9000 send-proxy-v2 proxy-v2-options authority\n"
        );
        let _running = run(w, w.home(), &config);
        let addresses = Addresses::promoted(
            Transport::Stream,
            "192.0.2.1:1234".parse().unwrap(),
            "198.51.100.7:80".parse().unwrap(),
        );
        let mut named = [0; 256];
        let length = v2::Builder::proxy(&mut named, addresses)
            .authority("b.example")
            .finish()
            .unwrap();
        let hello = split_hello("a.example");
        for (place, header, says, name) in [
            ("127.0.0.1:8000", &[][..], &hello[..], Some("a.example")),
            ("127.0.0.1:8001", &named[..length], &hello[..], Some("b.example")),
            ("127.0.0.1:8000", &[][..], &b"no TLS"[..], None),
        ] {
            let client = w.home().connect(place);
            client.send([header, says].concat());
            let accepted = server.accept();
            let header = read_header(&accepted);
            let parsed = proxy_proto::parse(&header).unwrap().header;
            assert_eq!(parsed.authority(), name.map(str::as_bytes), "{place}");
            accepted.expect(says);
            exchange(&client, &accepted);
        }
    });
}
