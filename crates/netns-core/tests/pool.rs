//! Sockets in stock: always of the namespace that the name means now, never more than agreed, and never the
//! last thing that keeps a namespace alive for long.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod util;

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use netns_core::{Links, Netns, NetnsId, NetnsSpec, OpenError, PoolError, SocketPool};
use socket2::{Domain, Socket, Type};
use static_assertions::assert_not_impl_any;
use util::{in_private_namespaces, name, registry};

assert_not_impl_any!(SocketPool: Send, Sync);

fn pool(batch: usize, limit: usize) -> SocketPool {
    SocketPool::of_this_thread(NonZeroUsize::new(batch).unwrap(), limit).unwrap()
}

fn spec(text: &str) -> NetnsSpec {
    text.parse().unwrap()
}

fn tcp(pool: &mut SocketPool, from: &str) -> Socket {
    pool.socket(&spec(from), Domain::IPV4, Type::STREAM, None)
        .unwrap()
}

fn id_of(socket: &Socket) -> NetnsId {
    NetnsId::of_socket(socket).unwrap()
}

#[test]
fn who_asks_often_has_a_stock() {
    in_private_namespaces(|| {
        let blue = registry().add(&name("blue")).unwrap().id().unwrap();
        let home = Netns::current().unwrap().id().unwrap();
        let mut pool = pool(4, 100);
        // Visits make one socket, two, four, four, ...
        for in_stock in [0, 1, 0, 3, 2, 1, 0, 3, 2, 1, 0] {
            assert_eq!(id_of(&tcp(&mut pool, "blue")), blue);
            assert_eq!(pool.idle(), in_stock);
        }
        assert_eq!(Netns::current().unwrap().id().unwrap(), home);
    });
}

#[test]
fn a_lone_socket_leaves_nothing_in_stock() {
    in_private_namespaces(|| {
        let blue = registry().add(&name("blue")).unwrap().id().unwrap();
        let mut pool = pool(4, 100);
        for _ in 0..5 {
            let socket = pool
                .lone_socket(&spec("blue"), Domain::IPV4, Type::STREAM, None)
                .unwrap();
            assert_eq!((id_of(&socket), pool.idle()), (blue, 0));
        }
    });
}

