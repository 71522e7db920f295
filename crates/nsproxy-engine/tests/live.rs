//! Namespaces that are missing, come, go and are replaced while the engine runs.
#![allow(clippy::unwrap_used, reason = "a panic is how a test reports")]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{A_WHILE, Relay, Unwatched, in_netns, listener, listener_at, server, settings, whole};
use nsproxy_engine::{
    ApplyError, CloseReason, InProcess, ListenerNetns, NetnsState, Plan, ServerPlan, Side, UpstreamNetns,
};
use nsproxy_testkit::{
    Address, DEFAULT_DEADLINE, Deadline, Listener, Netns, Peer, Service, World, eventually, world,
};

/// How soon after a change everything follows.
const SOON: Duration = Duration::from_millis(100);
const WEB: &str = "0.0.0.0:8080";
const HERE: &str = "127.0.0.1:8080";

/// From a listener in the namespace `tenant1` to an echo here.
fn plan_from_tenant1(echo: &Service) -> Plan {
    Plan::forward(
        in_netns("tenant1", listener_at(WEB)),
        server(echo.address()),
        None,
    )
}

fn expect_echo(client: &Peer, text: &str) {
    client.send(text);
    client.expect(text);
}

/// Waits until something listens there, and says how long that took.
fn wait_for_listener(netns: &Netns) -> Duration {
    let since = Instant::now();
    netns.wait_listening(HERE, Deadline::after(DEFAULT_DEADLINE));
    since.elapsed()
}

fn connects(netns: &Netns) -> bool {
    netns.run(|| Peer::try_connect(HERE)).is_ok()
}

#[test]
fn a_listener_waits_for_its_namespace_follows_it_and_goes_with_it() {
    world("live-listener", |w| {
        let echo = Service::echo(Listener::bind("127.0.0.1:0"));
        let relay = Relay::start(&plan_from_tenant1(&echo));
        assert!(relay.listeners[0].pending);
        let states = || {
            let namespaces = relay.handle.namespaces();
            namespaces
                .iter()
                .map(|netns| (netns.state, netns.listeners, netns.listeners_pending))
                .collect::<Vec<_>>()
        };
        assert_eq!(states(), [(NetnsState::Pending, 0, 1)]);
        let mut ids = Vec::new();
        for _ in 0..3 {
            let tenant = w.add_netns("tenant1");
            wait_for_listener(&tenant);
            expect_echo(&tenant.connect(HERE), "hello");
            assert_eq!(states(), [(NetnsState::Live, 1, 0)]);
            ids.push(relay.handle.namespaces()[0].id.unwrap());
            w.remove_netns("tenant1");
            eventually(DEFAULT_DEADLINE, "the listener to be closed", || {
                (!connects(&tenant)).then_some(())
            });
            eventually(DEFAULT_DEADLINE, "the namespace to be gone", || {
                (states() == [(NetnsState::Removed, 0, 1)]).then_some(())
            });
        }
        ids.dedup();
        assert_eq!(ids.len(), 3, "each one is another");
        let stats = relay.stats();
        assert_eq!(
            (stats.netns_ready, stats.netns_removed, stats.netns_replaced),
            (3, 3, 0)
        );
        assert_eq!((stats.listeners_opened, stats.netns_live), (3, 0));
        let notices = relay.record.notices();
        for (kind, count) in [("NetnsReady", 3), ("NetnsRemoved", 3)] {
            assert_eq!(
                notices.iter().filter(|notice| notice.starts_with(kind)).count(),
                count
            );
        }
    });
}

#[test]
fn a_registry_that_does_not_exist_yet_is_waited_for() {
    world("live-no-registry", |w| {
        std::fs::remove_dir("/run/netns").unwrap();
        let echo = Service::echo(Listener::bind("127.0.0.1:0"));
        let relay = Relay::start(&plan_from_tenant1(&echo));
        let tenant = w.add_netns("tenant1");
        wait_for_listener(&tenant);
        expect_echo(&tenant.connect(HERE), "hello");
        drop(relay);
    });
}

