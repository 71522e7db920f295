//! Listeners in every namespace whose name matches a pattern.

use nsproxy_engine::{ListenerNetns, Plan, PoolPlan, RelayPlan};
use nsproxy_testkit::{DEFAULT_DEADLINE, Deadline, Listener, Service, eventually, world};

use crate::common::{Relay, in_netns, listener_at, server};
use crate::{HERE, WEB, connects, expect_echo, plan_from_tenant1, wait_for_listener};

#[test]
fn a_pattern_listens_in_every_namespace_that_matches_now_and_later() {
    world("live-pattern", |w| {
        let echo = Service::echo(Listener::bind("127.0.0.1:0"));
        let before = w.add_netns("tenant-1");
        let mut plan = plan_from_tenant1(echo.address());
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
        plan.relays.push(RelayPlan {
            pool: 1,
            ..named.relays[0].clone()
        });
        plan.pools.push(PoolPlan {
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
