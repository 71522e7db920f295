//! `proxy-protocol`. It skips TLVs, and writes none.

use std::net::SocketAddr;

use proxy_proto::Version;
use proxy_protocol::{ProxyHeader, encode, parse, version1, version2};

use crate::proto::codec::{Codec, parse_loop, write_loop};
use crate::proto::sample::{Digest, Sample, Touch, Visit};

pub(super) const CODEC: Codec = Codec {
    name: "proxy-protocol",
    parses: without_tlvs,
    writes: without_tlvs,
    read: read::<Digest>,
    parse: |bytes, times| parse_loop(bytes, times, read::<Touch>),
    write: |sample, buffer, times| write_loop(sample, buffer, times, write),
};

const fn without_tlvs(sample: &Sample) -> bool {
    sample.unique_id.is_none()
        && sample.netns.is_none()
        && sample.authority.is_none()
        && sample.ssl.is_none()
        && !sample.crc32c
}

fn read<V: Visit>(bytes: &[u8]) -> Option<u64> {
    let mut rest = bytes;
    let (source, destination) = match parse(&mut rest).ok()? {
        ProxyHeader::Version1 {
            addresses: version1::ProxyAddresses::Ipv4 { source, destination },
            ..
        }
        | ProxyHeader::Version2 {
            addresses: version2::ProxyAddresses::Ipv4 { source, destination },
            ..
        } => (source.into(), destination.into()),
        ProxyHeader::Version1 {
            addresses: version1::ProxyAddresses::Ipv6 { source, destination },
            ..
        }
        | ProxyHeader::Version2 {
            addresses: version2::ProxyAddresses::Ipv6 { source, destination },
            ..
        } => (SocketAddr::V6(source), SocketAddr::V6(destination)),
        _ => return None,
    };
    let mut visit = V::default();
    visit.consumed(bytes.len() - rest.len());
    visit.addresses(source, destination);
    Some(visit.finish())
}

fn write(sample: &Sample, buffer: &mut [u8]) -> Option<usize> {
    let header = match (sample.version, sample.source, sample.destination) {
        (Version::V1, SocketAddr::V4(source), SocketAddr::V4(destination)) => ProxyHeader::Version1 {
            addresses: version1::ProxyAddresses::Ipv4 { source, destination },
        },
        (Version::V1, SocketAddr::V6(source), SocketAddr::V6(destination)) => ProxyHeader::Version1 {
            addresses: version1::ProxyAddresses::Ipv6 { source, destination },
        },
        (Version::V2, SocketAddr::V4(source), SocketAddr::V4(destination)) => {
            version_2(version2::ProxyAddresses::Ipv4 { source, destination })
        }
        (Version::V2, SocketAddr::V6(source), SocketAddr::V6(destination)) => {
            version_2(version2::ProxyAddresses::Ipv6 { source, destination })
        }
        _ => return None,
    };
    let bytes = encode(header).ok()?;
    buffer.get_mut(..bytes.len())?.copy_from_slice(&bytes);
    Some(bytes.len())
}

const fn version_2(addresses: version2::ProxyAddresses) -> ProxyHeader {
    ProxyHeader::Version2 {
        command: version2::ProxyCommand::Proxy,
        transport_protocol: version2::ProxyTransportProtocol::Stream,
        addresses,
    }
}
