//! Listeners follow the namespaces that they are in: by name, by path, and as soon as there is an address.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nsproxy_engine::{ApplyError, InProcess, NetnsState, Plan, Prepared, UpstreamNetns};
use nsproxy_testkit::{DEFAULT_DEADLINE, Deadline, Listener, Service, eventually, world};

use crate::common::{Relay, Unwatched, in_netns, listener, listener_at, server, settings, whole};
use crate::{HERE, WEB, bind_mount, connects, expect_echo, plan_from_tenant1, run, wait_for_listener};

/// How soon after a change everything follows.
const SOON: Duration = Duration::from_millis(100);

#[test]
fn a_listener_waits_for_its_namespace_follows_it_and_goes_with_it() {
    world("live-listener", |w| {
        let echo = Service::echo(Listener::bind("127.0.0.1:0"));
        let relay = Relay::start(&plan_from_tenant1(echo.address()));
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
        fs::remove_dir("/run/netns").unwrap();
        let echo = Service::echo(Listener::bind("127.0.0.1:0"));
        let relay = Relay::start(&plan_from_tenant1(echo.address()));
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
        let relay = Relay::start(&plan_from_tenant1(echo.address()));
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
        let relay = Relay::start(&plan_from_tenant1(echo.address()));
        let first = w.add_netns("tenant1");
        wait_for_listener(&first);
        let second = w.add_netns("spare");
        // Another one is mounted over the name, which nobody sees gone.
        bind_mount(w, "/run/netns/spare", "/run/netns/tenant1");
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
        let mut plan = plan_from_tenant1(echo.address());
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
        let error = relay
            .handle
            .apply(&plan_from_tenant1(echo.address()))
            .unwrap_err();
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
        let mut plan = plan_from_tenant1(echo.address());
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
        assert!(Prepared::open(&plan, Arc::new(InProcess)).is_err());
    });
}

#[test]
fn a_path_is_followed_like_a_name() {
    world("live-path", |w| {
        let echo = Service::echo(Listener::bind("127.0.0.1:0"));
        let path = w.path("namespaces/blue");
        let mut plan = plan_from_tenant1(echo.address());
        plan.relays[0].listeners = vec![in_netns(path.to_str().unwrap(), listener_at(WEB))];
        let relay = Relay::start(&plan);
        assert!(relay.listeners[0].pending);
        let tenant = w.add_netns("tenant1");
        fs::create_dir(path.parent().unwrap()).unwrap();
        bind_mount(w, "/run/netns/tenant1", path.to_str().unwrap());
        wait_for_listener(&tenant);
        run(w, "umount", &[path.to_str().unwrap()]);
        relay.eventually("the listener to be closed", |stats| stats.listeners_in_netns == 0);
        assert!(!connects(&tenant));
    });
}

#[test]
fn a_change_that_a_plan_is_the_first_to_see_is_told_and_counted() {
    world("live-plan-sees", |w| {
        let echo = Service::echo(Listener::bind("127.0.0.1:0"));
        let _tenant = w.add_netns("tenant1");
        let plan = plan_from_tenant1(echo.address());
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
