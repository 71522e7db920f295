//! Interfaces of other kinds than pairs, and what can be changed about any: name, state, master, namespace,
//! addresses, routes.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod util;

use std::net::IpAddr;

use netns_core::Netns;
use netns_core::links::{
    Destination, Link, LinkError, LinkSettings, Links, MacvlanMode, Parent, Route, Vxlan,
};
use util::in_private_namespaces;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn network(address: &str, prefix: u8) -> Destination {
    Destination::Network {
        address: ip(address),
        prefix,
    }
}

/// The errno of a refusal.
#[track_caller]
fn errno(error: &LinkError) -> Option<i32> {
    match error {
        LinkError::Refused { source, .. } => source.raw_os_error(),
        other => panic!("not a refusal: {other:?}"),
    }
}

fn find(links: &mut Links, name: &str) -> Option<Link> {
    links.list().unwrap().into_iter().find(|link| link.name == name)
}

/// Where an interface is of which others in the same namespace say that they stand on it.
fn on(links: &mut Links, name: &str) -> Parent {
    Parent::Here {
        index: links.find(name).unwrap().index,
    }
}

/// The calling thread's interfaces, with a pair `v0` and `v1` that is up.
fn with_a_pair() -> Links {
    let mut here = Links::here().unwrap();
    here.create_veth("v0", "v1", None).unwrap();
    here.set_up("v0").unwrap();
    here.set_up("v1").unwrap();
    here
}

#[test]
fn an_interface_is_found_by_its_name() {
    in_private_namespaces(|| {
        let mut here = with_a_pair();
        let (v0, v1) = (here.find("v0").unwrap(), here.find("v1").unwrap());
        assert_eq!(v0.parent, Some(Parent::Here { index: v1.index }));
        assert_eq!(v0.kind.as_deref(), Some("veth"));
        assert_eq!(errno(&here.find("nope").unwrap_err()), Some(libc::ENODEV));
    });
}

#[test]
fn an_interface_can_be_set_down_again() {
    in_private_namespaces(|| {
        let mut here = with_a_pair();
        assert!(here.find("v0").unwrap().is_up);
        here.set_down("v0").unwrap();
        assert!(!here.find("v0").unwrap().is_up);
    });
}

#[test]
fn an_interface_has_the_mtu_that_it_was_given() {
    in_private_namespaces(|| {
        let mut here = with_a_pair();
        here.set_mtu("v0", 1400).unwrap();
        assert_eq!(here.find("v0").unwrap().mtu, 1400);
        let error = here.set_mtu("v0", 7).unwrap_err();
        assert_eq!(errno(&error), Some(libc::EINVAL), "{error}");
        assert!(
            error.to_string().contains("mtu less than device minimum"),
            "{error}"
        );
    });
}

#[test]
fn a_renamed_interface_has_its_new_name_only() {
    in_private_namespaces(|| {
        let mut here = with_a_pair();
        here.set_down("v0").unwrap();
        let index = here.find("v0").unwrap().index;
        here.rename("v0", "front").unwrap();
        assert_eq!(here.find("front").unwrap().index, index);
        assert!(find(&mut here, "v0").is_none());
        let error = here.rename("front", "v1").unwrap_err();
        assert_eq!(errno(&error), Some(libc::EEXIST), "{error}");
        assert!(matches!(here.rename("front", "a/b"), Err(LinkError::Name { .. })));
    });
}

#[test]
fn a_bridge_takes_ports_and_lets_them_go() {
    in_private_namespaces(|| {
        let mut here = with_a_pair();
        here.create_bridge("br0").unwrap();
        let bridge = here.find("br0").unwrap();
        assert_eq!(bridge.kind.as_deref(), Some("bridge"));
        here.set_master("v0", Some("br0")).unwrap();
        assert_eq!(here.find("v0").unwrap().master, Some(bridge.index));
        here.set_master("v0", None).unwrap();
        assert_eq!(here.find("v0").unwrap().master, None);
        let error = here.set_master("v0", Some("nope")).unwrap_err();
        assert_eq!(errno(&error), Some(libc::ENODEV), "{error}");
    });
}

