//! What becomes of sessions when their namespace goes, and that nothing of ours keeps a namespace that has gone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nsproxy_engine::{CloseReason, InProcess, NetnsState, Plan, ServerPlan, Side, UpstreamNetns};
use nsproxy_testkit::{DEFAULT_DEADLINE, Listener, Netns, Peer, Service, World, eventually, world};

use crate::common::{A_WHILE, Relay, in_netns, listener, listener_at, server, settings};
use crate::{HERE, WEB, bind_mount, connects, expect_echo, plan_from_tenant1, wait_for_listener};

/// A world with a namespace and a link to it; when the namespace dies, so does our end of the link.
fn tenant_with_link(w: &World) -> Netns {
    let tenant = w.add_netns("tenant1");
    w.home().ip("link add v0 type veth peer name v1 netns tenant1");
    w.home().ip("link set v0 up");
    w.home().ip("address add 10.1.0.1/24 dev v0");
    tenant.ip("link set v1 up");
    tenant.ip("address add 10.1.0.2/24 dev v1");
    tenant
}

fn has_link(w: &World) -> bool {
    w.home().ip("-br link").contains("v0")
}

fn wait_for_the_end_of_the_link(w: &World) {
    eventually(DEFAULT_DEADLINE, "the link to vanish", || {
        (!has_link(w)).then_some(())
    });
}

#[test]
fn sessions_of_a_removed_namespace_are_reset_and_its_links_die() {
    for side in Side::BOTH {
        world("live-sessions", |w| {
            let tenant = tenant_with_link(w);
            let there = (side == Side::Upstream).then(|| tenant.listen("10.1.0.2:9000"));
            let here = Listener::bind("127.0.0.1:0");
            let mut plan = match &there {
                None => plan_from_tenant1(here.address()),
                Some(origin) => {
                    let to = ServerPlan {
                        netns: UpstreamNetns::Named("tenant1".parse().unwrap()),
                        ..server(origin.address())
                    };
                    Plan::forward(listener(), to, None)
                }
            };
            let patience = Duration::from_millis(300);
            plan.relays[0].netns_removed_timeout = patience;
            plan.pools[0].netns_removed_timeout = patience;
            let relay = Relay::start(&plan);
            // Of the two ends of the session, the one that is not in the namespace is looked at.
            let (client, origin) = match &there {
                None => {
                    // From here, so that no socket of the test is inside.
                    let client = Peer::connect("10.1.0.2:8080");
                    (client, here.accept())
                }
                Some(listener) => {
                    let client = relay.connect();
                    (client, listener.accept())
                }
            };
            client.send("up");
            origin.expect("up");
            let seen = |relay: &Relay| relay.handle.namespaces()[0].clone();
            assert_eq!(seen(&relay).sessions, 1);
            let since = Instant::now();
            w.remove_netns("tenant1");
            drop(tenant);
            relay.eventually("the change to be seen", |stats| stats.netns_removed == 1);
            assert_eq!(
                (seen(&relay).state, seen(&relay).sessions),
                (NetnsState::Removed, 1)
            );
            // It goes on for a while.
            origin.send("down");
            client.expect("down");
            let end = relay.end();
            assert_eq!(end.reason, CloseReason::NetnsRemoved(side));
            assert!(since.elapsed() >= patience, "{:?}", since.elapsed());
            match side {
                Side::Downstream => origin.expect_reset(),
                Side::Upstream => client.expect_reset(),
            }
            drop((client, origin, there));
            wait_for_the_end_of_the_link(w);
            assert_eq!(relay.stats().netns_removed_sessions, 1);
            assert!(
                relay
                    .record
                    .notices()
                    .iter()
                    .any(|notice| notice.starts_with("NetnsLeft"))
            );
            relay.expect_idle();
        });
    }
}

