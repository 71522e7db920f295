//! Between namespaces, in worlds of their own: who reaches whom, by which address, and as whom.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod common;

use std::process::Command;
use std::sync::Arc;
use std::thread;

use common::{Relay, Unwatched, in_netns, listener, listener_at, server, settings};
use nsproxy_engine::{
    CloseReason, Errno, HeaderPlan, ListenerPlan, Plan, ServerPlan, SourceAddress, Target, TlvPlan,
    UpstreamNetns,
};
use nsproxy_testkit::{Address, DEFAULT_DEADLINE, Netns, Peer, Program, Service, World, eventually, world};
use proxy_proto::{Addresses, Transport, v2};

/// The same in every tenant.
const SERVICE: &str = "127.0.0.1:8080";

fn address(text: &str) -> Address {
    Address::Inet(text.parse().unwrap())
}

/// Tenants with a service at the same address, which replies with the tenant's name.
fn tenants(w: &World) -> [(Netns, Service); 2] {
    ["tenant1", "tenant2"].map(|name| {
        let tenant = w.add_netns(name);
        let service = Service::reply(tenant.listen(SERVICE), name);
        (tenant, service)
    })
}

fn named(name: &str) -> UpstreamNetns {
    UpstreamNetns::Named(name.parse().unwrap())
}

fn expect_reply(client: &Peer, reply: &str) {
    client.expect(reply);
    client.expect_eof();
}

#[test]
fn the_same_address_is_another_server_in_each_namespace() {
    world("overlapping", |w| {
        let tenants = tenants(w);
        for (tenant, _) in &tenants {
            let to = ServerPlan {
                netns: named(tenant.name()),
                ..server(&address(SERVICE))
            };
            let relay = Relay::start(&Plan::forward(listener(), to, None));
            let client = relay.connect();
            expect_reply(&client, tenant.name());
            client.close();
            assert_eq!(relay.end().upstream_netns.as_deref(), Some(tenant.name()));
        }
    });
}

#[test]
fn a_server_that_follows_the_client_is_reached_in_the_listeners_namespace() {
    world("follow-listener", |w| {
        let tenants = tenants(w);
        let to = ServerPlan {
            netns: UpstreamNetns::Client,
            ..server(&address(SERVICE))
        };
        let mut plan = Plan::forward(listener(), to, None);
        plan.relays[0].listeners = tenants
            .iter()
            .map(|(tenant, _)| in_netns(tenant.name(), listener_at("127.0.0.1:9000")))
            .collect();
        let relay = Relay::start(&plan);
        for (index, (tenant, _)) in tenants.iter().enumerate() {
            expect_reply(&tenant.connect(relay.address_of(index)), tenant.name());
        }
        // And nobody else can reach it there.
        assert!(Peer::try_connect("127.0.0.1:9000").is_err());
    });
}

fn v2_header(netns: &str) -> Vec<u8> {
    let addresses = Addresses::promoted(
        Transport::Stream,
        "192.0.2.1:1".parse().unwrap(),
        "198.51.100.1:2".parse().unwrap(),
    );
    let header = v2::to_vec(proxy_proto::Command::Proxy(addresses), |header| {
        header.netns(netns.as_bytes());
    });
    header.unwrap()
}

#[test]
fn a_listed_namespace_in_a_header_selects_and_is_passed_on() {
    world("follow-header", |w| {
        let tenants = tenants(w);
        let to = ServerPlan {
            netns: UpstreamNetns::Client,
            ..server(&address(SERVICE))
        };
        let mut plan = Plan::forward(
            ListenerPlan {
                accept_proxy: true,
                ..listener()
            },
            to,
            None,
        );
        plan.selectable = [tenants[1].0.name().parse().unwrap()].into();
        let relay = Relay::start(&plan);
        let client = relay.connect();
        client.send(v2_header("tenant2"));
        expect_reply(&client, "tenant2");
        // A namespace that exists and is not listed.
        let client = relay.connect();
        client.send(v2_header("tenant1"));
        client.expect_eof();
        assert_eq!(relay.ends(1).last().unwrap().reason, CloseReason::NetnsRefused);

        // A server that wants a header gets the client's namespace in it, not its own.
        let origin = tenants[0].0.listen("127.0.0.1:0");
        plan.pools[0].servers = vec![ServerPlan {
            netns: named("tenant1"),
            send_header: Some(HeaderPlan::V2(TlvPlan::default())),
            ..server(origin.address())
        }];
        let relay = Relay::start(&plan);
        let client = relay.connect();
        client.send(v2_header("tenant2"));
        origin.accept().expect(v2_header("tenant2"));
    });
}

#[test]
fn ipv6_is_relayed_between_namespaces() {
    world("ipv6", |w| {
        let tenant = w.add_netns("tenant1");
        let echo = Service::echo(tenant.listen("[::1]:0"));
        let to = ServerPlan {
            netns: named("tenant1"),
            ..server(echo.address())
        };
        let relay = Relay::start(&Plan::forward(listener_at("[::1]:0"), to, None));
        let client = relay.connect();
        client.send("over v6");
        client.expect("over v6");
    });
}

