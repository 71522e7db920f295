//! `netns-tlv` beside `expect-proxy layer4`: what it says holds for headers that a rule expects as for those of `accept-proxy`.

use nsproxy_testkit::{Netns, Peer, Service, world};

use crate::common::{DEFAULTS, connect_from, run, v2_header};

/// A client from where rules expect a header, which has sent one.
#[track_caller]
fn behind_a_relay(home: &Netns, place: &str, netns: Option<&str>) -> Peer {
    let client = connect_from(home, "127.0.5.1:0", place);
    client.send(v2_header("192.0.2.1:1", "198.51.100.1:2", netns));
    client
}

#[test]
fn a_header_that_a_rule_expects_selects_what_its_listener_allows() {
    world("expect-proxy-netns", |w| {
        let services = ["blue", "green"].map(|name| {
            let netns = w.add_netns(name);
            Service::reply(netns.listen("127.0.0.1:9000"), name)
        });
        let here = Service::reply(w.home().listen("127.0.0.1:9000"), "home");
        let config = format!(
            "{DEFAULTS}namespace_list\n  namespace blue green\n\
             listen l\n  bind 127.0.0.1:8000\n  bind 127.0.0.1:8001 netns-tlv allow blue require\n\
             \x20 bind 127.0.0.1:8002 netns-tlv ignore\n\
             \x20 tcp-request connection expect-proxy layer4 if {{ src 127.0.5.0/24 }}\n\
             \x20 server s 127.0.0.1:9000 namespace *\n"
        );
        let _running = run(w, w.home(), &config);
        for (place, netns, reply) in [
            ("127.0.0.1:8000", Some("green"), Some("green")),
            ("127.0.0.1:8000", Some("red"), None),
            ("127.0.0.1:8000", None, Some("home")),
            ("127.0.0.1:8001", Some("blue"), Some("blue")),
            ("127.0.0.1:8001", Some("green"), None),
            ("127.0.0.1:8001", None, None),
            ("127.0.0.1:8002", Some("blue"), Some("home")),
            ("127.0.0.1:8002", Some("red"), Some("home")),
        ] {
            let client = behind_a_relay(w.home(), place, netns);
            if let Some(reply) = reply {
                client.expect(reply);
            }
            client.expect_closed();
        }
        // Whom no rule asks for a header has none, and is in the listener's namespace.
        for place in ["127.0.0.1:8000", "127.0.0.1:8001", "127.0.0.1:8002"] {
            let client = connect_from(w.home(), "127.0.6.1:0", place);
            client.expect("home");
            client.expect_closed();
        }
        drop((services, here));
    });
}
