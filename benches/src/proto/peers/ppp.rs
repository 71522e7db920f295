//! `ppp`. It knows no sub-TLVs, but its iterator reads them; it leaves checksums alone.

use std::io::Write as _;

use ppp::v2::{Addresses, Builder, Command, Protocol, Type, TypeLengthValues, Version as Two};
use ppp::{HeaderResult, v1};
use proxy_proto::Version;

use crate::proto::codec::{Codec, parse_loop, write_loop};
use crate::proto::sample::{Digest, SSL_CLIENT, Sample, Touch, Visit};

pub(super) const CODEC: Codec = Codec {
    name: "ppp",
    parses: |sample| !sample.crc32c,
    writes: |sample| !sample.crc32c,
    read: read::<Digest>,
    parse: |bytes, times| parse_loop(bytes, times, read::<Touch>),
    write: |sample, buffer, times| write_loop(sample, buffer, times, write),
};

fn read<V: Visit>(bytes: &[u8]) -> Option<u64> {
    let mut visit = V::default();
    match HeaderResult::parse(bytes) {
        HeaderResult::V1(header) => {
            let header = header.ok()?;
            visit.consumed(header.header.len());
            match header.addresses {
                v1::Addresses::Tcp4(ends) => {
                    visit.v4(ends.source_address.to_bits(), ends.source_port);
                    visit.v4(ends.destination_address.to_bits(), ends.destination_port);
                }
                v1::Addresses::Tcp6(ends) => {
                    visit.v6(ends.source_address.to_bits(), ends.source_port);
                    visit.v6(ends.destination_address.to_bits(), ends.destination_port);
                }
                v1::Addresses::Unknown => return None,
            }
        }
        HeaderResult::V2(header) => {
            let header = header.ok()?;
            visit.consumed(header.len());
            match header.addresses {
                Addresses::IPv4(ends) => {
                    visit.v4(ends.source_address.to_bits(), ends.source_port);
                    visit.v4(ends.destination_address.to_bits(), ends.destination_port);
                }
                Addresses::IPv6(ends) => {
                    visit.v6(ends.source_address.to_bits(), ends.source_port);
                    visit.v6(ends.destination_address.to_bits(), ends.destination_port);
                }
                Addresses::Unix(_) | Addresses::Unspecified => return None,
            }
            for tlv in header.tlvs() {
                let tlv = tlv.ok()?;
                if tlv.kind == u8::from(Type::SSL) {
                    for sub in TypeLengthValues::from(tlv.value.get(5..)?) {
                        let sub = sub.ok()?;
                        visit.tlv(sub.kind, &sub.value);
                    }
                } else {
                    visit.tlv(tlv.kind, &tlv.value);
                }
            }
        }
    }
    Some(visit.finish())
}

fn write(sample: &Sample, buffer: &mut [u8]) -> Option<usize> {
    let ends = (sample.source, sample.destination);
    if sample.version == Version::V1 {
        let room = buffer.len();
        let mut rest = &mut *buffer;
        write!(rest, "{}", v1::Addresses::from(ends)).ok()?;
        return Some(room - rest.len());
    }
    let mut header =
        Builder::with_addresses(Two::Two | Command::Proxy, Protocol::Stream, ends).reserve_capacity(256);
    if let Some(host) = sample.authority {
        header = header.write_tlv(Type::Authority, host.as_bytes()).ok()?;
    }
    if let Some(id) = sample.unique_id {
        header = header.write_tlv(Type::UniqueId, id).ok()?;
    }
    if let Some(name) = sample.netns {
        header = header.write_tlv(Type::NetworkNamespace, name.as_bytes()).ok()?;
    }
    if let Some(ssl) = sample.ssl {
        let mut value = Vec::with_capacity(128);
        value.extend_from_slice(&[SSL_CLIENT, 0, 0, 0, 0]);
        for (kind, text) in [
            (Type::SSLVersion, ssl.version),
            (Type::SSLCommonName, ssl.common_name),
            (Type::SSLCipher, ssl.cipher),
            (Type::SSLSignatureAlgorithm, ssl.signature_algorithm),
            (Type::SSLKeyAlgorithm, ssl.key_algorithm),
        ] {
            value.push(kind.into());
            value.extend_from_slice(&u16::try_from(text.len()).ok()?.to_be_bytes());
            value.extend_from_slice(text.as_bytes());
        }
        header = header.write_tlv(Type::SSL, &value).ok()?;
    }
    let bytes = header.build().ok()?;
    buffer.get_mut(..bytes.len())?.copy_from_slice(&bytes);
    Some(bytes.len())
}