#[test]
fn a_namespace_that_is_missing_fails_the_session_and_works_once_it_is_there() {
    world("missing", |w| {
        let to = ServerPlan {
            netns: named("tenant1"),
            ..server(&address(SERVICE))
        };
        let relay = Relay::start(&Plan::forward(listener(), to, None));
        relay.connect().expect_eof();
        assert_eq!(relay.end().reason, CloseReason::SocketFailed(Errno(libc::ENOENT)));
        assert!(relay.record.notices()[0].contains("EnterNetns"));
        let [_one, _two] = tenants(w);
        expect_reply(&relay.connect(), "tenant1");
    });
}

#[test]
fn a_name_means_the_namespace_that_has_it_now() {
    world("recreated", |w| {
        let to = ServerPlan {
            netns: named("tenant1"),
            ..server(&address(SERVICE))
        };
        let relay = Relay::start(&Plan::forward(listener(), to, None));
        for reply in ["first", "second"] {
            let tenant = w.add_netns("tenant1");
            let service = Service::reply(tenant.listen(SERVICE), reply);
            expect_reply(&relay.connect(), reply);
            drop(service);
            w.remove_netns("tenant1");
        }
    });
}

/// One worker, so that there is one stock, and nobody who tells when it is of no use.
fn relay_to_tenant1() -> Relay {
    let to = ServerPlan {
        netns: named("tenant1"),
        ..server(&address(SERVICE))
    };
    let plan = Plan::forward(listener(), to, None);
    Relay::start_with(&settings(1), Arc::new(Unwatched), &plan)
}

#[test]
fn sockets_in_stock_are_of_the_namespace_that_the_name_means_now() {
    world("stock-replaced", |w| {
        let relay = relay_to_tenant1();
        let mut replaced_in_time = 0;
        // The stock may be released before the new namespace is there; not every time.
        for round in 0..20 {
            let reply = format!("round {round}");
            let tenant = w.add_netns("tenant1");
            let service = Service::reply(tenant.listen(SERVICE), reply.clone());
            replaced_in_time += usize::from(relay.stats().sockets_in_stock > 0);
            eventually(DEFAULT_DEADLINE, "sockets in stock", || {
                expect_reply(&relay.connect(), &reply);
                (relay.stats().sockets_in_stock > 0).then_some(())
            });
            drop((service, tenant));
            w.remove_netns("tenant1");
        }
        assert!(
            replaced_in_time > 0,
            "no round had a stock of the namespace before"
        );
    });
}

/// A namespace dies when the last socket in it is closed, and its links die with it.
#[test]
fn a_stock_does_not_keep_a_namespace_alive() {
    world("stock-released", |w| {
        let tenant = w.add_netns("tenant1");
        let watcher = w.add_netns("watcher");
        w.veth(
            ("tenant1", "inside", "10.9.0.1/24"),
            ("watcher", "outside", "10.9.0.2/24"),
        );
        let service = Service::reply(tenant.listen(SERVICE), "here");
        let relay = relay_to_tenant1();
        eventually(DEFAULT_DEADLINE, "sockets in stock", || {
            expect_reply(&relay.connect(), "here");
            (relay.stats().sockets_in_stock > 0).then_some(())
        });
        drop((service, tenant));
        w.remove_netns("tenant1");
        eventually(DEFAULT_DEADLINE, "the end of the namespace", || {
            (!watcher.ip("link show").contains("outside")).then_some(())
        });
        assert_eq!(relay.stats().sockets_in_stock, 0);
    });
}

#[test]
fn a_server_at_the_clients_destination_that_is_this_listener_is_refused() {
    world("loop", |_| {
        let target = Target::ClientDestination { port: None };
        for place in ["127.0.0.1:0", "0.0.0.0:0"] {
            let to = ServerPlan {
                target: target.clone(),
                ..server(&address(SERVICE))
            };
            let relay = Relay::start(&Plan::forward(listener_at(place), to, None));
            Peer::connect(format!("127.0.0.1:{}", relay.address().port()).as_str()).expect_closed();
            assert_eq!(relay.end().reason, CloseReason::Loop, "{place}");
        }
    });
}

/// client 10.1.0.1 -- 10.1.0.2 relay 10.2.0.2 -- 10.2.0.1 server, each with a route to the other.
fn row(w: &World) -> [Netns; 3] {
    let row = ["client", "relay", "server"].map(|name| w.add_netns(name));
    w.veth(
        ("client", "eth0", "10.1.0.1/24"),
        ("relay", "eth0", "10.1.0.2/24"),
    );
    w.veth(
        ("server", "eth0", "10.2.0.1/24"),
        ("relay", "eth1", "10.2.0.2/24"),
    );
    row[0].ip("route add default via 10.1.0.2");
    row[2].ip("route add default via 10.2.0.2");
    // What is marked is taken for this host's own, whatever its destination.
    row[1].ip("route add local default dev lo table 100");
    row
}

