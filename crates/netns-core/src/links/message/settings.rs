//! What the kernel says of an interface beside what every one has (`IFLA_INFO_DATA`, `linux/if_link.h`).

use std::net::IpAddr;

use super::super::{LinkSettings, MacvlanMode};
use super::{attributes, ip_address, number};

const IFLA_VLAN_ID: u16 = 1;
const IFLA_MACVLAN_MODE: u16 = 1;
const IFLA_VXLAN_ID: u16 = 1;
const IFLA_VXLAN_GROUP: u16 = 2;
const IFLA_VXLAN_LINK: u16 = 3;
const IFLA_VXLAN_LOCAL: u16 = 4;
const IFLA_VXLAN_PORT: u16 = 15;
const IFLA_VXLAN_GROUP6: u16 = 16;
const IFLA_VXLAN_LOCAL6: u16 = 17;

/// The settings of an interface of this kind; none if the kind is not known here, or its number is missing.
pub(super) fn read(kind: &str, data: &[u8]) -> LinkSettings {
    let settings = match kind {
        "vlan" => vlan(data),
        "macvlan" => macvlan(data),
        "vxlan" => vxlan(data),
        _ => None,
    };
    settings.unwrap_or(LinkSettings::None)
}

fn vlan(data: &[u8]) -> Option<LinkSettings> {
    let id = attributes(data).find(|attribute| attribute.kind() == IFLA_VLAN_ID)?;
    let id = u16::from_ne_bytes(*id.value().first_chunk()?);
    Some(LinkSettings::Vlan { id })
}

fn macvlan(data: &[u8]) -> Option<LinkSettings> {
    let mode = attributes(data).find(|attribute| attribute.kind() == IFLA_MACVLAN_MODE)?;
    let mode = match number(mode.value())? {
        1 => MacvlanMode::Private,
        2 => MacvlanMode::Vepa,
        4 => MacvlanMode::Bridge,
        8 => MacvlanMode::Passthru,
        16 => MacvlanMode::Source,
        _ => return None,
    };
    Some(LinkSettings::Macvlan { mode })
}

fn vxlan(data: &[u8]) -> Option<LinkSettings> {
    let (mut vni, mut port) = (None, 0);
    let (mut remote, mut local, mut device) = (None, None, None);
    for attribute in attributes(data) {
        let value = attribute.value();
        match attribute.kind() {
            IFLA_VXLAN_ID => vni = number(value),
            IFLA_VXLAN_GROUP | IFLA_VXLAN_GROUP6 => remote = given(value),
            IFLA_VXLAN_LINK => device = number(value).filter(|&index| index != 0),
            IFLA_VXLAN_LOCAL | IFLA_VXLAN_LOCAL6 => local = given(value),
            // In the order of the network, unlike the rest.
            IFLA_VXLAN_PORT => port = u16::from_be_bytes(*value.first_chunk()?),
            _ => {}
        }
    }
    Some(LinkSettings::Vxlan {
        vni: vni?,
        remote,
        local,
        device,
        port,
    })
}

/// An address, unless it is the one that stands for none.
fn given(value: &[u8]) -> Option<IpAddr> {
    ip_address(value).filter(|address| !address.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::super::attribute;
    use super::*;

    /// Not every kernel has VLANs, so this is where their number is read everywhere.
    #[test]
    fn the_number_of_a_vlan_is_read() {
        let protocol = attribute(5, &0x8100_u16.to_be_bytes());
        let id = attribute(IFLA_VLAN_ID, &5_u16.to_ne_bytes());
        assert_eq!(
            read("vlan", &[protocol, id].concat()),
            LinkSettings::Vlan { id: 5 }
        );
    }

    #[test]
    fn each_mode_of_a_macvlan_is_read() {
        for (number, mode) in [
            (1_u32, MacvlanMode::Private),
            (2, MacvlanMode::Vepa),
            (4, MacvlanMode::Bridge),
            (8, MacvlanMode::Passthru),
            (16, MacvlanMode::Source),
        ] {
            let data = attribute(IFLA_MACVLAN_MODE, &number.to_ne_bytes());
            assert_eq!(read("macvlan", &data), LinkSettings::Macvlan { mode });
        }
    }

    #[test]
    fn a_vxlan_has_addresses_of_either_family_or_none() {
        let remote: std::net::Ipv6Addr = "fd00::2".parse().unwrap();
        let data = [
            attribute(IFLA_VXLAN_ID, &42_u32.to_ne_bytes()),
            attribute(IFLA_VXLAN_LOCAL, &[0; 4]),
            attribute(IFLA_VXLAN_GROUP6, &remote.octets()),
            attribute(IFLA_VXLAN_PORT, &4789_u16.to_be_bytes()),
        ];
        assert_eq!(
            read("vxlan", &data.concat()),
            LinkSettings::Vxlan {
                vni: 42,
                remote: Some(remote.into()),
                local: None,
                device: None,
                port: 4789,
            }
        );
    }

    #[test]
    fn what_is_not_known_or_lacks_its_number_has_no_settings() {
        for kind in ["vlan", "macvlan", "vxlan"] {
            assert_eq!(read(kind, &[]), LinkSettings::None, "{kind}");
        }
        let id = attribute(IFLA_VLAN_ID, &5_u16.to_ne_bytes());
        assert_eq!(read("bridge", &id), LinkSettings::None);
    }
}
