//! `proxy-protocol-rs`. It verifies and computes the checksum.

use proxy_proto::Version;
use proxy_protocol_rs::{HeaderBuilder, SslClientFlags, SslInfo, parse};

use crate::proto::codec::{Codec, parse_loop, write_loop};
use crate::proto::sample::{Digest, SSL_CLIENT, Sample, Touch, Visit};

pub(super) const CODEC: Codec = Codec {
    name: "proxy-protocol-rs",
    parses: |_| true,
    writes: |_| true,
    read: read::<Digest>,
    parse: |bytes, times| parse_loop(bytes, times, read::<Touch>),
    write: |sample, buffer, times| write_loop(sample, buffer, times, write),
};

fn read<V: Visit>(bytes: &[u8]) -> Option<u64> {
    let (header, consumed) = parse(bytes).ok()?;
    let mut visit = V::default();
    visit.consumed(consumed);
    visit.addresses(header.source_inet()?, header.destination_inet()?);
    for (kind, value) in &header.tlvs.raw {
        if !matches!(kind, 0x03 | 0x20) {
            visit.tlv(*kind, value);
        }
    }
    if let Some(ssl) = &header.tlvs.ssl {
        for (kind, text) in [
            (0x21, &ssl.version),
            (0x22, &ssl.cn),
            (0x23, &ssl.cipher),
            (0x24, &ssl.sig_alg),
            (0x25, &ssl.key_alg),
        ] {
            visit.tlv(kind, text.as_ref()?.as_bytes());
        }
    }
    Some(visit.finish())
}

fn write(sample: &Sample, buffer: &mut [u8]) -> Option<usize> {
    let mut header = match sample.version {
        Version::V1 => HeaderBuilder::v1_proxy(sample.source, sample.destination),
        Version::V2 => HeaderBuilder::v2_proxy(sample.source, sample.destination),
    };
    if let Some(host) = sample.authority {
        header = header.with_authority(host);
    }
    if let Some(id) = sample.unique_id {
        header = header.with_unique_id(id);
    }
    if let Some(name) = sample.netns {
        header = header.with_netns(name);
    }
    if let Some(ssl) = sample.ssl {
        header = header.with_ssl(SslInfo {
            client_flags: SslClientFlags::from_bits_retain(SSL_CLIENT),
            verified: true,
            version: Some(ssl.version.to_owned()),
            cn: Some(ssl.common_name.to_owned()),
            cipher: Some(ssl.cipher.to_owned()),
            sig_alg: Some(ssl.signature_algorithm.to_owned()),
            key_alg: Some(ssl.key_algorithm.to_owned()),
            ..SslInfo::default()
        });
    }
    if sample.crc32c {
        header = header.with_crc32c();
    }
    let bytes = header.build();
    buffer.get_mut(..bytes.len())?.copy_from_slice(&bytes);
    Some(bytes.len())
}