#[test]
fn everything_follows_within_a_tenth_of_a_second() {
    world("live-soon", |_| {
        let echo = Service::echo(Listener::bind("127.0.0.1:0"));
        let relay = Relay::start(&plan_from_tenant1(&echo));
        let registry = netns_core::Registry::system();
        let name = "tenant1".parse().unwrap();
        // Ours, so that what is measured is not the start of a program.
        let mut slowest = Duration::ZERO;
        for _ in 0..20 {
            for (change, open) in [("add", 1), ("remove", 0)] {
                let since = Instant::now();
                match change {
                    "add" => drop(registry.add(&name).unwrap()),
                    _ => registry.remove(&name).unwrap(),
                }
                relay.eventually("the listeners to follow", |stats| {
                    stats.listeners_in_netns == open
                });
                slowest = slowest.max(since.elapsed());
            }
        }
        println!("the slowest of 40 changes took {slowest:?}");
        assert!(slowest < SOON, "{slowest:?}");
    });
}

#[test]
fn a_listener_moves_to_the_namespace_that_has_the_name_now() {
    world("live-replaced", |w| {
        let echo = Service::echo(Listener::bind("127.0.0.1:0"));
        let relay = Relay::start(&plan_from_tenant1(&echo));
        let first = w.add_netns("tenant1");
        wait_for_listener(&first);
        let second = w.add_netns("spare");
        // Another one is mounted over the name, which nobody sees gone.
        w.home()
            .output({
                let mut mount = std::process::Command::new("mount");
                mount.args(["--bind", "/run/netns/spare", "/run/netns/tenant1"]);
                mount
            })
            .expect_success();
        wait_for_listener(&second);
        expect_echo(&second.connect(HERE), "hello");
        eventually(DEFAULT_DEADLINE, "the old listener to be closed", || {
            (!connects(&first)).then_some(())
        });
        assert_eq!(relay.stats().netns_replaced, 1);
        assert!(
            relay
                .record
                .notices()
                .iter()
                .any(|notice| notice.starts_with("NetnsReplaced"))
        );
        // `ip` does not get rid of two mounts on one name.
        let registry = netns_core::Registry::system();
        registry.remove(&"tenant1".parse().unwrap()).unwrap();
    });
}

#[test]
fn an_address_that_comes_after_its_namespace_is_waited_for() {
    world("live-address", |w| {
        let echo = Service::echo(Listener::bind("127.0.0.1:0"));
        let mut plan = plan_from_tenant1(&echo);
        plan.relays[0].listeners = vec![in_netns("tenant1", listener_at("10.1.0.1:8080"))];
        let relay = Relay::start(&plan);
        // In one that has had no address ever, the kernel binds any: it has no table yet to look it up in.
        let tenant = w.add_netns("spare");
        let registry = netns_core::Registry::system();
        let spare = registry.open(&"spare".parse().unwrap()).unwrap();
        registry.attach(&"tenant1".parse().unwrap(), &spare).unwrap();
        drop(spare);
        relay.eventually("some attempts", |stats| stats.listeners_failed >= 6);
        assert_eq!(relay.stats().listeners_pending, 1);
        let notices = relay.record.notices();
        let failed: Vec<_> = notices
            .iter()
            .filter(|notice| notice.starts_with("ListenerFailed"))
            .collect();
        assert!(!failed.is_empty() && failed[0].contains("code: 99"), "{failed:?}");
        // A plan that has it, too, does not fail for it.
        relay.handle.apply(&plan).unwrap();
        tenant.ip("address add 10.1.0.1/24 dev lo");
        tenant.wait_listening("10.1.0.1:8080", Deadline::after(DEFAULT_DEADLINE));
        expect_echo(&tenant.connect("10.1.0.1:8080"), "hello");
        assert!(
            relay
                .record
                .notices()
                .iter()
                .any(|notice| notice.starts_with("ListenerOpened"))
        );
    });
}

#[test]
fn a_listener_that_cannot_be_opened_in_a_namespace_that_is_there_fails_the_plan() {
    world("live-taken", |w| {
        let tenant = w.add_netns("tenant1");
        let _taken = tenant.listen(WEB);
        let echo = Service::echo(Listener::bind("127.0.0.1:0"));
        let relay = Relay::start(&Plan::forward(listener(), server(echo.address()), None));
        let error = relay.handle.apply(&plan_from_tenant1(&echo)).unwrap_err();
        assert!(matches!(error, ApplyError::Listen { .. }), "{error:?}");
        assert!(whole(&error).contains("in use"), "{}", whole(&error));
        expect_echo(&relay.connect(), "still here");
    });
}

