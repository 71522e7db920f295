//! The private world of a run: mounts, `/run` and network namespaces of its own, which all go with the process.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use netns_core::{Links, Netns, NetnsName, Registry, run};
use socket2::{Domain, Socket, Type};

use crate::private;

/// The namespace of the clients, and of all that nginx and the direct connections do.
pub(super) const CLIENTS: &str = "clients";
/// The namespace that the relays connect to.
pub(super) const SERVERS: &str = "servers";
/// Addresses of clients that a server can tell apart from a relay's; both namespaces have them.
pub(super) static CLIENT_ADDRESSES: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(10, 1, 0, 1)),
    IpAddr::V4(Ipv4Addr::new(10, 1, 0, 2)),
    IpAddr::V4(Ipv4Addr::new(10, 1, 0, 3)),
    IpAddr::V4(Ipv4Addr::new(10, 1, 0, 4)),
];
/// The same in each namespace. The range stays away from the listeners' ports; a port may be used again after a second.
const SETTINGS: [(&str, &str); 3] = [
    ("ipv4/ip_local_port_range", "10240 65535"),
    ("ipv4/tcp_tw_reuse", "1"),
    ("core/somaxconn", "8192"),
];
const BACKLOG: i32 = 8192;
/// For configurations and logs.
const DIRECTORY: &str = "/run/bench";

/// The namespaces.
#[derive(Debug)]
pub(super) struct World {
    pub(super) clients: Netns,
    pub(super) servers: Netns,
}

impl World {
    /// Moves this process into a world of its own. To be called before any thread is started: those stay where they are.
    pub(super) fn create() -> anyhow::Result<Self> {
        private::enter()?;
        fs::create_dir(DIRECTORY)?;
        let world = Self {
            clients: add(CLIENTS)?,
            servers: add(SERVERS)?,
        };
        for netns in [&world.clients, &world.servers] {
            let mut links = Links::in_netns(netns)?;
            for address in CLIENT_ADDRESSES {
                links.add_address("lo", address, 32)?;
            }
        }
        Ok(world)
    }

    /// Makes namespaces of tenants, each with a loopback link: `tenant0`, `tenant1` and so on.
    pub(super) fn add_tenants(count: usize) -> anyhow::Result<Vec<Netns>> {
        (0..count).map(|index| add(&tenant(index))).collect()
    }

    /// Takes their names away; they go when nothing holds them.
    pub(super) fn remove_tenants(count: usize) -> anyhow::Result<()> {
        for index in 0..count {
            Registry::system().remove(&tenant(index).parse::<NetnsName>()?)?;
        }
        Ok(())
    }

    /// Where a file of this name goes.
    pub(super) fn path(name: &str) -> PathBuf {
        Path::new(DIRECTORY).join(name)
    }
}

/// The name of a tenant's namespace.
pub(super) fn tenant(index: usize) -> String {
    format!("tenant{index}")
}

/// An address of the loopback link, which each namespace has for itself.
pub(super) const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// A listener in `netns`.
pub(super) fn listen(netns: &Netns, port: u16) -> anyhow::Result<TcpListener> {
    let listen = || -> io::Result<TcpListener> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM.cloexec(), None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&loopback(port).into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    };
    run(netns, listen)?.with_context(|| format!("cannot listen on port {port}"))
}

fn add(name: &str) -> anyhow::Result<Netns> {
    let netns = Registry::system().add(&name.parse::<NetnsName>()?)?;
    Links::in_netns(&netns)?.set_up("lo")?;
    run(&netns, || {
        SETTINGS.iter().try_for_each(|(name, value)| {
            let path = format!("/proc/sys/net/{name}");
            fs::write(&path, value).with_context(|| path.clone())
        })
    })??;
    Ok(netns)
}