#[test]
fn a_server_sees_the_clients_own_address_where_the_plan_says_so() {
    world("usesrc", |w| {
        let [client, relay_netns, origin] = row(w);
        relay_netns.ip("rule add iif eth1 lookup 100");
        let service = origin.listen("10.2.0.1:0");
        let to = ServerPlan {
            netns: named("relay"),
            ..server(service.address())
        };
        for with_port in [false, true] {
            let source = Some(SourceAddress::Client { with_port }.into());
            let plan = Plan::forward(in_netns("relay", listener_at("10.1.0.2:0")), to.clone(), source);
            let relay = Relay::start(&plan);
            let client = client.connect(relay.address());
            let server = service.accept();
            let (seen, own) = (server.peer_addr().inet(), client.local_addr().inet());
            assert_eq!((seen.ip(), seen.port() == own.port()), (own.ip(), with_port));
            client.send("x");
            server.expect("x");
        }
    });
}

/// Redirects what comes from the client to the transparent listener; `false` where the kernel cannot.
fn redirect(netns: &Netns, port: u16) -> bool {
    let run = |program: &str, arguments: &[&str]| {
        let Ok(program) = Program::find(program) else {
            return false;
        };
        let mut command: Command = program.command();
        command.args(arguments);
        netns.output(command).status.success()
    };
    let to = format!("tproxy to :{port} meta mark set 1 accept");
    let nft = run("nft", &["add table ip t"])
        && run(
            "nft",
            &["add chain ip t pre { type filter hook prerouting priority mangle; }"],
        )
        && run(
            "nft",
            &[&format!("add rule ip t pre iifname eth0 tcp dport 80 {to}")],
        );
    let port = port.to_string();
    nft || run(
        "iptables",
        &[
            "-t",
            "mangle",
            "-A",
            "PREROUTING",
            "-i",
            "eth0",
            "-p",
            "tcp",
            "--dport",
            "80",
            "-j",
            "TPROXY",
            "--on-port",
            &port,
            "--tproxy-mark",
            "1",
        ],
    )
}

#[test]
fn a_transparent_listener_relays_to_where_the_client_wanted_to_go() {
    world("tproxy", |w| {
        let [client, relay_netns, origin] = row(w);
        relay_netns.ip("rule add fwmark 1 lookup 100");
        let service = Service::reply(origin.listen("10.2.0.1:80"), "transparently");
        let listener = ListenerPlan {
            transparent: true,
            ..in_netns("relay", listener_at("0.0.0.0:0"))
        };
        let to = ServerPlan {
            target: Target::ClientDestination { port: None },
            netns: UpstreamNetns::Client,
            ..server(service.address())
        };
        let relay = Relay::start(&Plan::forward(listener, to, None));
        if !redirect(&relay_netns, relay.address().port()) {
            return nsproxy_testkit::skip("neither nft nor iptables can redirect to a transparent listener");
        }
        let client = client.connect("10.2.0.1:80");
        expect_reply(&client, "transparently");
        client.close();
        assert_eq!(relay.end().upstream, Some("10.2.0.1:80".parse().unwrap()));
    });
}

#[test]
fn traffic_in_small_fragments_does_not_stall_in_the_slots_of_a_pipe() {
    world("fragments", |w| {
        let [client, relay_netns, origin] = row(w);
        // Without segmentation offload each segment is a fragment of its own, and takes a slot.
        for (netns, link) in [
            (&client, "eth0"),
            (&relay_netns, "eth0"),
            (&relay_netns, "eth1"),
            (&origin, "eth0"),
        ] {
            netns.ip(&format!("link set {link} gso_max_segs 1"));
        }
        let service = origin.listen("10.2.0.1:0");
        let to = ServerPlan {
            netns: named("relay"),
            ..server(service.address())
        };
        let plan = Plan::forward(in_netns("relay", listener_at("10.1.0.2:0")), to, None);
        let relay = Relay::start(&plan);
        let client = client.connect(relay.address());
        let server = service.accept();
        thread::scope(|scope| {
            let up = scope.spawn(|| {
                let sent = client.send_pattern(1, 24 << 20);
                client.half_close();
                sent
            });
            let down = scope.spawn(|| {
                let sent = server.send_pattern(2, 24 << 20);
                server.half_close();
                sent
            });
            let received = scope.spawn(|| server.tally_to_end());
            assert_eq!(client.tally_to_end(), down.join().unwrap());
            assert_eq!(received.join().unwrap(), up.join().unwrap());
        });
        assert_eq!(relay.end().reason, CloseReason::Finished);
        relay.expect_idle();
    });
}