#[test]
fn a_strict_plan_fails_for_any_namespace_that_is_missing() {
    world("live-strict", |w| {
        let echo = Service::echo(Listener::bind("127.0.0.1:0"));
        let relay = Relay::start(&Plan::forward(listener(), server(echo.address()), None));
        let mut plan = plan_from_tenant1(&echo);
        plan.strict_namespaces = true;
        let error = relay.handle.apply(&plan).unwrap_err();
        assert!(
            matches!(error, ApplyError::Listen { .. }) && whole(&error).contains("tenant1"),
            "{error:?}"
        );
        w.add_netns("tenant1");
        plan.pools[0].servers[0].netns = UpstreamNetns::Named("tenant2".parse().unwrap());
        let error = relay.handle.apply(&plan).unwrap_err();
        assert!(
            matches!(error, ApplyError::Netns(_)) && whole(&error).contains("tenant2"),
            "{error:?}"
        );
        w.add_netns("tenant2");
        relay.handle.apply(&plan).unwrap();
        assert!(nsproxy_engine::Prepared::open(&plan, Arc::new(InProcess)).is_err());
    });
}

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
                None => plan_from_tenant1_to(here.address()),
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

fn plan_from_tenant1_to(address: &Address) -> Plan {
    Plan::forward(in_netns("tenant1", listener_at(WEB)), server(address), None)
}

