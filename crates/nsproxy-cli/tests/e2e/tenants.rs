//! Networks that cannot see each other and use the same addresses, and the ways to reach them.

use nsproxy_testkit::{Address, Netns, Peer, Program, Service, World, require, world};

use crate::common::{
    DEFAULTS, connect_from, divert, exchange, expect_meaning, joined, line_with, meaning, peer_ip,
    read_header, run, take_all,
};

/// `tenant1` and `tenant2`, each with 10.0.0.1 and a neighbour `host1` or `host2` at 10.0.0.5.
fn overlapping(w: &World) -> ([Netns; 2], [Netns; 2]) {
    let pairs = [("tenant1", "host1"), ("tenant2", "host2")];
    let tenants = pairs.map(|(tenant, host)| joined(w, (tenant, "10.0.0.1/24"), (host, "10.0.0.5/24")));
    let [(tenant1, host1), (tenant2, host2)] = tenants;
    ([tenant1, tenant2], [host1, host2])
}

#[test]
fn the_same_address_is_reached_in_each_tenant() {
    world("overlapping-servers", |w| {
        let (_, hosts) = overlapping(w);
        let servers = hosts.each_ref().map(|host| host.listen("10.0.0.5:80"));
        let config = format!(
            "{DEFAULTS}listen one\n  bind 127.0.0.1:8001\n  server s 10.0.0.5:80 namespace tenant1\n\
             listen two\n  bind 127.0.0.1:8002\n  server s 10.0.0.5:80 namespace tenant2\n"
        );
        let _running = run(w, w.home(), &config);
        for _ in 0..3 {
            for (address, server) in ["127.0.0.1:8001", "127.0.0.1:8002"].into_iter().zip(&servers) {
                exchange(&w.home().connect(address), &server.accept());
            }
        }
    });
}

#[test]
fn many_connections_at_once_land_where_they_belong() {
    world("overlapping-many", |w| {
        let (_, hosts) = overlapping(w);
        let _services = hosts
            .each_ref()
            .map(|host| Service::reply(host.listen("10.0.0.5:80"), host.name()));
        let config = format!(
            "{DEFAULTS}listen one\n  bind 127.0.0.1:8001\n  server s 10.0.0.5:80 namespace tenant1\n\
             listen two\n  bind 127.0.0.1:8002\n  server s 10.0.0.5:80 namespace tenant2\n"
        );
        let _running = run(w, w.home(), &config);
        let places = [("127.0.0.1:8001", "host1"), ("127.0.0.1:8002", "host2")];
        let peers: Vec<_> = w.home().run(|| {
            let both = (0..100).flat_map(|_| places);
            both.map(|(address, host)| (Peer::connect(address), host))
                .collect()
        });
        for (peer, host) in &peers {
            peer.expect(host);
            peer.expect_eof();
        }
    });
}

#[test]
fn the_same_address_is_listened_at_in_each_tenant() {
    world("overlapping-listeners", |w| {
        let (_, hosts) = overlapping(w);
        let server = w.home().listen("127.0.0.1:9000");
        let config = format!(
            "{DEFAULTS}frontend f\n  bind 10.0.0.1:80 namespace tenant1\n  bind 10.0.0.1:80 namespace tenant2\n\
             \x20 default_backend b\nbackend b\n  server s 127.0.0.1:9000 send-proxy-v2\n"
        );
        let _running = run(w, w.home(), &config);
        for (host, tenant) in hosts.iter().zip(["tenant1", "tenant2"]) {
            let client = connect_from(host, "10.0.0.5:40000", "10.0.0.1:80");
            let accepted = server.accept();
            let (addresses, netns) = meaning(&read_header(&accepted));
            assert_eq!(
                addresses.map(|(source, _)| source),
                Some("10.0.0.5:40000".parse().unwrap())
            );
            assert_eq!(netns.as_deref(), Some(tenant));
            exchange(&client, &accepted);
        }
    });
}

#[test]
fn one_tenant_does_not_reach_the_other() {
    world("isolated", |w| {
        let (_, [host1, host2]) = overlapping(w);
        let server = host2.listen("10.0.0.5:80");
        let config = format!(
            "{DEFAULTS}listen l\n  bind 10.0.0.1:80 namespace tenant1\n  server s 10.0.0.5:80 namespace *\n"
        );
        let running = run(w, w.home(), &config);
        host1.connect("10.0.0.1:80").expect_closed();
        let line = line_with(&running, &["session ", "connection to the server failed"]);
        assert!(
            line.contains("netns=tenant1") && line.contains("upstream_netns=tenant1"),
            "{line}"
        );
        server.expect_no_connection(crate::common::SILENCE);
    });
}

