//! Identifiers of sessions: the same in the log and in the header that the server gets.

use nsproxy_testkit::{require, world};

use crate::common::{Proxy, connect_from, read_header, run, same, tenant};
use crate::syslog::Syslog;

#[test]
fn server_and_log_are_told_the_identifier_that_haproxy_makes() {
    let proxies = require!(Proxy::both());
    world("log-unique-id", |w| {
        let log = Syslog::udp(w.home(), 5140);
        let server = w.home().listen("127.0.0.1:9000");
        let config = "global\n  log 127.0.0.1:5140 format raw local0\ndefaults\n  mode tcp\n  log global\n\
            \x20 timeout connect 5s\n  timeout client 5s\n  timeout server 5s\n\
            listen told\n  bind 127.0.0.1:8000\n  unique-id-format %{+X}o%ci:%cp_%fi:%fp_%{-X}b\n\
            \x20 log-format \"%ID %{+Q}ID %ts\"\n\
            \x20 server s 127.0.0.1:9000 send-proxy-v2 proxy-v2-options crc32c,unique-id,authority\n\
            listen silent\n  bind 127.0.0.1:8001\n  unique-id-format %cp%s\n  log-format %ID\n\
            \x20 server s 127.0.0.1:9000\n\
            listen none\n  bind 127.0.0.1:8002\n  log-format \"%ID %{+Q}ID\"\n\
            \x20 server s 127.0.0.1:9000 send-proxy-v2\n";
        let ports = ["127.0.0.1:8000", "127.0.0.1:8001", "127.0.0.1:8002"];
        let places = ports.map(|port| (w.home(), port));
        let told = same(&proxies, w, (w.home(), config), &places, || {
            ports.map(|port| {
                let client = connect_from(w.home(), "127.0.0.1:7000", port);
                let accepted = server.accept();
                let header = if port.ends_with("8001") {
                    Vec::new()
                } else {
                    read_header(&accepted)
                };
                client.close();
                accepted.expect_closed();
                accepted.close();
                (header, log.line())
            })
        });
        let id = "7F000001:1B58_7F000001:1F40_told";
        let header = proxy_proto::parse(&told[0].0).expect("a header").header;
        assert_eq!(header.unique_id(), Some(id.as_bytes()));
        assert_eq!(told[0].1, format!("{id} \"{id}\" --\n"));
        assert_eq!(told[1].1, "7000s\n");
        assert_eq!(told[2].1, "- \"\"\n");
    });
}

#[test]
fn a_composed_tlv_tells_the_server_what_the_session_is() {
    world("composed-tlv", |w| {
        let tenant = tenant(w);
        let server = w.home().listen("127.0.0.1:9000");
        let config = "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 5s\n  timeout server 5s\n\
            listen l\n  bind 10.0.0.1:80 namespace tenant1\n\
            \x20 server s 127.0.0.1:9000 send-proxy-v2 set-proxy-v2-tlv-fmt(0xe1) %[fc_netns] \
            set-proxy-v2-tlv-fmt(226) \"%f to %s\"\n";
        let _running = run(w, w.home(), config);
        let _client = tenant.connect("10.0.0.1:80");
        let header = read_header(&server.accept());
        let header = proxy_proto::parse(&header).expect("a header").header;
        let tlvs: Vec<_> = header.tlvs().map(|tlv| (tlv.kind().0, tlv.value())).collect();
        assert_eq!(
            tlvs,
            [(0xe1, &b"tenant1"[..]), (226, b"l to s"), (0x30, b"tenant1")]
        );
    });
}