#[test]
fn a_session_goes_on_for_ever_without_a_limit_and_when_the_name_comes_back() {
    world("live-goes-on", |w| {
        let tenant = w.add_netns("tenant1");
        let echo = Service::echo(Listener::bind("127.0.0.1:0"));
        let mut plan = plan_from_tenant1(&echo);
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
        w.home()
            .output({
                let mut shell = std::process::Command::new("sh");
                shell.args([
                    "-c",
                    "touch /run/netns/kept && mount --bind /run/netns/tenant1 /run/netns/kept",
                ]);
                shell
            })
            .expect_success();
        w.remove_netns("tenant1");
        relay.eventually("the change to be seen", |stats| stats.netns_removed == 2);
        w.home()
            .output({
                let mut shell = std::process::Command::new("sh");
                shell.args([
                    "-c",
                    "touch /run/netns/tenant1 && mount --bind /run/netns/kept /run/netns/tenant1",
                ]);
                shell
            })
            .expect_success();
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
        let mut plan = plan_from_tenant1(&echo);
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
fn a_path_is_followed_like_a_name() {
    world("live-path", |w| {
        let echo = Service::echo(Listener::bind("127.0.0.1:0"));
        let path = w.path("namespaces/blue");
        let mut plan = plan_from_tenant1(&echo);
        plan.relays[0].listeners = vec![in_netns(path.to_str().unwrap(), listener_at(WEB))];
        let relay = Relay::start(&plan);
        assert!(relay.listeners[0].pending);
        let tenant = w.add_netns("tenant1");
        let shell = |script: &str| {
            let mut shell = std::process::Command::new("sh");
            shell.args(["-ec", script]);
            w.home().output(shell).expect_success();
        };
        shell(&format!(
            "mkdir {0}; touch {1}; mount --bind /run/netns/tenant1 {1}",
            path.parent().unwrap().display(),
            path.display()
        ));
        wait_for_listener(&tenant);
        shell(&format!("umount {}", path.display()));
        relay.eventually("the listener to be closed", |stats| stats.listeners_in_netns == 0);
        assert!(!connects(&tenant));
    });
}

#[test]
fn a_pattern_listens_in_every_namespace_that_matches_now_and_later() {
    world("live-pattern", |w| {
        let echo = Service::echo(Listener::bind("127.0.0.1:0"));
        let before = w.add_netns("tenant-1");
        let mut plan = plan_from_tenant1(&echo);
        let mut matching = listener_at(WEB);
        matching.netns = Some(ListenerNetns::Matching("tenant-*".parse().unwrap()));
        plan.relays[0].listeners = vec![matching, in_netns("tenant-3", listener_at("0.0.0.0:8081"))];
        let relay = Relay::start(&plan);
        let open = relay
            .listeners
            .iter()
            .filter(|listener| !listener.pending)
            .count();
        assert_eq!((relay.listeners.len(), open), (2, 1));
        expect_echo(&before.connect(HERE), "one");
        let after = w.add_netns("tenant-2");
        let other = w.add_netns("other");
        wait_for_listener(&after);
        let client = after.connect(HERE);
        expect_echo(&client, "two");
        assert!(!connects(&other));
        // Another plan with the pattern finds them again, and keeps their sockets.
        let again = relay.handle.apply(&plan).unwrap();
        assert_eq!(again.iter().filter(|listener| listener.kept).count(), 2);
        client.close();
        let names: Vec<_> = relay
            .ends(2)
            .into_iter()
            .map(|end| end.client_netns.unwrap())
            .collect();
        assert!(names.contains(&"tenant-2".to_owned()), "{names:?}");
        // A name of the plan has its own listener and that of the pattern.
        let third = w.add_netns("tenant-3");
        wait_for_listener(&third);
        third.wait_listening("127.0.0.1:8081", Deadline::after(DEFAULT_DEADLINE));
        w.remove_netns("tenant-2");
        relay.eventually("the listener to go", |stats| stats.listeners_in_netns == 3);
        let names = |relay: &Relay| {
            let namespaces = relay.handle.namespaces();
            let names = namespaces.iter().map(|netns| netns.netns.to_string());
            names.collect::<Vec<_>>()
        };
        eventually(DEFAULT_DEADLINE, "the name to go", || {
            (names(&relay) == ["tenant-1", "tenant-3"]).then_some(())
        });
        // A plan without it closes them.
        plan.relays[0].listeners.remove(0);
        relay.handle.apply(&plan).unwrap();
        eventually(DEFAULT_DEADLINE, "the listeners to be closed", || {
            (!connects(&before) && !connects(&third)).then_some(())
        });
        assert_eq!(relay.stats().listeners_in_netns, 1);
    });
}

#[test]
fn a_name_of_the_plan_stands_for_a_pattern_at_its_address() {
    world("live-pattern-named", |w| {
        let [one, two] = ["one", "two"].map(|reply| Service::reply(Listener::bind("127.0.0.1:0"), reply));
        let mut matching = listener_at(WEB);
        matching.netns = Some(ListenerNetns::Matching("tenant-*".parse().unwrap()));
        let mut plan = Plan::forward(matching, server(one.address()), None);
        let named = Plan::forward(
            in_netns("tenant-2", listener_at(WEB)),
            server(two.address()),
            None,
        );
        plan.relays.push(nsproxy_engine::RelayPlan {
            pool: 1,
            ..named.relays[0].clone()
        });
        plan.pools.push(nsproxy_engine::PoolPlan {
            name: "other".to_owned(),
            ..named.pools[0].clone()
        });
        let relay = Relay::start(&plan);
        let tenants = ["tenant-1", "tenant-2"].map(|name| w.add_netns(name));
        for (tenant, reply) in tenants.iter().zip(["one", "two"]) {
            wait_for_listener(tenant);
            let client = tenant.connect(HERE);
            client.expect(reply);
            client.expect_eof();
        }
        relay.handle.apply(&plan).unwrap();
        assert_eq!(relay.stats().listeners_in_netns, 2);
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
        let mut plan = plan_from_tenant1_to(here.address());
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

#[test]
fn a_change_that_a_plan_is_the_first_to_see_is_told_and_counted() {
    world("live-plan-sees", |w| {
        let echo = Service::echo(Listener::bind("127.0.0.1:0"));
        let _tenant = w.add_netns("tenant1");
        let plan = plan_from_tenant1(&echo);
        let relay = Relay::start_with(&settings(1), Arc::new(Unwatched), &plan);
        w.remove_netns("tenant1");
        assert!(relay.handle.apply(&plan).unwrap()[0].pending);
        let stats = relay.stats();
        assert_eq!((stats.netns_removed, stats.netns_live), (1, 0));
        let notices = relay.record.notices();
        let removed = notices.iter().filter(|notice| notice.starts_with("NetnsRemoved"));
        assert_eq!(removed.count(), 1, "{notices:?}");
    });
}