#[test]
fn ipv6_is_relayed_between_namespaces() {
    world("ipv6", |w| {
        let (one, client_host) = joined(w, ("one", "fd00:1::1/64"), ("client", "fd00:1::5/64"));
        let (_two, server_host) = joined(w, ("two", "fd00:2::1/64"), ("server", "fd00:2::5/64"));
        let server = server_host.listen("[fd00:2::5]:80");
        let config = format!(
            "{DEFAULTS}listen l\n  bind [fd00:1::1]:80 namespace one\n\
             \x20 server s [fd00:2::5]:80 namespace two send-proxy-v2\n"
        );
        let _running = run(w, w.home(), &config);
        one.wait_listening("[fd00:1::1]:80", crate::common::soon());
        let client = connect_from(&client_host, "[fd00:1::5]:40000", "[fd00:1::1]:80");
        let accepted = server.accept();
        assert_eq!(peer_ip(&accepted), "fd00:2::1");
        expect_meaning(
            &read_header(&accepted),
            ("[fd00:1::5]:40000", "[fd00:1::1]:80"),
            "one",
        );
        exchange(&client, &accepted);
    });
}

#[test]
fn a_unix_listener_leads_into_a_namespace_and_its_path_goes_at_the_end() {
    world("unix-listener", |w| {
        let (_, [host1, _]) = overlapping(w);
        let server = host1.listen("10.0.0.5:80");
        let path = w.path("socket");
        let config = format!(
            "{DEFAULTS}listen l\n  bind {}\n  server s 10.0.0.5:80 namespace tenant1\n",
            path.display()
        );
        // A path that a killed relay left behind is taken over.
        for _ in 0..2 {
            let running = run(w, w.home(), &config);
            exchange(&Peer::connect(&path), &server.accept());
            drop(running);
            assert!(path.exists());
        }
        let running = run(w, w.home(), &config);
        running.signal(nsproxy_testkit::Signal::SIGTERM);
        running.wait().expect_code(0);
        assert!(!path.exists(), "the path was left behind");
    });
}

#[test]
fn a_unix_server_is_reached_from_a_namespace() {
    world("unix-server", |w| {
        let (_, [host1, _]) = overlapping(w);
        let server = w.home().listen("unix:/run/world/server");
        let config = format!(
            "{DEFAULTS}listen l\n  bind 10.0.0.1:80 namespace tenant1\n  server s /run/world/server send-proxy-v2\n"
        );
        let _running = run(w, w.home(), &config);
        let client = connect_from(&host1, "10.0.0.5:40000", "10.0.0.1:80");
        let accepted = server.accept();
        expect_meaning(
            &read_header(&accepted),
            ("10.0.0.5:40000", "10.0.0.1:80"),
            "tenant1",
        );
        exchange(&client, &accepted);
    });
}

/// The client is in `host1`; the server in `host2` sees the address that the client has there.
fn seen_source(w: &World, usesrc: &str) -> std::net::SocketAddr {
    let pairs = [
        ("tenant1", "192.168.1.1/24", "host1", "192.168.1.5/24"),
        ("tenant2", "10.0.0.1/24", "host2", "10.0.0.5/24"),
    ];
    let [(_, host1), (tenant2, host2)] =
        pairs.map(|(tenant, address, host, its)| joined(w, (tenant, address), (host, its)));
    host2.ip("route add default via 10.0.0.1");
    take_all(&tenant2, "to-host2");
    let server = host2.listen("10.0.0.5:80");
    let config = format!(
        "{DEFAULTS}listen l\n  bind 192.168.1.1:80 namespace tenant1\n  source 0.0.0.0 usesrc {usesrc}\n\
         \x20 server s 10.0.0.5:80 namespace tenant2\n"
    );
    let _running = run(w, w.home(), &config);
    let client = connect_from(&host1, "192.168.1.5:40000", "192.168.1.1:80");
    let accepted = server.accept();
    exchange(&client, &accepted);
    match accepted.peer_addr() {
        Address::Inet(address) => address,
        Address::Unix(path) => panic!("{} is no internet address", path.display()),
    }
}

