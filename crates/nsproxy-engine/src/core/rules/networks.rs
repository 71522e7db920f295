//! A set of IP networks, searched in logarithmic time.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::ranges::{contains, merged};

/// Networks of both families.
///
/// As in HAProxy, an address of one family is also looked for in networks of the other: an IPv4 address as `::ffff:a.b.c.d`,
/// an IPv6 address as the IPv4 address in `::ffff:a.b.c.d`, `::a.b.c.d` or `2002:a.b.c.d::`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks {
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

impl FromIterator<(IpAddr, u8)> for Networks {
    /// Networks: an address, and how many of its first bits count. Longer prefixes than an address has mean all of it.
    fn from_iter<I: IntoIterator<Item = (IpAddr, u8)>>(networks: I) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (ip, prefix) in networks {
            match ip {
                IpAddr::V4(ip) => {
                    let host = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
                    v4.push((u32::from(ip) & !host, u32::from(ip) | host));
                }
                IpAddr::V6(ip) => {
                    let host = u128::MAX.checked_shr(prefix.into()).unwrap_or(0);
                    v6.push((u128::from(ip) & !host, u128::from(ip) | host));
                }
            }
        }
        Self {
            v4: merged(v4),
            v6: merged(v6),
        }
    }
}

impl Networks {
    /// Whether an address is in one of them.
    pub fn contains(&self, ip: IpAddr) -> bool {
        match ip {
            IpAddr::V4(ip) => {
                contains(&self.v4, u32::from(ip)) || contains(&self.v6, u128::from(ip.to_ipv6_mapped()))
            }
            IpAddr::V6(ip) => {
                contains(&self.v6, u128::from(ip))
                    || embedded(ip).is_some_and(|ip| contains(&self.v4, u32::from(ip)))
            }
        }
    }
}

/// The IPv4 address that an IPv6 address stands for.
fn embedded(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    match ip.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x2002, high, low, ..] => {
            Some((u32::from(high) << 16 | u32::from(low)).into())
        }
        _ => None,
    }
}
