//! The set-ups that HAProxy's namespace support was published with, side by side with HAProxy in the same place.
//!
//! The first is that of the commit message, the others are those of `doc/network-namespaces.txt`. What the documentation
//! leaves out (timeouts, a backend's name) is added and nothing else.

use nsproxy_testkit::{Netns, Peer, Program, Service, World, require, world};

use crate::common::{
    DEFAULTS, Proxy, connect_from, divert, exchange, expect_meaning, nsproxy, peer_ip, read_header, same,
    take_all, v2_header,
};

const FIRST: &str = "frontend clients
  bind 127.0.0.1:50022 namespace 1 transparent
  default_backend scb

backend server
  mode tcp
  server server1 192.168.122.4:2222 namespace 2 send-proxy-v2
";

fn first_corrected() -> String {
    FIRST.replace("default_backend scb", "default_backend server")
}

/// What `setup.sh` of the commit message does, with virtual Ethernet in place of VLANs: `1` at 192.168.91.2 and `2` in the
/// network of the server. Returns both, and a host in each of their networks.
fn first_networks(w: &World) -> [Netns; 4] {
    let names = ["1", "2", "net1", "net2"].map(|name| w.add_netns(name));
    w.veth(
        ("1", "eth1.1", "192.168.91.2/24"),
        ("net1", "eth0", "192.168.91.7/24"),
    );
    w.veth(
        ("2", "eth1.2", "192.168.122.2/24"),
        ("net2", "eth0", "192.168.122.4/24"),
    );
    names
}

#[test]
fn the_first_configuration_is_refused_as_written_and_both_names_are_shown() {
    world("seed-first-as-written", |w| {
        first_networks(w);
        let path = w.write("haproxy.cfg", FIRST);
        let mut command = nsproxy(&["run", "-f"]);
        command.arg(path);
        let errors = w.home().output(command).expect_code(1);
        for part in [
            "`scb`",
            "/haproxy.cfg:3:19",
            "backend server",
            "write `default_backend server`",
        ] {
            assert!(errors.contains(part), "no {part:?} in:\n{errors}");
        }
    });
}

#[test]
fn the_first_configuration_sends_the_header_that_haproxy_sends() {
    let both = require!(Proxy::both());
    world("seed-first", |w| {
        let [one, _two, _net1, net2] = first_networks(w);
        let server = net2.listen("192.168.122.4:2222");
        let header = same(
            &both,
            w,
            (w.home(), &first_corrected()),
            &[(&one, "127.0.0.1:50022")],
            || {
                let client = connect_from(&one, "127.0.0.1:40000", "127.0.0.1:50022");
                let accepted = server.accept();
                assert_eq!(peer_ip(&accepted), "192.168.122.2");
                let header = read_header(&accepted);
                exchange(&client, &accepted);
                client.reset();
                header
            },
        );
        // The client's namespace, not the server's.
        expect_meaning(&header, ("127.0.0.1:40000", "127.0.0.1:50022"), "1");
    });
}

#[test]
fn the_first_configuration_takes_connections_that_are_diverted_to_it() {
    let both = require!(Proxy::both());
    let nft = require!(Program::find("nft"));
    world("seed-first-diverted", |w| {
        let [one, _two, net1, net2] = first_networks(w);
        net1.ip("route add default via 192.168.91.2");
        divert(w, &nft, &one, ("eth1.1", 22), "127.0.0.1:50022");
        let server = net2.listen("192.168.122.4:2222");
        let header = same(
            &both,
            w,
            (w.home(), &first_corrected()),
            &[(&one, "127.0.0.1:50022")],
            || {
                let client = connect_from(&net1, "192.168.91.7:40000", "198.51.100.7:22");
                let accepted = server.accept();
                let header = read_header(&accepted);
                exchange(&client, &accepted);
                client.reset();
                header
            },
        );
        expect_meaning(&header, ("192.168.91.7:40000", "198.51.100.7:22"), "1");
    });
}

#[test]
fn listener_and_server_in_a_namespace_reach_what_haproxy_reaches() {
    let both = require!(Proxy::both());
    let config = format!(
        "{DEFAULTS}
frontend f_example
	bind 192.168.1.1:80 namespace netns2
	default_backend b_example

backend b_example
	server s1 192.168.1.100:80 namespace netns2
"
    );
    world("seed-bind-and-server", |w| {
        let [netns2, lan] = ["netns2", "lan"].map(|name| w.add_netns(name));
        w.veth(
            ("netns2", "eth7", "192.168.1.1/24"),
            ("lan", "eth0", "192.168.1.100/24"),
        );
        let server = lan.listen("192.168.1.100:80");
        let seen = same(
            &both,
            w,
            (w.home(), &config),
            &[(&netns2, "192.168.1.1:80")],
            || {
                let client = lan.connect("192.168.1.1:80");
                let accepted = server.accept();
                let source = peer_ip(&accepted);
                exchange(&client, &accepted);
                client.half_close();
                accepted.expect_eof();
                accepted.send("after the half-close");
                accepted.close();
                client.expect("after the half-close");
                client.expect_eof();
                source
            },
        );
        assert_eq!(seen, "192.168.1.1");
        assert!(
            Peer::try_connect("192.168.1.1:80").is_err(),
            "the listener is in netns2 only"
        );
    });
}

#[test]
fn the_header_selects_the_namespace_and_the_server_sees_the_client() {
    let both = require!(Proxy::both());
    let config = format!(
        "namespace_list
    namespace netns1
    namespace netns2

{DEFAULTS}
frontend f_example
	bind 192.168.1.1:9990 accept-proxy
	default_backend b_example

backend b_example
	mode tcp
	source 0.0.0.0 usesrc clientip
	server snodes * namespace *
"
    );
    world("seed-selected", |w| {
        let [relay, front] = ["relay", "front"].map(|name| w.add_netns(name));
        w.veth(
            ("relay", "eth0", "192.168.1.1/24"),
            ("front", "eth0", "192.168.1.2/24"),
        );
        let hosts = ["1", "2"].map(|number| overlapping_tenant(w, number));
        let _services = hosts.each_ref().map(|host| {
            let name = host.name().to_owned();
            Service::start(host.listen("10.0.0.5:80"), move |peer| {
                peer.send(format!("{name} sees {}", peer_ip(&peer)));
                peer.half_close();
                peer.expect_eof();
            })
        });
        let answers = same(
            &both,
            w,
            (&relay, &config),
            &[(&relay, "192.168.1.1:9990")],
            || {
                ["netns1", "netns2"].map(|netns| {
                    let peer = front.connect("192.168.1.1:9990");
                    peer.send(v2_header("203.0.113.9:40000", "10.0.0.5:80", Some(netns)));
                    let answer = peer.read_to_end(100);
                    peer.half_close();
                    String::from_utf8(answer).unwrap()
                })
            },
        );
        assert_eq!(answers, ["host1 sees 203.0.113.9", "host2 sees 203.0.113.9"]);
    });
}

/// `netnsN` with a link to `hostN`, which has the same address whatever the number and answers by way of `netnsN`.
fn overlapping_tenant(w: &World, number: &str) -> Netns {
    let (netns, host) = (format!("netns{number}"), format!("host{number}"));
    let tenant = w.add_netns(&netns);
    let there = w.add_netns(&host);
    w.veth((&*netns, "eth7", "10.0.0.1/24"), (&*host, "eth0", "10.0.0.5/24"));
    there.ip("route add default via 10.0.0.1");
    take_all(&tenant, "eth7");
    there
}
