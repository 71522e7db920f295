//! Interfaces: pairs between namespaces, addresses, routes, and what the kernel says when it refuses.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod util;

use std::io::Read;
use std::net::{IpAddr, SocketAddr};

use netns_core::links::{Destination, LinkError, Links, Route};
use netns_core::{Netns, tcp_listener, tcp_stream};
use util::{eventually, in_private_namespaces};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn names(links: &mut Links) -> Vec<String> {
    links.list().unwrap().into_iter().map(|link| link.name).collect()
}

/// The kernel's words and errno of a refusal.
fn refusal(error: &LinkError) -> (Option<&str>, Option<i32>) {
    match error {
        LinkError::Refused { message, source, .. } => (message.as_deref(), source.raw_os_error()),
        other => panic!("not a refusal: {other:?}"),
    }
}

#[test]
fn a_new_namespace_has_lo_only_and_it_is_down() {
    in_private_namespaces(|| {
        let mut links = Links::in_netns(&Netns::create().unwrap()).unwrap();
        let listed = links.list().unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!(
            (listed[0].name.as_str(), listed[0].is_up, listed[0].mtu),
            ("lo", false, 65536)
        );
        links.set_up("lo").unwrap();
        assert!(links.list().unwrap()[0].is_up);
    });
}

#[test]
fn a_pair_across_namespaces_is_made_at_once_and_its_peer_is_not_seen_here() {
    in_private_namespaces(|| {
        let there = Netns::create().unwrap();
        let mut here = Links::here().unwrap();
        here.create_veth("v0", "v1", Some(&there)).unwrap();
        assert_eq!(names(&mut here), ["lo", "v0"]);
        let mut links_there = Links::in_netns(&there).unwrap();
        assert_eq!(names(&mut links_there), ["lo", "v1"]);
        let v1 = &links_there.list().unwrap()[1];
        assert_eq!(v1.kind.as_deref(), Some("veth"));
        assert!(v1.mac.is_some() && !v1.is_up);
    });
}

#[test]
fn a_pair_can_be_made_in_one_namespace() {
    in_private_namespaces(|| {
        let mut here = Links::here().unwrap();
        here.create_veth("v0", "v1", None).unwrap();
        assert_eq!(names(&mut here), ["lo", "v1", "v0"]);
    });
}

#[test]
fn deleting_one_end_deletes_the_other() {
    in_private_namespaces(|| {
        let there = Netns::create().unwrap();
        let mut here = Links::here().unwrap();
        here.create_veth("v0", "v1", Some(&there)).unwrap();
        here.delete("v0").unwrap();
        assert_eq!(names(&mut here), ["lo"]);
        let mut links_there = Links::in_netns(&there).unwrap();
        eventually("the other end is gone", || names(&mut links_there) == ["lo"]);
    });
}

#[test]
fn a_taken_name_refuses_the_pair_and_neither_end_is_left() {
    in_private_namespaces(|| {
        let there = Netns::create().unwrap();
        let (mut here, mut links_there) = (Links::here().unwrap(), Links::in_netns(&there).unwrap());
        here.create_veth("v0", "v1", Some(&there)).unwrap();
        let taken_here = here.create_veth("v0", "w1", Some(&there)).unwrap_err();
        let taken_there = here.create_veth("w0", "v1", Some(&there)).unwrap_err();
        for error in [&taken_here, &taken_there] {
            assert_eq!(refusal(error).1, Some(libc::EEXIST), "{error}");
        }
        assert_eq!(names(&mut here), ["lo", "v0"]);
        assert_eq!(names(&mut links_there), ["lo", "v1"]);
    });
}

#[test]
fn a_refusal_carries_the_words_of_the_kernel() {
    in_private_namespaces(|| {
        let mut here = Links::here().unwrap();
        let error = here
            .add_route(&Route::via(Destination::Default, ip("10.9.9.9")))
            .unwrap_err();
        assert_eq!(
            refusal(&error),
            (Some("Nexthop has invalid gateway"), Some(libc::ENETUNREACH))
        );
        assert_eq!(
            error.to_string(),
            "cannot add the route to default via 10.9.9.9: Nexthop has invalid gateway \
             (no interface that is up has an address in the gateway's network)"
        );
        here.set_up("lo").unwrap();
        let error = here.add_address("lo", ip("10.0.0.1"), 33).unwrap_err();
        assert_eq!(refusal(&error).1, Some(libc::EINVAL), "{error}");
        let error = here.delete("lo").unwrap_err();
        assert_eq!(refusal(&error).1, Some(libc::EOPNOTSUPP), "{error}");
        let error = here.set_up("nope").unwrap_err();
        assert_eq!(refusal(&error).1, Some(libc::ENODEV), "{error}");
        let error = here.add_address("nope", ip("10.0.0.1"), 24).unwrap_err();
        assert_eq!(refusal(&error).1, Some(libc::ENODEV), "{error}");
        // The client is still in step after so many refusals.
        assert_eq!(names(&mut here), ["lo"]);
    });
}

