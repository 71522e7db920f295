//! `%[...]` in formats: what conditions can ask, in lines of the log, identifiers and TLVs.

use nsproxy_testkit::{require, world};

use crate::common::{Proxy, connect_from, exchange, read_header, run, same, v2_header};
use crate::syslog::Syslog;

const DEFAULTS: &str = "global\n  log 127.0.0.1:5140 format raw local0\ndefaults\n  mode tcp\n  log global\n\
    \x20 timeout connect 10s\n  timeout client 10s\n  timeout server 10s\n";

#[test]
fn values_in_lines_are_those_of_haproxy() {
    let proxies = require!(Proxy::both());
    let formats = [
        "%[src]:%[src_port] %[dst]:%[dst_port] %{+Q}[src] %{+X}[src_port] %{+X}[src]",
        "%[src,ipmask(24)] %[src,hex] %[src_port,hex] %[src,length] %[always_true,hex] %[str(aBc),lower,upper] %[str(abc),hex]",
        "%[always_true]%[always_false]%[bool(0)]%[fc_rcvd_proxy] %[int(-5)] %[str(a b)] %{+X}[int(255)] %[ipv6(::1)] %[rand(1)]",
        "%[fe_name] %[be_name] %[srv_name] %[so_id] %[so_name] %{+Q}[so_name] %{-M}[so_name]. %[wait_end]",
        "%[bc_dst]:%[bc_dst_port] %[bc_src] %[fe_conn] %[nbsrv(b)] %[be_conn(b)] %[queue(b)] %[connslots(b)]",
        "%[srv_is_up(b/s)] %[srv_conn(b/s)] %[srv_is_up(b/out)] %ci %[srv_queue(b/s)]",
    ];
    world("log-expressions", |w| {
        let log = Syslog::udp(w.home(), 5140);
        let server = w.home().listen("127.0.0.1:9000");
        for format in formats {
            let config = format!(
                "{DEFAULTS}frontend f\n  bind 127.0.0.1:8000\n  log-format '{format}'\n  default_backend b\n\
                 backend b\n  server s 127.0.0.1:9000\n  server out 127.0.0.1:9001 disabled\n"
            );
            let told = same(
                &proxies,
                w,
                (w.home(), &config),
                &[(w.home(), "127.0.0.1:8000")],
                || {
                    let client = connect_from(w.home(), "127.0.0.1:7000", "127.0.0.1:8000");
                    let accepted = server.accept();
                    exchange(&client, &accepted);
                    client.close();
                    accepted.expect_closed();
                    accepted.close();
                    log.line()
                },
            );
            assert!(told.contains(' '), "{told}");
        }
    });
}

#[test]
fn what_a_client_and_its_header_said_is_in_the_line_of_its_end() {
    world("log-remembered", |w| {
        let log = Syslog::udp(w.home(), 5140);
        let tenant = w.add_netns("tenant1");
        let server = w.home().listen("127.0.0.1:9000");
        let in_tenant = tenant.listen("127.0.0.1:9000");
        tenant.ip("link set lo up");
        let config = format!(
            "{DEFAULTS}frontend f\n  bind 127.0.0.1:8000 accept-proxy netns-tlv ignore\n  tcp-request inspect-delay 10s\n\
             \x20 tcp-request content reject if {{ req.payload(0,3) -m str bad }}\n\
             \x20 tcp-request content accept if {{ req.len ge 6 }}\n\
             \x20 log-format '%[req.payload(0,6),upper] %[fc_pp_netns] %[fc_netns] %[bc_netns] %[src] %b %ID'\n\
             \x20 unique-id-format '%[src]-%[req.len]'\n\
             \x20 use_backend there if {{ fc_pp_netns tenant9 }}\n  default_backend here\n\
             backend here\n  server s 127.0.0.1:9000 send-proxy-v2 proxy-v2-options unique-id \
             set-proxy-v2-tlv-fmt(0xe0) '%[req.payload(0,2)] %[fc_pp_netns] %[nbsrv(there)]'\n\
             backend there\n  server s 127.0.0.1:9000 namespace tenant1\n"
        );
        let _running = run(w, w.home(), &config);
        let open = |netns, says: &str| {
            let client = w.home().connect("127.0.0.1:8000");
            client.send([v2_header("192.0.2.1:1", "192.0.2.2:2", Some(netns)), says.into()].concat());
            client
        };
        let client = open("tenant8", "secret and more");
        let accepted = server.accept();
        let header = read_header(&accepted);
        let header = proxy_proto::parse(&header).expect("a header").header;
        assert_eq!(header.unique_id(), Some(&b"192.0.2.1-15"[..]));
        let composed = header.tlvs().find(|tlv| tlv.kind().0 == 0xe0);
        assert_eq!(composed.map(|tlv| tlv.value()), Some(&b"se tenant8 1"[..]));
        accepted.expect("secret and more");
        exchange(&client, &accepted);
        client.close();
        accepted.expect_closed();
        accepted.close();
        assert_eq!(log.line(), "SECRET tenant8 - - 192.0.2.1 here 192.0.2.1-15\n");
        let client = open("tenant9", "abcdef");
        let accepted = in_tenant.accept();
        accepted.expect("abcdef");
        client.close();
        accepted.expect_closed();
        accepted.close();
        assert_eq!(
            log.line(),
            "ABCDEF tenant9 - tenant1 192.0.2.1 there 192.0.2.1-6\n"
        );
        // Of one that never came to a server, it is still there.
        let client = open("tenant8", "bad guy");
        client.expect_closed();
        assert_eq!(log.line(), "BAD GU tenant8 - - 192.0.2.1 f 192.0.2.1-7\n");
    });
}