#[test]
fn what_a_macvlan_stands_on_is_no_port_and_the_error_says_so() {
    in_private_namespaces(|| {
        let mut here = with_a_pair();
        here.create_bridge("br0").unwrap();
        here.create_macvlan("v0", "m0", MacvlanMode::Bridge).unwrap();
        let error = here.set_master("v0", Some("br0")).unwrap_err();
        assert_eq!(errno(&error), Some(libc::EBUSY), "{error}");
        assert!(
            error.to_string().contains("a macvlan that stands on it"),
            "{error}"
        );
    });
}

#[test]
fn a_macvlan_stands_on_its_parent() {
    in_private_namespaces(|| {
        let mut here = with_a_pair();
        for (name, mode) in [("m0", MacvlanMode::Bridge), ("m1", MacvlanMode::Private)] {
            here.create_macvlan("v0", name, mode).unwrap();
            let made = here.find(name).unwrap();
            assert_eq!(made.kind.as_deref(), Some("macvlan"));
            assert_eq!(made.parent, Some(on(&mut here, "v0")));
            assert_eq!(made.settings, LinkSettings::Macvlan { mode });
            here.delete(name).unwrap();
        }
        let error = here
            .create_macvlan("nope", "m2", MacvlanMode::Bridge)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot create the macvlan `m2` on `nope` (there is no such interface to stand on)",
            "{error:?}"
        );
        assert_eq!(errno(&error), Some(libc::ENODEV));
    });
}

#[test]
fn vxlans_are_made_with_a_peer_with_a_group_and_with_neither() {
    in_private_namespaces(|| {
        let mut here = with_a_pair();
        here.add_address("v0", ip("10.0.0.1"), 24).unwrap();
        let peer = Vxlan {
            vni: 233,
            remote: Some(ip("10.0.0.2")),
            local: Some(ip("10.0.0.1")),
            ..Vxlan::default()
        };
        let group = Vxlan {
            vni: 234,
            remote: Some(ip("239.1.1.1")),
            device: Some("v0".to_owned()),
            port: Some(8472),
            ..Vxlan::default()
        };
        let neither = Vxlan {
            vni: 235,
            ..Vxlan::default()
        };
        for (name, vxlan) in [("x0", peer), ("x1", group), ("x2", neither)] {
            here.create_vxlan(name, &vxlan).unwrap();
            let made = here.find(name).unwrap();
            assert_eq!(made.kind.as_deref(), Some("vxlan"));
            let device = vxlan.device.map(|device| here.find(&device).unwrap().index);
            assert_eq!(
                made.settings,
                LinkSettings::Vxlan {
                    vni: vxlan.vni,
                    remote: vxlan.remote,
                    local: vxlan.local,
                    device,
                    port: vxlan.port.unwrap_or(Vxlan::PORT),
                }
            );
        }
        let too_large = Vxlan {
            vni: 1 << 24,
            ..Vxlan::default()
        };
        let error = here.create_vxlan("x3", &too_large).unwrap_err();
        assert_eq!(errno(&error), Some(libc::ERANGE), "{error}");
        let nowhere = Vxlan {
            vni: 236,
            device: Some("nope".to_owned()),
            ..Vxlan::default()
        };
        let error = here.create_vxlan("x4", &nowhere).unwrap_err();
        assert_eq!(errno(&error), Some(libc::ENODEV), "{error}");
        assert!(find(&mut here, "x3").is_none() && find(&mut here, "x4").is_none());
    });
}

#[test]
fn a_vlan_is_made_or_the_refusal_says_that_the_kernel_has_none() {
    in_private_namespaces(|| {
        let mut here = with_a_pair();
        match here.create_vlan("v0", "v0.5", 5) {
            Ok(()) => {
                let made = here.find("v0.5").unwrap();
                assert_eq!(made.kind.as_deref(), Some("vlan"));
                assert_eq!(made.parent, Some(on(&mut here, "v0")));
                assert_eq!(made.settings, LinkSettings::Vlan { id: 5 });
            }
            Err(error) => {
                assert_eq!(errno(&error), Some(libc::EOPNOTSUPP));
                let text = error.to_string();
                assert!(
                    text.starts_with("cannot create `v0.5` for VLAN 5 of `v0`"),
                    "{text}"
                );
                assert!(text.contains("this kernel has no VLANs"), "{text}");
                assert!(find(&mut here, "v0.5").is_none());
            }
        }
    });
}

