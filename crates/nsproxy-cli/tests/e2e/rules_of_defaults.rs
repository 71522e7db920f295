//! Rules that proxies take from their `defaults`: those come first, as under HAProxy.

use nsproxy_testkit::{Service, World, require, world};

use crate::common::{DEFAULTS, Proxy, run, same};
use crate::rules::{fate, fate_from};

const PLACE: &str = "127.0.0.1:8000";

#[test]
fn rules_of_a_defaults_section_come_before_those_of_a_proxy_as_in_haproxy() {
    let both = require!(Proxy::both());
    world("rules-of-defaults", |w| {
        let services = ["secret", "public"].map(|says| Service::reply(w.home().listen("127.0.0.1:0"), says));
        let [secret, public] = services.each_ref().map(Service::address);
        let timeouts = "  mode tcp\n  timeout connect 10s\n  timeout client 10s\n  timeout server 10s\n";
        let config = format!(
            "defaults in\n{timeouts}  acl known src 127.0.1.0/24\n  acl known src 127.0.2.0/24\n\
             \x20 tcp-request connection accept if {{ src 127.0.2.1 }}\n  tcp-request connection reject unless known\n\
             \x20 tcp-request inspect-delay 10s\n  tcp-request content reject if {{ src 127.0.1.9 }}\n\
             frontend f from in\n  bind {PLACE}\n  acl known src 127.0.1.5\n  tcp-request connection reject if known\n\
             \x20 tcp-request connection reject if {{ src 127.0.2.1 }}\n  use_backend public if {{ src 127.0.1.7 }}\n\
             \x20 default_backend secret\n\
             defaults out\n{timeouts}  tcp-request content reject if {{ src 127.0.1.8 }}\n\
             backend secret from out\n  tcp-request content accept\n  server s {secret}\n\
             backend public from out\n  server s {public}\n"
        );
        let fates = same(&both, w, (w.home(), &config), &[(w.home(), PLACE)], || {
            let from = |ip: &str| fate_from(w.home(), ip);
            [
                "127.0.1.1",
                "127.0.1.5",
                "127.0.1.7",
                "127.0.1.8",
                "127.0.1.9",
                "127.0.2.1",
                "127.0.3.1",
            ]
            .map(from)
        });
        assert_eq!(
            fates,
            [
                "secret",
                "ConnectionReset",
                "public",
                "",
                "",
                "secret",
                "ConnectionReset"
            ]
        );
    });
}

/// An inspection delay is no rule: any proxy takes it.
#[test]
fn a_listen_waits_as_long_as_its_defaults_say_as_in_haproxy() {
    let both = require!(Proxy::both());
    world("delay-of-defaults", |w| {
        let service = Service::reply(w.home().listen("127.0.0.1:0"), "done");
        let config = format!(
            "defaults waiting\n  mode tcp\n  timeout connect 10s\n  timeout client 10s\n  timeout server 10s\n\
             \x20 tcp-request inspect-delay 10s\n\
             listen l from waiting\n  bind {PLACE}\n  tcp-request content reject unless {{ req.len ge 3 }}\n  server s {}\n",
            service.address()
        );
        let scene = |w: &World| {
            let client = w.home().connect(PLACE);
            client.send("a");
            client.expect_silence(crate::common::SILENCE / 4);
            client.send("bc");
            fate(&client)
        };
        let told = same(&both, w, (w.home(), &config), &[(w.home(), PLACE)], || scene(w));
        assert_eq!(told, "done");
    });
}

/// HAProxy 2.6.12 takes such rules, and asks none of them.
#[test]
fn rules_about_responses_are_taken_from_defaults_too() {
    world("responses-of-defaults", |w| {
        let services = ["secret", "public"].map(|says| Service::reply(w.home().listen("127.0.0.1:0"), says));
        let [secret, public] = services.each_ref().map(Service::address);
        let config = format!(
            "{DEFAULTS}frontend f\n  bind {PLACE}\n  use_backend public if {{ src 127.0.1.7 }}\n  default_backend secret\n\
             defaults out\n  mode tcp\n  timeout connect 10s\n  timeout server 10s\n  tcp-response inspect-delay 10s\n\
             \x20 tcp-response content reject if {{ res.payload(0,6) -m str secret }}\n\
             backend secret from out\n  tcp-response content accept\n  server s {secret}\n\
             backend public from out\n  server s {public}\n"
        );
        let _running = run(w, w.home(), &config);
        let fates = ["127.0.1.1", "127.0.1.7"].map(|ip| fate_from(w.home(), ip));
        assert_eq!(fates, ["", "public"]);
    });
}