#[test]
fn the_server_sees_the_clients_address_with_usesrc_clientip() {
    world("usesrc-clientip", |w| {
        assert_eq!(seen_source(w, "clientip").ip().to_string(), "192.168.1.5");
    });
}

#[test]
fn the_server_sees_the_clients_port_too_with_usesrc_client() {
    world("usesrc-client", |w| {
        assert_eq!(seen_source(w, "client").to_string(), "192.168.1.5:40000");
    });
}

#[test]
fn diverted_connections_go_on_to_where_the_client_wanted() {
    let nft = require!(Program::find("nft"));
    world("tproxy", |w| {
        // The client's way to 203.0.113.7 leads through `gate`, which does not have the address; nor has `net`, where
        // nsproxy connects to it.
        let (gate, client_host) = joined(w, ("gate", "192.168.1.1/24"), ("client", "192.168.1.5/24"));
        let (net, server_host) = joined(w, ("net", "10.0.0.1/24"), ("server", "10.0.0.5/24"));
        client_host.ip("route add default via 192.168.1.1");
        net.ip("route add 203.0.113.0/24 via 10.0.0.5");
        server_host.ip("address add 203.0.113.7/32 dev lo");
        server_host.ip("address add 203.0.113.8/32 dev lo");
        divert(w, &nft, &gate, ("to-client", 80), "127.0.0.1:5000");
        let servers = ["203.0.113.7:80", "203.0.113.8:80"].map(|address| server_host.listen(address));
        let config = format!(
            "{DEFAULTS}listen l\n  bind 127.0.0.1:5000 namespace gate transparent\n  server s * namespace net\n"
        );
        let _running = run(w, w.home(), &config);
        for (address, server) in ["203.0.113.7:80", "203.0.113.8:80"].into_iter().zip(&servers) {
            let client = client_host.connect(address);
            let accepted = server.accept();
            assert_eq!(peer_ip(&accepted), "10.0.0.1");
            exchange(&client, &accepted);
        }
    });
}

#[test]
fn a_connection_to_the_listener_itself_is_no_loop() {
    for (address, transparent) in [
        ("127.0.0.1", "transparent"),
        ("0.0.0.0", ""),
        ("[::]", ""),
        // Whether a destination is this host's own shows only when the connection comes back.
        ("0.0.0.0", "transparent"),
    ] {
        world("loop", |w| {
            let gate = w.add_netns("gate");
            // A loop would stop at the limit and not end.
            let config = format!(
                "global\n  maxconn 20\n{DEFAULTS}listen l\n  bind {address}:5000 namespace gate {transparent}\n\
                 \x20 server s * namespace *\n"
            );
            let running = run(w, w.home(), &config);
            gate.connect("127.0.0.1:5000").expect_closed();
            line_with(&running, &["session ", "would lead back to a listener"]);
        });
    }
}

#[test]
fn what_a_client_on_a_unix_socket_lacks_ends_its_session_with_the_reason() {
    world("unix-client-lacks", |w| {
        let config = format!(
            "{DEFAULTS}listen one\n  bind /run/world/one\n  server s *:80\n\
             listen two\n  bind /run/world/two\n  source 0.0.0.0 usesrc clientip\n  server s 127.0.0.1:80\n"
        );
        let running = run(w, w.home(), &config);
        Peer::connect("unix:/run/world/one").expect_closed();
        line_with(&running, &["session relay=one", "and a unix socket has none"]);
        Peer::connect("unix:/run/world/two").expect_closed();
        line_with(
            &running,
            &["session relay=two", "cannot be the source of this connection"],
        );
    });
}

#[test]
fn a_fixed_source_address_is_that_of_the_servers_namespace() {
    world("source", |w| {
        let ([tenant1, _], [host1, _]) = overlapping(w);
        tenant1.ip("address add 10.0.0.9/24 dev to-host1");
        let server = host1.listen("10.0.0.5:80");
        let config = format!(
            "{DEFAULTS}listen l\n  bind 127.0.0.1:8000\n  source 10.0.0.9\n  server s 10.0.0.5:80 namespace tenant1\n"
        );
        let _running = run(w, w.home(), &config);
        let client = w.home().connect("127.0.0.1:8000");
        let accepted = server.accept();
        assert_eq!(peer_ip(&accepted), "10.0.0.9");
        exchange(&client, &accepted);
    });
}
