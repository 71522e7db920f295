//! A socket in another namespace, one after the other: with a thread for each, with a visit for each, and from a pool.

use std::num::NonZeroUsize;

use anyhow::ensure;
use netns_core::{Home, Netns, NetnsId, NetnsSpec, Registry, SocketPool};
use nix::sched::{CloneFlags, setns};
use socket2::{Domain, Socket, Type};

use super::world::World;
use super::{Table, Turn};

const OPEN: &str = "socket, namespace open";
const NAMED: &str = "socket, by name";
const NAMESPACES: usize = 4;
/// Turns in a round. A turn is shorter than what disturbs one.
const TURNS: usize = 20;
/// Sockets of a turn.
const SOCKETS: u32 = 200;
/// Sockets of a visit of the pool.
const BATCH: NonZeroUsize = NonZeroUsize::new(16).unwrap();

/// Some turns for each way; they alternate.
pub(super) fn round(world: &World, table: &mut Table) -> anyhow::Result<()> {
    let registry = Registry::system();
    let mut places = Vec::new();
    for index in 0..NAMESPACES {
        let name = format!("s{index}");
        let netns = registry.add(&name.parse()?)?;
        let id = netns.id()?;
        places.push(Place {
            spec: NetnsSpec::new(&name)?,
            netns,
            id,
        });
    }
    let mut pool = SocketPool::of_this_thread(BATCH, NAMESPACES * BATCH.get())?;
    let by_hand = ByHand {
        home: Netns::current()?,
    };
    let home = Home::of_this_thread()?;
    let here = || Socket::new(Domain::IPV4, Type::STREAM, None);
    for _ in 0..TURNS {
        // With the namespace open, and by its name.
        turn(table, OPEN, "setns by hand", &places, |place| {
            by_hand.socket(place)
        })?;
        turn(table, OPEN, "Home::visit", &places, |place| {
            Ok(home.visit(&place.netns, here)??)
        })?;
        turn(table, OPEN, "socket(), a thread", &places, |place| {
            Ok(netns_core::socket(
                &place.netns,
                Domain::IPV4,
                Type::STREAM,
                None,
            )?)
        })?;
        turn(table, NAMED, "no pool", &places, |place| {
            Ok(home.visit(&Netns::open(&place.spec)?, here)??)
        })?;
        turn(table, NAMED, "SocketPool", &places, |place| {
            Ok(pool.socket(&place.spec, Domain::IPV4, Type::STREAM, None)?)
        })?;
    }
    drop((pool, places));
    for index in 0..NAMESPACES {
        registry.remove(&format!("s{index}").parse()?)?;
    }
    world.settle()
}

/// A namespace to make sockets in.
#[derive(Debug)]
struct Place {
    spec: NetnsSpec,
    netns: Netns,
    id: NetnsId,
}

fn turn(
    table: &mut Table,
    task: &'static str,
    way: &'static str,
    places: &[Place],
    mut socket: impl FnMut(&Place) -> anyhow::Result<Socket>,
) -> anyhow::Result<()> {
    // The answer is checked before it is measured: the check would be a part of the figure.
    for place in places {
        let (found, expected) = (NetnsId::of_socket(&socket(place)?)?, place.id);
        ensure!(
            found == expected,
            "{way}: a socket in namespace {found}, not in {expected}"
        );
    }
    let turn = Turn::measure(SOCKETS, || {
        for place in places.iter().cycle().take(SOCKETS as usize) {
            drop(socket(place)?);
        }
        Ok(())
    })?;
    table.add(task, way, turn);
    Ok(())
}

/// What a program does that has the namespace and its home open: HAProxy, for example. The same three system calls as a
/// visit, and nothing for the case that the closure panics.
struct ByHand {
    home: Netns,
}

impl ByHand {
    fn socket(&self, place: &Place) -> anyhow::Result<Socket> {
        setns(&place.netns, CloneFlags::CLONE_NEWNET)?;
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None);
        setns(&self.home, CloneFlags::CLONE_NEWNET)?;
        Ok(socket?)
    }
}
