//! The routes of the main table.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::operation::LinkOperation;
use super::{LinkError, Links, client, message};

/// Where a route leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Destination {
    /// Everywhere that no other route leads to, in the family of the gateway, or without one, of the source address.
    /// With neither that is IPv4; the same for IPv6 is the network `::/0`.
    Default,
    /// A network.
    Network {
        /// Its address; bits beyond the prefix must be zero.
        address: IpAddr,
        /// Its length in bits.
        prefix: u8,
    },
}

/// As `ip route` writes it: `default`, `10.0.0.0/8`.
impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Network { address, prefix } => write!(f, "{address}/{prefix}"),
        }
    }
}

/// A route of the main table.
///
/// ```
/// use netns_core::links::{Destination, Route};
///
/// let network = Destination::Network { address: "10.2.0.0".parse()?, prefix: 16 };
/// let by_gateway = Route::via(network, "10.0.0.1".parse()?);
/// assert_eq!(by_gateway.to_string(), "10.2.0.0/16 via 10.0.0.1");
/// assert_eq!(Route::on(network, "eth0").to_string(), "10.2.0.0/16 dev eth0");
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Route {
    /// Where it leads.
    pub destination: Destination,
    /// The gateway. Without one, the destination is reached directly.
    pub via: Option<IpAddr>,
    /// The interface by which packets leave. With a gateway, the kernel can find it.
    pub device: Option<String>,
    /// The address which packets of sockets that are bound to none get.
    pub source: Option<IpAddr>,
    /// Of several routes to the same destination the one with the lowest counts. None is 0 for IPv4, and
    /// 1024 for IPv6.
    pub metric: Option<u32>,
    /// Who made it (`RTPROT_*` of `linux/rtnetlink.h`). When a route is removed it is not looked at.
    pub protocol: u8,
}

impl Route {
    /// The [`protocol`](Self::protocol) of routes that the kernel made, with an address for example.
    pub const BY_KERNEL: u8 = libc::RTPROT_KERNEL;
    /// The [`protocol`](Self::protocol) of routes that an administrator made.
    pub const BY_ADMINISTRATOR: u8 = libc::RTPROT_STATIC;

    /// The route to `destination` by a gateway.
    pub fn via(destination: Destination, gateway: IpAddr) -> Self {
        Self {
            via: Some(gateway),
            ..Self::to(destination)
        }
    }

    /// The route to a `destination` that is reached directly on the interface `device`.
    pub fn on(destination: Destination, device: impl Into<String>) -> Self {
        Self {
            device: Some(device.into()),
            ..Self::to(destination)
        }
    }

    /// The route to `destination`, of which nothing more is said: enough to [remove](Links::remove_route) it.
    pub fn to(destination: Destination) -> Self {
        Self {
            destination,
            via: None,
            device: None,
            source: None,
            metric: None,
            protocol: Self::BY_ADMINISTRATOR,
        }
    }

    /// The destination as a network, its address and the length of its prefix: [`Destination::Default`] is that of no
    /// bits in the family of the route. So two routes lead to the same place exactly if this is the same.
    pub fn network(&self) -> (IpAddr, u8) {
        match (self.destination, self.via.or(self.source)) {
            (Destination::Network { address, prefix }, _) => (address, prefix),
            (Destination::Default, Some(IpAddr::V6(_))) => (Ipv6Addr::UNSPECIFIED.into(), 0),
            (Destination::Default, _) => (Ipv4Addr::UNSPECIFIED.into(), 0),
        }
    }
}

/// As `ip route` writes it.
impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.destination)?;
        if let Some(via) = self.via {
            write!(f, " via {via}")?;
        }
        if let Some(device) = &self.device {
            write!(f, " dev {device}")?;
        }
        if let Some(source) = self.source {
            write!(f, " src {source}")?;
        }
        if let Some(metric) = self.metric {
            write!(f, " metric {metric}")?;
        }
        Ok(())
    }
}

impl Links {
    /// Adds a route to the main table.
    ///
    /// # Errors
    ///
    /// There is such a route already, the gateway is not on a network of an interface that is up, gateway and
    /// destination are of different families, there is no such interface, or the kernel refuses.
    pub fn add_route(&mut self, route: &Route) -> Result<(), LinkError> {
        let operation = LinkOperation::AddRoute {
            route: Box::new(route.clone()),
        };
        let device = self.device_of(route, &operation)?;
        self.client
            .change(&message::route::add(route, device), client::CREATE)
            .map_err(LinkError::during(operation, ""))
    }

    /// Removes a route from the main table: the first that has the destination and whatever else `route`
    /// says, except its [`protocol`](Route::protocol).
    ///
    /// # Errors
    ///
    /// There is no such route, or the kernel refuses.
    pub fn remove_route(&mut self, route: &Route) -> Result<(), LinkError> {
        let operation = LinkOperation::RemoveRoute {
            route: Box::new(route.clone()),
        };
        let device = self.device_of(route, &operation)?;
        self.client
            .change(&message::route::remove(route, device), client::MODIFY)
            .map_err(LinkError::during(operation, ""))
    }

    /// The routes of the main table for packets to one receiver, those of IPv4 first. A route with several
    /// next hops appears once for each.
    ///
    /// # Errors
    ///
    /// The kernel refuses, or the routes change faster than they can be listed.
    pub fn list_routes(&mut self) -> Result<Vec<Route>, LinkError> {
        let found = self
            .client
            .dump(&message::route::all(), message::route::read)
            .map_err(LinkError::during(LinkOperation::ListRoutes, ""))?;
        let name_of = self.names()?;
        Ok(found
            .into_iter()
            .flat_map(|found| {
                found
                    .hops
                    .clone()
                    .into_iter()
                    .map(move |hop| (found.clone(), hop))
            })
            .map(|(found, hop)| Route {
                destination: found.destination,
                via: hop.via,
                device: hop.device.and_then(&name_of),
                source: found.source,
                metric: found.metric,
                protocol: found.protocol,
            })
            .collect())
    }

    /// Checks `route` as far as the kernel would not say what is wrong, and looks its interface up.
    fn device_of(&mut self, route: &Route, operation: &LinkOperation) -> Result<Option<u32>, LinkError> {
        if let (Destination::Network { address, .. }, Some(via)) = (route.destination, route.via)
            && address.is_ipv4() != via.is_ipv4()
        {
            return Err(LinkError::MixedFamilies {
                destination: route.destination,
                via,
            });
        }
        match &route.device {
            Some(device) => self.index_of(device, operation, device).map(Some),
            None => Ok(None),
        }
    }
}