#[test]
fn a_moved_interface_is_there_under_its_new_name_down_and_without_addresses() {
    in_private_namespaces(|| {
        let there = Netns::create().unwrap();
        let mut links_there = Links::in_netns(&there).unwrap();
        let mut here = with_a_pair();
        here.add_address("v0", ip("10.0.0.1"), 24).unwrap();
        let mac = here.find("v0").unwrap().mac;
        here.move_to("v0", &there, Some("w0")).unwrap();
        assert!(find(&mut here, "v0").is_none());
        let moved = links_there.find("w0").unwrap();
        assert_eq!((moved.is_up, moved.mac), (false, mac));
        assert!(links_there.list_addresses().unwrap().is_empty());
        // The other end says where its peer is now.
        let v1 = here.find("v1").unwrap();
        let nsid = here.nsid_of(&there).unwrap();
        assert!(nsid.is_some());
        assert_eq!(
            v1.parent,
            Some(Parent::Elsewhere {
                index: moved.index,
                nsid
            })
        );

        here.move_to("v1", &there, None).unwrap();
        assert_eq!(
            links_there.find("v1").unwrap().parent,
            Some(on(&mut links_there, "w0"))
        );
    });
}

#[test]
fn lo_cannot_be_moved_and_the_kernel_says_why() {
    in_private_namespaces(|| {
        let there = Netns::create().unwrap();
        let mut here = Links::here().unwrap();
        let error = here.move_to("lo", &there, None).unwrap_err();
        assert_eq!(errno(&error), Some(libc::EINVAL));
        // Linux has words for it since 6.15.
        if let LinkError::Refused {
            message: Some(message),
            ..
        } = &error
        {
            assert_eq!(message, "The interface netns is immutable");
        }
        assert!(find(&mut here, "lo").is_some());
    });
}

#[test]
fn a_move_to_a_taken_name_leaves_the_interface_as_it_was() {
    in_private_namespaces(|| {
        let there = Netns::create().unwrap();
        let mut links_there = Links::in_netns(&there).unwrap();
        links_there.create_veth("taken", "v0", None).unwrap();
        let mut here = with_a_pair();
        here.add_address("v1", ip("10.0.0.1"), 24).unwrap();
        for (name, new_name) in [("v0", None), ("v0", Some("taken")), ("v1", Some("taken"))] {
            let error = here.move_to(name, &there, new_name).unwrap_err();
            assert_eq!(
                errno(&error),
                Some(libc::EEXIST),
                "{name} as {new_name:?}: {error}"
            );
            assert!(find(&mut here, name).is_some(), "{name} as {new_name:?}");
        }
        assert!(here.find("v1").unwrap().is_up);
        assert_eq!(
            here.list_addresses()
                .unwrap()
                .iter()
                .filter(|a| a.address.is_ipv4())
                .count(),
            1
        );
        let names: Vec<_> = links_there
            .list()
            .unwrap()
            .into_iter()
            .map(|link| link.name)
            .collect();
        assert_eq!(names, ["lo", "v0", "taken"]);
    });
}

#[test]
fn addresses_are_listed_with_their_interfaces_and_can_be_removed() {
    in_private_namespaces(|| {
        let mut here = with_a_pair();
        here.add_address("v0", ip("10.0.0.1"), 24).unwrap();
        here.add_address("v1", ip("fd00::1"), 64).unwrap();
        let of_ours = |here: &mut Links| -> Vec<_> {
            here.list_addresses()
                .unwrap()
                .into_iter()
                // The kernel adds link-local ones by itself.
                .filter(|found| !found.address.to_string().starts_with("fe80"))
                .map(|found| (found.link, found.address, found.prefix, found.peer))
                .collect()
        };
        let mut listed = of_ours(&mut here);
        listed.sort();
        assert_eq!(
            listed,
            [
                ("v0".to_owned(), ip("10.0.0.1"), 24, None),
                ("v1".to_owned(), ip("fd00::1"), 64, None)
            ]
        );
        here.remove_address("v0", ip("10.0.0.1"), 24).unwrap();
        here.remove_address("v1", ip("fd00::1"), 64).unwrap();
        assert!(of_ours(&mut here).is_empty());
        let error = here.remove_address("v0", ip("10.0.0.1"), 24).unwrap_err();
        assert_eq!(errno(&error), Some(libc::EADDRNOTAVAIL), "{error}");
    });
}

