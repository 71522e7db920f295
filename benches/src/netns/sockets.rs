//! A socket in another namespace, one after the other: with a thread for each, with a visit for each, and from a pool.

use std::num::NonZeroUsize;

use anyhow::ensure;
use netns_core::{Home, Netns, NetnsId, NetnsSpec, Registry, SocketPool};
use socket2::{Domain, Socket, Type};

use super::report::{self, Row};
use super::world::World;
use super::{Turn, timed};

const OPEN: &str = "socket, namespace open";
const NAMED: &str = "socket, by name";
const NAMESPACES: usize = 4;
const SOCKETS: u32 = 2_000;
/// Sockets of a visit of the pool.
const BATCH: NonZeroUsize = NonZeroUsize::new(16).unwrap();

/// One turn for each way.
pub(super) fn round(world: &World, rows: &mut Vec<Row>) -> anyhow::Result<()> {
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
    let home = Home::of_this_thread()?;
    let here = || Socket::new(Domain::IPV4, Type::STREAM, None);
    // With the namespace open, and by its name.
    turn(rows, OPEN, "setns by hand", &places, by_hand)?;
    turn(rows, OPEN, "Home::visit", &places, |place| {
        Ok(home.visit(&place.netns, here)??)
    })?;
    turn(rows, OPEN, "socket(), a thread", &places, |place| {
        Ok(netns_core::socket(
            &place.netns,
            Domain::IPV4,
            Type::STREAM,
            None,
        )?)
    })?;
    turn(rows, NAMED, "no pool", &places, |place| {
        Ok(home.visit(&Netns::open(&place.spec)?, here)??)
    })?;
    turn(rows, NAMED, "SocketPool", &places, |place| {
        Ok(pool.socket(&place.spec, Domain::IPV4, Type::STREAM, None)?)
    })?;
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
    rows: &mut Vec<Row>,
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
    let time = timed(|| {
        for place in places.iter().cycle().take(SOCKETS as usize) {
            drop(socket(place)?);
        }
        Ok(())
    })?;
    report::add(rows, task, way, Turn { time, times: SOCKETS });
    Ok(())
}

/// What a program does that has the namespace and its home open: HAProxy, for example.
fn by_hand(place: &Place) -> anyhow::Result<Socket> {
    use nix::sched::{CloneFlags, setns};
    thread_local! {
        static HOME: Netns = Netns::current().expect("/proc is mounted");
    }
    setns(&place.netns, CloneFlags::CLONE_NEWNET)?;
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None);
    HOME.with(|home| setns(home, CloneFlags::CLONE_NEWNET))?;
    Ok(socket?)
}