#[test]
fn sockets_of_different_kinds_are_not_mixed_up() {
    in_private_namespaces(|| {
        registry().add(&name("blue")).unwrap();
        let (mut pool, blue) = (pool(2, 100), spec("blue"));
        let kinds = [
            (Domain::IPV4, Type::STREAM),
            (Domain::IPV6, Type::STREAM),
            (Domain::IPV4, Type::DGRAM),
        ];
        for _ in 0..4 {
            for (domain, kind) in kinds {
                let socket = pool.socket(&blue, domain, kind, None).unwrap();
                assert_eq!(
                    (socket.domain().unwrap(), socket.r#type().unwrap()),
                    (domain, kind)
                );
            }
        }
    });
}

#[test]
fn a_name_that_leads_to_another_namespace_now_gets_sockets_of_that_one() {
    in_private_namespaces(|| {
        let mut pool = pool(8, 100);
        let mut seen = Vec::new();
        for _ in 0..20 {
            let blue = registry().add(&name("blue")).unwrap().id().unwrap();
            assert_eq!(id_of(&tcp(&mut pool, "blue")), blue);
            assert_eq!(id_of(&tcp(&mut pool, "blue")), blue);
            registry().remove(&name("blue")).unwrap();
            seen.push(blue);
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 20);
    });
}

#[test]
fn a_name_is_looked_up_once_in_a_turn_and_again_in_the_next() {
    in_private_namespaces(|| {
        let mut pool = pool(4, 100);
        let before = registry().add(&name("blue")).unwrap().id().unwrap();
        for _ in 0..4 {
            tcp(&mut pool, "blue");
        }
        let turn = pool.begin_turn();
        let socket_of = |pool: &mut SocketPool, turn| {
            let socket = pool.socket_of_turn(turn, &spec("blue"), Domain::IPV4, Type::STREAM, None);
            id_of(&socket.unwrap())
        };
        assert_eq!(socket_of(&mut pool, turn), before);
        registry().remove(&name("blue")).unwrap();
        let now = registry().add(&name("blue")).unwrap().id().unwrap();
        assert_eq!(socket_of(&mut pool, turn), before);
        let next = pool.begin_turn();
        assert_eq!(socket_of(&mut pool, next), now);
    });
}

#[test]
fn a_name_that_is_gone_keeps_nothing_in_stock() {
    in_private_namespaces(|| {
        registry().add(&name("blue")).unwrap();
        registry().add(&name("red")).unwrap();
        let mut pool = pool(4, 100);
        for _ in 0..4 {
            tcp(&mut pool, "blue");
            tcp(&mut pool, "red");
        }
        assert_eq!((pool.sweep(), pool.idle()), (0, 6));
        registry().remove(&name("blue")).unwrap();
        assert_eq!((pool.sweep(), pool.idle()), (3, 3));
        registry().remove(&name("red")).unwrap();
        let error = pool
            .socket(&spec("red"), Domain::IPV4, Type::STREAM, None)
            .unwrap_err();
        assert!(
            matches!(error, PoolError::Open(OpenError::NotFound { .. })),
            "{error}"
        );
        assert_eq!(pool.idle(), 0);
    });
}

#[test]
fn what_nobody_asks_for_is_released_and_its_namespace_can_die() {
    in_private_namespaces(|| {
        let blue = registry().add(&name("blue")).unwrap();
        registry().add(&name("red")).unwrap();
        // A link dies with the namespace of its other end.
        let mut here = Links::here().unwrap();
        here.create_veth("here", "there", Some(&blue)).unwrap();
        drop(blue);
        let mut pool = pool(4, 100);
        for _ in 0..4 {
            tcp(&mut pool, "blue");
            tcp(&mut pool, "red");
        }
        pool.release_unused();
        assert_eq!(pool.idle(), 6, "both were used since the start");
        tcp(&mut pool, "red");
        pool.release_unused();
        assert_eq!(pool.idle(), 2, "blue was not used any more");
        registry().remove(&name("blue")).unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while here.list().unwrap().iter().any(|link| link.name == "here") {
            assert!(Instant::now() < deadline, "the namespace is still alive");
            std::thread::yield_now();
        }
        pool.release_unused();
        assert_eq!(pool.idle(), 0);
        // And the demand is forgotten.
        tcp(&mut pool, "red");
        assert_eq!(pool.idle(), 0);
    });
}

#[test]
fn no_more_than_the_limit_is_in_stock() {
    in_private_namespaces(|| {
        let ids: Vec<_> = (0..5)
            .map(|number| {
                registry()
                    .add(&name(&format!("ns{number}")))
                    .unwrap()
                    .id()
                    .unwrap()
            })
            .collect();
        let mut pool = pool(4, 6);
        for round in 0..8 {
            for (number, id) in ids.iter().enumerate() {
                let socket = tcp(&mut pool, &format!("ns{number}"));
                assert_eq!(id_of(&socket), *id, "round {round}");
                assert!(pool.idle() <= 6);
            }
        }
        let mut none = self::pool(4, 0);
        for _ in 0..4 {
            tcp(&mut none, "ns0");
            assert_eq!(none.idle(), 0);
        }
    });
}

#[test]
fn a_pool_works_for_paths_and_processes_too() {
    in_private_namespaces(|| {
        let made = registry().add(&name("blue")).unwrap().id().unwrap();
        let mut pool = pool(2, 10);
        assert_eq!(id_of(&tcp(&mut pool, "/run/netns/blue")), made);
        let here = Netns::open_pid(std::process::id()).unwrap().id().unwrap();
        assert_eq!(
            id_of(&tcp(&mut pool, &format!("pid:{}", std::process::id()))),
            here
        );
    });
}

#[test]
fn a_pool_without_a_bound_is_no_mistake() {
    in_private_namespaces(|| {
        registry().add(&name("blue")).unwrap();
        let mut pool = pool(4, usize::MAX);
        for in_stock in [0, 1, 0, 3] {
            tcp(&mut pool, "blue");
            assert_eq!(pool.idle(), in_stock);
        }
    });
}