#[test]
fn routes_of_each_shape_are_added_listed_and_removed() {
    in_private_namespaces(|| {
        let mut here = with_a_pair();
        here.add_address("v0", ip("10.0.0.1"), 24).unwrap();
        here.add_address("v0", ip("fd00::1"), 64).unwrap();
        let routes = [
            Route::via(Destination::Default, ip("10.0.0.2")),
            Route::via(network("10.1.0.0", 16), ip("10.0.0.3")),
            Route::on(network("10.2.0.0", 16), "v0"),
            Route {
                source: Some(ip("10.0.0.1")),
                metric: Some(7),
                ..Route::on(network("10.3.0.0", 16), "v1")
            },
            Route::via(Destination::Default, ip("fd00::2")),
            Route::via(network("fd01::", 48), ip("fd00::3")),
            Route::on(network("fd02::", 48), "v0"),
        ];
        for route in &routes {
            here.add_route(route).unwrap();
        }
        let listed = here.list_routes().unwrap();
        for route in &routes {
            let found = listed
                .iter()
                .find(|found| found.network() == route.network() && found.via == route.via)
                .unwrap_or_else(|| panic!("{route} is not in {listed:?}"));
            assert_eq!(found.protocol, Route::BY_ADMINISTRATOR);
            assert_eq!(found.source, route.source);
            assert!(found.metric == route.metric || route.metric.is_none());
            assert!(found.device == route.device || route.device.is_none());
            assert!(found.device.is_some());
        }
        assert!(
            listed
                .iter()
                .any(|route| route.destination == network("10.0.0.0", 24)
                    && route.protocol == Route::BY_KERNEL)
        );

        let error = here.add_route(&routes[0]).unwrap_err();
        assert_eq!(errno(&error), Some(libc::EEXIST), "{error}");
        for route in &routes {
            here.remove_route(route).unwrap();
        }
        assert!(
            here.list_routes()
                .unwrap()
                .iter()
                .all(|route| route.protocol != Route::BY_ADMINISTRATOR)
        );
        let error = here.remove_route(&routes[0]).unwrap_err();
        assert_eq!(errno(&error), Some(libc::ESRCH), "{error}");
        let error = here
            .add_route(&Route::on(Destination::Default, "nope"))
            .unwrap_err();
        assert_eq!(errno(&error), Some(libc::ENODEV), "{error}");
    });
}

#[test]
fn a_default_route_is_the_same_however_it_is_written() {
    let everywhere = network("::", 0);
    let by_gateway = |destination| Route::via(destination, ip("fd00::1"));
    assert_eq!(
        by_gateway(Destination::Default).network(),
        by_gateway(everywhere).network()
    );
    let from = Route {
        source: Some(ip("fd00::1")),
        ..Route::on(Destination::Default, "v0")
    };
    assert_eq!(from.network(), Route::on(everywhere, "v0").network());
    assert_ne!(
        Route::to(Destination::Default).network(),
        Route::to(everywhere).network()
    );
}

#[test]
fn a_default_route_without_a_gateway_exists_in_both_families() {
    in_private_namespaces(|| {
        let mut here = with_a_pair();
        for destination in [Destination::Default, network("::", 0)] {
            let route = Route::on(destination, "v0");
            here.add_route(&route).unwrap();
            let listed = here.list_routes().unwrap();
            assert!(
                listed.iter().any(|found| found.destination == destination
                    && found.device == route.device
                    && found.protocol == route.protocol),
                "{listed:?}"
            );
            // The destination alone says which.
            here.remove_route(&Route::to(destination)).unwrap();
            assert!(!here.list_routes().unwrap().contains(&route));
        }
    });
}
