//! The configurations of `examples`, run as they are: `nsproxy -f FILE`, in networks like those that they describe.
//!
//! Those of HAProxy's documents and transparent proxying are run beside HAProxy in `e2e`.

use std::io::{Read as _, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nsproxy_testkit::{
    DEFAULT_DEADLINE, Deadline, DnsAnswer, Listener, Netns, Peer, Program, Running, Service, Signal, World,
    require, world,
};

fn nsproxy() -> Command {
    Program::at(env!("CARGO_BIN_EXE_nsproxy")).command()
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

/// Starts `nsproxy -f` with an example, and waits until it listens.
#[track_caller]
fn start(w: &World, example: &str) -> Running {
    let mut command = nsproxy();
    command.arg("-f").arg(examples().join(example));
    let running = w.home().spawn(command);
    // It opens all listeners before it names the first.
    running.wait_for_output(" listens at ", Deadline::after(DEFAULT_DEADLINE));
    running
}

/// A namespace with this address on its loopback link.
fn netns(w: &World, name: &str, addresses: &[&str]) -> Netns {
    let netns = w.add_netns(name);
    for address in addresses {
        netns.ip(&format!("address add {address} dev lo"));
    }
    netns
}

/// A byte in each direction.
#[track_caller]
fn exchange(client: &Peer, server: &Peer) {
    client.send("?");
    server.expect("?");
    server.send("!");
    client.expect("!");
}

/// The addresses and TLVs of the PROXY v2 header that a connection begins with.
#[track_caller]
fn header(server: &Peer) -> Vec<u8> {
    let head = server.read_exact(16);
    assert_eq!(&head[..12], b"\r\n\r\n\0\r\nQUIT\n");
    server.read_exact(usize::from(u16::from_be_bytes([head[14], head[15]])))
}

fn has(bytes: &[u8], part: &str) -> bool {
    bytes.windows(part.len()).any(|window| window == part.as_bytes())
}

#[test]
fn tenants_with_the_same_addresses_reach_a_service_that_tells_them_apart() {
    world("example-tenants", |w| {
        let tenants = ["tenant1", "tenant2"].map(|name| netns(w, name, &["10.0.0.1/32"]));
        let services = netns(w, "services", &["192.0.2.10/32", "192.0.2.11/32"]);
        let servers = ["192.0.2.10:8443", "192.0.2.11:8443"].map(|address| services.listen(address));
        let _running = start(w, "overlapping-tenants.cfg");
        for (tenant, server) in tenants.iter().zip(&servers) {
            let client = tenant.connect("10.0.0.1:443");
            let accepted = server.accept();
            let header = header(&accepted);
            assert!(has(&header, tenant.name()), "{header:?}");
            exchange(&client, &accepted);
        }
    });
}

#[test]
fn tenants_that_no_line_names_are_served_from_when_they_come_until_they_go() {
    world("example-come-and-go", |w| {
        let metadata = w.home().listen("127.0.0.1:8080");
        let running = start(w, "tenants-that-come-and-go.cfg");
        // A tenant of each name, twice.
        for name in ["tenant-17", "tenant-2", "tenant-17"] {
            let tenant = netns(w, name, &["10.0.0.1/32"]);
            tenant.wait_listening("10.0.0.1:80", Deadline::after(DEFAULT_DEADLINE));
            let client = tenant.connect("10.0.0.1:80");
            let accepted = metadata.accept();
            assert!(has(&header(&accepted), name));
            exchange(&client, &accepted);
            let agent = tenant.listen("10.0.0.1:7000");
            let client = w.home().connect("127.0.0.1:9000");
            client.send(header_naming(name));
            exchange(&client, &agent.accept());
            w.remove_netns(name);
        }
        // One that `allow` leaves out, though the list has it.
        let tenant = netns(w, "tenant-99", &["10.0.0.1/32"]);
        let agent = tenant.listen("10.0.0.1:7000");
        let client = w.home().connect("127.0.0.1:9000");
        client.send(header_naming("tenant-99"));
        client.expect_closed();
        agent.expect_no_connection(Duration::from_millis(50));
        running.signal(Signal::SIGTERM);
        running.wait().expect_success();
    });
}

/// A PROXY v2 header of a connection from nowhere in particular, in this namespace.
fn header_naming(netns: &str) -> Vec<u8> {
    let (source, destination) = (([192, 0, 2, 1], 4711).into(), ([192, 0, 2, 2], 80).into());
    let transport = proxy_proto::Transport::Stream;
    let addresses = proxy_proto::Addresses::from_socket_addrs(transport, source, destination)
        .expect("both of one family");
    let header = proxy_proto::v2::to_vec(proxy_proto::Command::Proxy(addresses), |header| {
        header.netns(netns.as_bytes());
    });
    header.expect("a short header")
}

#[test]
fn ports_of_this_host_lead_through_the_namespace_of_a_vpn() {
    world("example-vpn", |w| {
        let vpn = netns(w, "vpn", &["10.8.0.10/32", "10.8.0.20/32"]);
        let bastion = vpn.listen("10.8.0.10:22");
        let database = vpn.listen("10.8.0.20:15434");
        let running = start(w, "vpn-namespace.cfg");
        for (address, server) in [("127.0.0.1:2222", &bastion), ("127.0.0.1:15434", &database)] {
            exchange(&w.home().connect(address), &server.accept());
        }
        running.signal(Signal::SIGTERM);
        running.wait().expect_success();
    });
}

/// A database that says whether it takes writes.
fn database(services: &Netns, address: &str, role: &'static str) -> Service {
    Service::start(services.listen(address), move |peer| {
        let answers = [
            ("PING\r\n", "+PONG\r\n".to_owned()),
            ("info replication\r\n", format!("$11\r\nrole:{role}\r\n")),
            ("QUIT\r\n", "+OK\r\n".to_owned()),
        ];
        for (question, answer) in answers {
            let mut heard = vec![0; question.len()];
            // A check that knows enough resets the connection.
            if !matches!(peer.try_receive(&mut heard), Ok(1..)) || peer.try_send(answer).is_err() {
                return;
            }
        }
    })
}

#[test]
fn servers_stand_in_for_each_other_and_get_connections_only_while_their_checks_pass() {
    world("example-checks", |w| {
        let addresses = [
            "10.0.1.11/32",
            "10.0.1.12/32",
            "10.0.1.13/32",
            "10.0.1.21/32",
            "10.0.1.22/32",
        ];
        let services = netns(w, "services", &addresses);
        let quiet = |address: &str| Service::start(services.listen(address), |_| {});
        let _spare = Service::start(services.listen("10.0.1.13:80"), |peer| {
            // A check has reset the connection already.
            let _ = peer.try_send("spare");
        });
        let _databases = [
            database(&services, "10.0.1.21:6379", "slave"),
            database(&services, "10.0.1.22:6379", "master"),
        ];
        let running = start(w, "balancing-with-checks.cfg");
        let deadline = || Deadline::after(DEFAULT_DEADLINE);
        running.wait_for_output("Server database/db1 is DOWN", deadline());
        running.wait_for_output("it does not take writes", deadline());
        let client = w.home().connect("127.0.0.1:6379");
        client.send("PING\r\n");
        client.expect("+PONG\r\n");
        client.send("info replication\r\n");
        client.expect("$11\r\nrole:master\r\n");
        // Nobody is at the first two addresses yet.
        running.wait_for_output("Server metrics/app2 is DOWN via web/app2", deadline());
        w.home().connect("127.0.0.1:8080").expect("spare");
        let _first = quiet("10.0.1.11:80");
        running.wait_for_output("Server metrics/app1 is UP via web/app1", deadline());
        let metrics = services.listen("10.0.1.11:9100");
        exchange(&w.home().connect("127.0.0.1:9100"), &metrics.accept());
    });
}

#[test]
fn one_name_is_the_database_of_each_tenant() {
    world("example-names", |w| {
        let addresses = ["10.0.0.53/32", "10.0.0.5/32", "10.0.0.6/32"];
        let [(tenant1, dns1), (tenant2, dns2)] = ["tenant1", "tenant2"].map(|name| {
            let tenant = netns(w, name, &addresses);
            let dns = tenant.dns("10.0.0.53:53");
            (tenant, dns)
        });
        let answer = |addresses: &[&str]| {
            let addresses = addresses.iter().map(|address| address.parse::<IpAddr>());
            DnsAnswer::Addresses(addresses.map(|address| address.expect("an address")).collect())
        };
        dns1.set("db.internal", answer(&["10.0.0.6"]));
        dns2.set("db.internal", answer(&["10.0.0.5", "10.0.0.6"]));
        let database = tenant1.listen("10.0.0.6:5432");
        let replicas = ["10.0.0.5:5432", "10.0.0.6:5432"].map(|address| tenant2.listen(address));
        let web = tenant1.listen("127.0.0.1:80");
        let running = start(w, "host-names.cfg");
        for server in ["db1/db", "db2/first", "db2/second"] {
            running.wait_for_output(&format!("server {server}: "), Deadline::after(DEFAULT_DEADLINE));
        }
        exchange(&w.home().connect("127.0.0.1:5431"), &database.accept());
        for replica in &replicas {
            exchange(&w.home().connect("127.0.0.1:5432"), &replica.accept());
        }
        exchange(&w.home().connect("127.0.0.1:8080"), &web.accept());
    });
}

#[test]
fn two_relays_hand_the_tenant_on() {
    world("example-chained", |w| {
        let tenants = ["tenant1", "tenant2"].map(|name| netns(w, name, &["10.0.0.1/32", "10.0.0.200/32"]));
        let services: Vec<Listener> = tenants
            .iter()
            .map(|tenant| tenant.listen("10.0.0.200:8080"))
            .collect();
        let _inner = start(w, "chained-relays/inner.cfg");
        let _edge = start(w, "chained-relays/edge.cfg");
        for (tenant, service) in tenants.iter().zip(&services) {
            exchange(&tenant.connect("10.0.0.1:80"), &service.accept());
        }
    });
}

#[test]
fn an_ordinary_user_relays_from_a_port_into_a_namespace_of_its_own() {
    let unshare = require!(Program::find("unshare"));
    world("example-rootless", |w| {
        let directory = w.path("runtime");
        std::fs::create_dir(&directory).unwrap();
        // As in the comment of the example; the service follows.
        let script = format!(
            "touch \"$XDG_RUNTIME_DIR/web.netns\" && unshare --net=\"$XDG_RUNTIME_DIR/web.netns\" ip link set lo up \
             && exec {} -f {}/rootless/inside.cfg",
            env!("CARGO_BIN_EXE_nsproxy"),
            examples().display()
        );
        let mut command = unshare.command();
        command
            .args([
                "--user",
                "--map-root-user",
                "--mount",
                "--net",
                "sh",
                "-c",
                &script,
            ])
            .env("XDG_RUNTIME_DIR", &directory);
        let inside = w.home().spawn(command);
        inside.wait_for_output(" listens at ", Deadline::after(DEFAULT_DEADLINE));
        // The namespace has its name in a mount namespace that only those inside see.
        let netns = format!("/proc/{}/root{}/web.netns", inside.pid(), directory.display());
        let netns = netns_core::Netns::open_path(netns).unwrap();
        let service = netns_core::tcp_listener(&netns, ([127, 0, 0, 1], 8000).into()).unwrap();
        let mut command = nsproxy();
        command
            .arg("-f")
            .arg(examples().join("rootless/outside.cfg"))
            .env("XDG_RUNTIME_DIR", &directory);
        let outside = w.home().spawn(command);
        outside.wait_for_output(" listens at ", Deadline::after(DEFAULT_DEADLINE));
        let client = w.home().connect("127.0.0.1:8080");
        client.send("?");
        let (mut accepted, _) = service.accept().unwrap();
        let mut byte = [0];
        accepted.read_exact(&mut byte).unwrap();
        assert_eq!(&byte, b"?");
        accepted.write_all(b"!").unwrap();
        client.expect("!");
    });
}

/// The first record of a TLS client that asks for this name, and offers HTTP/2 or nothing.
fn client_hello(name: &str, offers_http2: bool) -> Vec<u8> {
    let two = |length: usize| u16::try_from(length).expect("a short list").to_be_bytes();
    let entry = [&[0], &two(name.len())[..], name.as_bytes()].concat();
    let list = [&two(entry.len())[..], &entry].concat();
    let mut extensions = [&[0, 0], &two(list.len())[..], &list].concat();
    if offers_http2 {
        extensions.extend(b"\x00\x10\x00\x05\x00\x03\x02h2");
    }
    let mut body = vec![3, 3];
    body.extend([9; 32]);
    body.extend(b"\x00\x00\x02\x13\x01\x01\x00");
    body.extend(two(extensions.len()));
    body.extend(extensions);
    let message = [&[1, 0], &two(body.len())[..], &body].concat();
    [b"\x16\x03\x01", &two(message.len())[..], &message].concat()
}

#[test]
fn the_name_that_a_client_asks_for_decides_which_tenant_it_reaches() {
    world("example-sni", |w| {
        let tenants = ["tenant1", "tenant2"].map(|name| netns(w, name, &["10.0.0.10/32"]));
        w.home().ip("address add 192.0.2.1/32 dev lo");
        let servers = [
            tenants[0].listen("10.0.0.10:443"),
            tenants[1].listen("10.0.0.10:443"),
            tenants[1].listen("10.0.0.10:8443"),
            w.home().listen("127.0.0.1:8443"),
            w.home().listen("127.0.0.1:8444"),
        ];
        let _running = start(w, "sni-routing.cfg");
        for (name, offers_http2, server) in [
            ("tenant1.example", false, 0),
            ("WWW.Tenant1.example", true, 0),
            ("www.tenant2.example", false, 1),
            ("tenant2.example", true, 2),
            ("manage.example", false, 3),
            ("nottenant1.example", false, 4),
        ] {
            let hello = client_hello(name, offers_http2);
            let client = w.home().connect("192.0.2.1:443");
            let (first, rest) = hello.split_at(hello.len() / 2);
            client.send(first);
            client.send(rest);
            let accepted = servers[server].accept();
            accepted.expect(&hello);
            exchange(&client, &accepted);
        }
        let other = w.home().connect("192.0.2.1:443");
        other.send("GET / HTTP/1.1\r\n");
        other.expect_closed();
    });
}
