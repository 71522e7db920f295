//! TLVs that cloud providers put into the custom range.
//!
//! Types 0xE0 to 0xEF mean what a deployment says they mean. Nothing in a header tells whose it is, so these
//! readers have to be asked for by name, and only for headers from that provider's load balancer.

use crate::header::Header;
use crate::tlv::TlvType;

/// Amazon: endpoint services behind a Network Load Balancer.
pub mod aws {
    use super::{Header, TlvType, sub_value};

    /// The type that carries the values below.
    pub const TYPE: TlvType = TlvType(0xEA);

    /// Id of the VPC endpoint of the client (sub-type 1), such as `vpce-08d2bf15fac5001c9`.
    pub fn vpc_endpoint_id<'a>(header: &Header<'a>) -> Option<&'a str> {
        super::identifier(sub_value(header, TYPE, 1)?)
    }
}

/// Microsoft Azure: Private Link.
pub mod azure {
    use super::{Header, TlvType, sub_value};

    /// The type that carries the values below.
    pub const TYPE: TlvType = TlvType(0xEE);

    /// Link id of the private endpoint of the client (sub-type 1; the only number that is little-endian).
    pub fn private_endpoint_link_id(header: &Header<'_>) -> Option<u32> {
        let value: &[u8; 4] = sub_value(header, TYPE, 1)?.try_into().ok()?;
        Some(u32::from_le_bytes(*value))
    }
}

/// Google Cloud: Private Service Connect.
pub mod gcp {
    use super::{Header, TlvType};

    /// The type that carries the value below.
    pub const TYPE: TlvType = TlvType(0xE0);

    /// Id of the connection of the client's network.
    pub fn psc_connection_id(header: &Header<'_>) -> Option<u64> {
        let value: &[u8; 8] = header
            .tlvs()
            .find(|tlv| tlv.kind() == TYPE)?
            .value()
            .try_into()
            .ok()?;
        Some(u64::from_be_bytes(*value))
    }
}

/// Alibaba Cloud: Private Link.
pub mod alibaba {
    use super::{Header, TlvType, sub_value};

    /// The type that carries the values below.
    pub const TYPE: TlvType = TlvType(0xE1);

    /// Id of the client's VPC (sub-type 1).
    pub fn vpc_id<'a>(header: &Header<'a>) -> Option<&'a str> {
        super::identifier(sub_value(header, TYPE, 1)?)
    }

    /// Id of the endpoint (sub-type 2).
    pub fn endpoint_id<'a>(header: &Header<'a>) -> Option<&'a str> {
        super::identifier(sub_value(header, TYPE, 2)?)
    }

    /// Id of the endpoint service (sub-type 3).
    pub fn endpoint_service_id<'a>(header: &Header<'a>) -> Option<&'a str> {
        super::identifier(sub_value(header, TYPE, 3)?)
    }
}

/// What follows the sub-type byte in the first TLV of that type and sub-type.
fn sub_value<'a>(header: &Header<'a>, kind: TlvType, sub_type: u8) -> Option<&'a [u8]> {
    header
        .tlvs()
        .filter(|tlv| tlv.kind() == kind)
        .find_map(|tlv| match tlv.value() {
            [first, rest @ ..] if *first == sub_type => Some(rest),
            _ => None,
        })
}

/// An id is letters, digits and dashes; anything else is somebody else's TLV.
fn identifier(value: &[u8]) -> Option<&str> {
    let is_identifier = !value.is_empty()
        && value
            .iter()
            .all(|&byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if is_identifier {
        core::str::from_utf8(value).ok()
    } else {
        None
    }
}
