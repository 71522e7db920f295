//! `proxy-proto`.

use proxy_proto::{Addresses, SslClient, TlvType, TlvValue, Transport, Version, parse, v1, v2};

use crate::proto::codec::{Codec, parse_loop, write_loop};
use crate::proto::sample::{Digest, SSL_CLIENT, Sample, Touch, Visit};

pub(in crate::proto) const CODEC: Codec = Codec {
    name: "proxy-proto",
    parses: |_| true,
    writes: |_| true,
    read: read::<Digest>,
    parse: |bytes, times| parse_loop(bytes, times, read::<Touch>),
    write: |sample, buffer, times| write_loop(sample, buffer, times, write),
};

fn read<V: Visit>(bytes: &[u8]) -> Option<u64> {
    let parsed = parse(bytes).ok()?;
    let mut visit = V::default();
    visit.consumed(parsed.consumed);
    match parsed.header.addresses() {
        Addresses::Inet(_, ends) => {
            visit.v4(ends.source.to_bits(), ends.source_port);
            visit.v4(ends.destination.to_bits(), ends.destination_port);
        }
        Addresses::Inet6(_, ends) => {
            visit.v6(ends.source.to_bits(), ends.source_port);
            visit.v6(ends.destination.to_bits(), ends.destination_port);
        }
        Addresses::Unspec | Addresses::Unix(..) => return None,
    }
    for tlv in parsed.header.tlvs() {
        match tlv.kind() {
            TlvType::CRC32C => {}
            TlvType::SSL => {
                let TlvValue::Ssl(ssl) = tlv.decode() else {
                    return None;
                };
                for sub in ssl.sub_tlvs() {
                    visit.tlv(sub.kind().0, sub.value());
                }
            }
            kind => visit.tlv(kind.0, tlv.value()),
        }
    }
    Some(visit.finish())
}

pub(in crate::proto) fn write(sample: &Sample, buffer: &mut [u8]) -> Option<usize> {
    let addresses =
        Addresses::from_socket_addrs(Transport::Stream, sample.source, sample.destination).ok()?;
    if sample.version == Version::V1 {
        return v1::encode(&addresses, buffer).ok();
    }
    let mut header = v2::Builder::proxy(buffer, addresses);
    if let Some(host) = sample.authority {
        header.authority(host);
    }
    if let Some(id) = sample.unique_id {
        header.unique_id(id);
    }
    if let Some(name) = sample.netns {
        header.netns(name.as_bytes());
    }
    if let Some(ssl) = sample.ssl {
        header.ssl(SslClient(SSL_CLIENT), 0, |out| {
            out.version(ssl.version)
                .common_name(ssl.common_name)
                .cipher(ssl.cipher)
                .signature_algorithm(ssl.signature_algorithm)
                .key_algorithm(ssl.key_algorithm);
        });
    }
    if sample.crc32c {
        header.crc32c();
    }
    header.finish().ok()
}
