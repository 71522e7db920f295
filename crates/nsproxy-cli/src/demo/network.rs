//! The networks of the demo: two tenants with one and the same address, and a third network.

use std::fs;
use std::net::SocketAddr;

use anyhow::Context as _;
use netns_core::links::Links;
use netns_core::{Netns, NetnsName, Registry};

/// The networks, as a newcomer sees them.
pub(super) const PICTURE: &str = "
     network `edge`                 nsproxy                  the tenants' networks
┌────────────────────────┐                             ┌───────────────────────────┐
│ clients                │                        ┌──▶ │ `red`   10.0.0.5:80  HTTP │
│                        │     ┌──────────────┐   │    └───────────────────────────┘
│   192.0.2.1:8001  ─────┼──▶  │    relay     │ ──┤      no cable, no bridge, no route,
│   192.0.2.1:8002  ─────┼──▶  └──────────────┘   │      and both have the same address
│                        │                        │    ┌───────────────────────────┐
└────────────────────────┘                        └──▶ │ `blue`  10.0.0.5:80  HTTP │
                                                       └───────────────────────────┘
";

/// Where clients find the relay.
pub(super) fn edge(port: u16) -> SocketAddr {
    ([192, 0, 2, 1], port).into()
}

/// Where each tenant's services are.
pub(super) fn tenant(port: u16) -> SocketAddr {
    ([10, 0, 0, 5], port).into()
}

/// The networks.
pub(super) struct Network {
    registry: Registry,
    pub(super) edge: Place,
    pub(super) red: Place,
    pub(super) blue: Place,
}

/// A namespace and its name.
pub(super) struct Place {
    pub(super) name: &'static str,
    pub(super) netns: Netns,
}

impl Place {
    /// Whether something listens at this port in here. Nobody has to connect to find out.
    pub(super) fn has_listener(&self, port: u16) -> anyhow::Result<bool> {
        let table = netns_core::run(&self.netns, || fs::read_to_string("/proc/thread-self/net/tcp"))??;
        // Address and port, those of nobody, and TCP_LISTEN (proc_pid_net(5)).
        let row = format!(":{port:04X} 00000000:0000 0A ");
        Ok(table.lines().any(|line| line.contains(&row)))
    }
}

impl Network {
    pub(super) fn build() -> anyhow::Result<Self> {
        // The relays run in the namespace of the process; the two of the chain meet on its loopback address.
        Links::here()?.set_up("lo")?;
        let registry = Registry::system();
        Ok(Self {
            edge: place(&registry, "edge", edge(0))?,
            red: place(&registry, "red", tenant(0))?,
            blue: place(&registry, "blue", tenant(0))?,
            registry,
        })
    }

    /// Deletes the namespace `blue`, as `ip netns delete` does. It lives on as long as somebody holds it, such as this does.
    pub(super) fn delete_blue(&self) -> anyhow::Result<()> {
        Ok(self.registry.remove(&self.blue.name.parse()?)?)
    }

    /// Makes another one of this name, with the same address.
    pub(super) fn make_blue_again(&mut self) -> anyhow::Result<()> {
        self.blue = place(&self.registry, self.blue.name, tenant(0))?;
        Ok(())
    }

    /// Removes the networks, and says how many names are left.
    pub(super) fn remove(self) -> anyhow::Result<usize> {
        let Self {
            registry,
            edge,
            red,
            blue,
        } = self;
        for Place { name, netns } in [edge, red, blue] {
            drop(netns);
            registry.remove(&name.parse()?)?;
        }
        Ok(registry.list()?.len())
    }
}

/// A network with one address in it.
fn place(registry: &Registry, name: &'static str, address: SocketAddr) -> anyhow::Result<Place> {
    let netns = registry.add(&name.parse::<NetnsName>()?)?;
    let mut links = Links::in_netns(&netns).with_context(|| format!("cannot reach the links of {name}"))?;
    links.set_up("lo")?;
    links.add_address("lo", address.ip(), 24)?;
    Ok(Place { name, netns })
}
