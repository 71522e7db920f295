//! Forms of addresses, as the kernel and HAProxy understand them.

use std::os::fd::AsRawFd as _;

use nsproxy_testkit::{Program, Service, World, require, world};

use crate::common::{DEFAULTS, Proxy, expect_reply, inherited, line_with, run, run_command, soon};

/// A service that says `name`, at an address in the home namespace.
fn service(w: &World, address: &str, name: &str) -> Service {
    Service::reply(w.home().listen(address), name)
}

#[test]
fn an_abstract_name_is_another_socket_in_each_namespace() {
    world("abstract", |w| {
        for name in ["blue", "green"] {
            w.add_netns(name);
        }
        let _services = [
            service(w, "127.0.0.1:9001", "blue"),
            service(w, "127.0.0.1:9002", "green"),
        ];
        // From a port, through the name in each namespace, to a service.
        let relays = [("blue", 1), ("green", 2)].map(|(netns, port)| {
            format!(
                "listen to-{netns}\n  bind 127.0.0.1:800{port}\n  server s abns@same namespace {netns}\n\
                 listen in-{netns}\n  bind abns@same namespace {netns}\n  server s 127.0.0.1:900{port}\n"
            )
        });
        let running = run(w, w.home(), &format!("{DEFAULTS}{}", relays.concat()));
        line_with(&running, &["in-blue listens at abns@same in netns blue"]);
        expect_reply(w.home(), "127.0.0.1:8001", "blue");
        expect_reply(w.home(), "127.0.0.1:8002", "green");
    });
}

#[test]
fn an_abstract_name_is_the_one_that_haproxy_means() {
    let haproxy = require!(Program::find("haproxy"));
    world("abstract-haproxy", |w| {
        let _service = service(w, "127.0.0.1:9000", "through both");
        let front = format!("{DEFAULTS}listen front\n  bind 127.0.0.1:8000\n  server s abns@between\n");
        let back = format!("{DEFAULTS}listen back\n  bind abns@between\n  server s 127.0.0.1:9000\n");
        let haproxy = Proxy::Haproxy(haproxy);
        {
            let _back = run(w, w.home(), &back);
            let _front = haproxy.start(w, w.home(), &front, &[(w.home(), "127.0.0.1:8000")]);
            expect_reply(w.home(), "127.0.0.1:8000", "through both");
        }
        let back = back + "listen ready\n  bind 127.0.0.1:8001\n  server s 127.0.0.1:9000\n";
        let _back = haproxy.start(w, w.home(), &back, &[(w.home(), "127.0.0.1:8001")]);
        let _front = run(w, w.home(), &front);
        expect_reply(w.home(), "127.0.0.1:8000", "through both");
    });
}

#[test]
fn a_port_at_a_distance_from_the_clients_is_the_one_that_haproxy_means() {
    let proxies = require!(Proxy::both());
    world("distance", |w| {
        let _services = [
            service(w, "127.0.0.1:9001", "one"),
            service(w, "127.0.0.1:9002", "two"),
            service(w, "127.0.0.1:7001", "below"),
        ];
        let config = format!(
            "{DEFAULTS}listen above\n  bind 127.0.0.1:8001-8002\n  server s 127.0.0.1:+1000\n\
             listen below\n  bind 127.0.0.1:8101\n  server s *:-1100\n"
        );
        for proxy in proxies {
            let _running = proxy.start(w, w.home(), &config, &[(w.home(), "127.0.0.1:8101")]);
            expect_reply(w.home(), "127.0.0.1:8001", "one");
            expect_reply(w.home(), "127.0.0.1:8002", "two");
            expect_reply(w.home(), "127.0.0.1:8101", "below");
        }
    });
}

#[test]
fn a_distance_that_leads_to_no_port_ends_the_session_with_the_reason() {
    world("distance-none", |w| {
        let config = format!("{DEFAULTS}listen l\n  bind 127.0.0.1:8000\n  server s 127.0.0.1:-8000\n");
        let running = run(w, w.home(), &config);
        w.home().connect("127.0.0.1:8000").expect_closed();
        line_with(
            &running,
            &["session ", "the server's port, relative to the client's, is none"],
        );
    });
}

#[test]
fn all_addresses_of_ipv6_include_ipv4_or_not_as_haproxy_has_it() {
    let proxies = require!(Proxy::both());
    world("v6only", |w| {
        let _service = service(w, "127.0.0.1:9000", "reached");
        let config = format!(
            "{DEFAULTS}listen l\n  bind :::8000 v6only\n  bind :::8001 v4v6\n  bind :::8002 v4v6 v6only\n\
             \x20 bind 127.0.0.1:8000,127.0.0.1:8002\n  server s 127.0.0.1:9000\n"
        );
        for proxy in proxies {
            let _running = proxy.start(w, w.home(), &config, &[(w.home(), "127.0.0.1:8002")]);
            for address in [
                "[::1]:8000",
                "127.0.0.1:8000",
                "127.0.0.1:8001",
                "[::1]:8001",
                "127.0.0.1:8002",
            ] {
                w.home().wait_listening(address, soon());
                expect_reply(w.home(), address, "reached");
            }
        }
    });
}

#[test]
fn an_inherited_socket_is_listened_at_as_in_haproxy() {
    let proxies = require!(Proxy::both());
    world("inherited", |w| {
        let _service = service(w, "127.0.0.1:9000", "reached");
        let socket = inherited(w.home(), "127.0.0.1:8000");
        let config = format!(
            "{DEFAULTS}listen l\n  bind fd@{} name inherited\n  server s 127.0.0.1:9000\n",
            socket.as_raw_fd()
        );
        for proxy in proxies {
            let _running = proxy.start(w, w.home(), &config, &[(w.home(), "127.0.0.1:8000")]);
            expect_reply(w.home(), "127.0.0.1:8000", "reached");
        }
    });
}

#[test]
fn a_descriptor_that_is_not_inherited_ends_the_start_with_the_reason() {
    world("not-inherited", |w| {
        let config = format!("{DEFAULTS}listen l\n  bind fd@99\n  server s 127.0.0.1:9000\n");
        let output = w.home().output(run_command(w, &config));
        let said = output.expect_code(1);
        assert!(
            said.contains("cannot use the inherited socket fd@99: Bad file descriptor"),
            "{said}"
        );
    });
}