#[test]
fn what_cannot_name_an_interface_is_refused_before_the_kernel_is_asked() {
    in_private_namespaces(|| {
        let mut here = Links::here().unwrap();
        for name in [
            "",
            ".",
            "..",
            "a/b",
            "a b",
            "a:1",
            "v%d",
            "sixteen-bytes-xx",
            "a\0b",
        ] {
            assert!(
                matches!(here.set_up(name), Err(LinkError::Name { .. })),
                "{name:?}"
            );
        }
        assert!(matches!(
            here.set_up("fifteen-bytes-x"),
            Err(LinkError::Refused { .. })
        ));
    });
}

#[test]
fn a_route_of_two_families_is_refused() {
    in_private_namespaces(|| {
        let network = Destination::Network {
            address: ip("10.0.0.0"),
            prefix: 8,
        };
        let error = Links::here()
            .unwrap()
            .add_route(&Route::via(network, ip("fe80::1")))
            .unwrap_err();
        assert!(matches!(error, LinkError::MixedFamilies { .. }), "{error}");
    });
}

#[test]
fn traffic_crosses_a_pair_and_a_router_in_both_families() {
    in_private_namespaces(|| {
        // left -- here (router) -- right
        let (left, right) = (Netns::create().unwrap(), Netns::create().unwrap());
        let mut here = Links::here().unwrap();
        here.create_veth("to-left", "up", Some(&left)).unwrap();
        here.create_veth("to-right", "up", Some(&right)).unwrap();
        for (link, v4, v6) in [
            ("to-left", "10.1.0.1", "fd00:1::1"),
            ("to-right", "10.2.0.1", "fd00:2::1"),
        ] {
            here.add_address(link, ip(v4), 24).unwrap();
            here.add_address(link, ip(v6), 64).unwrap();
            here.set_up(link).unwrap();
        }
        for (netns, net) in [(&left, 1), (&right, 2)] {
            let mut links = Links::in_netns(netns).unwrap();
            links.add_address("up", ip(&format!("10.{net}.0.2")), 24).unwrap();
            links
                .add_address("up", ip(&format!("fd00:{net}::2")), 64)
                .unwrap();
            links.set_up("up").unwrap();
        }
        let mut left_links = Links::in_netns(&left).unwrap();
        eventually("the pair carries", || left_links.list().unwrap()[1].has_carrier);
        left_links
            .add_route(&Route::via(Destination::Default, ip("10.1.0.1")))
            .unwrap();
        left_links
            .add_route(&Route::via(
                Destination::Network {
                    address: ip("fd00:2::"),
                    prefix: 64,
                },
                ip("fd00:1::1"),
            ))
            .unwrap();
        let mut right_links = Links::in_netns(&right).unwrap();
        right_links
            .add_route(&Route::via(
                Destination::Network {
                    address: ip("10.1.0.0"),
                    prefix: 24,
                },
                ip("10.2.0.1"),
            ))
            .unwrap();
        right_links
            .add_route(&Route::via(Destination::Default, ip("fd00:2::1")))
            .unwrap();
        forward_packets();

        for address in ["10.2.0.2:0", "[fd00:2::2]:0"] {
            let listener = tcp_listener(&right, address.parse().unwrap()).unwrap();
            let address: SocketAddr = listener.local_addr().unwrap();
            let mut stream = tcp_stream(&left, address).unwrap();
            let (accepted, peer) = listener.accept().unwrap();
            assert_eq!(peer, stream.local_addr().unwrap());
            drop(accepted);
            assert_eq!(stream.read(&mut [0]).unwrap(), 0);
        }
    });
}

/// Makes a router of the calling thread's namespace. `/proc/sys/net` shows that of the thread that opens it.
fn forward_packets() {
    std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
    std::fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1").unwrap();
}