#[test]
fn a_session_goes_on_for_ever_without_a_limit_and_when_the_name_comes_back() {
    world("live-goes-on", |w| {
        let tenant = w.add_netns("tenant1");
        let echo = Service::echo(Listener::bind("127.0.0.1:0"));
        let mut plan = plan_from_tenant1(echo.address());
        plan.relays[0].netns_removed_timeout = Duration::ZERO;
        let relay = Relay::start(&plan);
        let client = tenant.connect(HERE);
        expect_echo(&client, "before");
        w.remove_netns("tenant1");
        relay.eventually("the change to be seen", |stats| stats.netns_removed == 1);
        client.expect_silence(A_WHILE);
        expect_echo(&client, "after");
        // With one: but the namespace is back in time.
        plan.relays[0].netns_removed_timeout = Duration::from_millis(500);
        w.home().ip("netns add other");
        let other = w.add_netns("tenant1");
        relay.handle.apply(&plan).unwrap();
        wait_for_listener(&other);
        let second = other.connect(HERE);
        expect_echo(&second, "second");
        bind_mount(w, "/run/netns/tenant1", "/run/netns/kept");
        w.remove_netns("tenant1");
        relay.eventually("the change to be seen", |stats| stats.netns_removed == 2);
        bind_mount(w, "/run/netns/kept", "/run/netns/tenant1");
        relay.eventually("the change to be seen", |stats| stats.netns_ready >= 2);
        second.expect_silence(Duration::from_millis(700));
        expect_echo(&second, "still");
        for name in ["kept", "tenant1", "other"] {
            w.home().ip(&format!("netns delete {name}"));
        }
        second.expect_reset();
        expect_echo(&client, "to the end");
    });
}

#[test]
fn the_namespace_of_a_process_ends_with_it() {
    world("live-process", |w| {
        let unnamed = w.add_netns("unnamed");
        let mut sleep = std::process::Command::new("sleep");
        sleep.arg("1000");
        let sleeper = unnamed.spawn(sleep);
        let spec = format!("pid:{}", sleeper.pid());
        let echo = Service::echo(Listener::bind("127.0.0.1:0"));
        let mut plan = plan_from_tenant1(echo.address());
        plan.relays[0].listeners = vec![
            in_netns(&spec, listener_at(WEB)),
            in_netns(
                &format!("/proc/{}/ns/net", sleeper.pid()),
                listener_at("0.0.0.0:8081"),
            ),
        ];
        plan.relays[0].netns_removed_timeout = Duration::from_millis(100);
        let relay = Relay::start(&plan);
        assert!(!relay.listeners[0].pending && !relay.listeners[1].pending);
        let client = unnamed.connect(HERE);
        expect_echo(&client, "hello");
        drop(sleeper);
        client.expect_reset();
        assert!(!connects(&unnamed));
        assert_eq!(relay.end().reason, CloseReason::NetnsRemoved(Side::Downstream));
        assert_eq!(relay.stats().listeners_pending, 2);
    });
}

#[test]
fn workers_that_have_seen_a_namespace_go_do_not_pin_it() {
    world("live-stock", |w| {
        let tenant = tenant_with_link(w);
        let service = Service::reply(tenant.listen("10.1.0.2:9000"), "hello");
        let to = ServerPlan {
            netns: UpstreamNetns::Named("tenant1".parse().unwrap()),
            ..server(service.address())
        };
        let relay = Relay::start_with(
            &settings(1),
            Arc::new(InProcess),
            &Plan::forward(listener(), to, None),
        );
        // Enough in a short time for a stock.
        eventually(DEFAULT_DEADLINE, "a stock", || {
            let client = relay.connect();
            client.expect("hello");
            client.expect_eof();
            (relay.handle.namespaces()[0].sockets_in_stock > 0).then_some(())
        });
        drop(service);
        w.remove_netns("tenant1");
        drop(tenant);
        wait_for_the_end_of_the_link(w);
    });
}

#[test]
fn a_namespace_that_has_left_the_plan_is_not_pinned_by_a_session_of_the_plan_before() {
    world("live-unplanned", |w| {
        let tenant = tenant_with_link(w);
        let here = Listener::bind("127.0.0.1:0");
        let mut plan = plan_from_tenant1(here.address());
        plan.relays[0].netns_removed_timeout = Duration::from_millis(300);
        let relay = Relay::start(&plan);
        let client = Peer::connect("10.1.0.2:8080");
        let origin = here.accept();
        relay
            .handle
            .apply(&Plan::forward(listener(), server(here.address()), None))
            .unwrap();
        client.send("still");
        origin.expect("still");
        w.remove_netns("tenant1");
        drop(tenant);
        assert_eq!(relay.end().reason, CloseReason::NetnsRemoved(Side::Downstream));
        origin.expect_reset();
        drop(client);
        wait_for_the_end_of_the_link(w);
        assert_eq!(relay.stats().netns_live, 0);
    });
}
