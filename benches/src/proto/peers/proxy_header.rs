//! `proxy-header`. It reads a checksum without verifying it, and cannot compute one.

use proxy_header::{ParseConfig, ProxiedAddress, ProxyHeader, SslInfo, Tlv};
use proxy_proto::Version;

use crate::proto::codec::{Codec, parse_loop, write_loop};
use crate::proto::sample::{Digest, Sample, Touch, Visit};

pub(super) const CODEC: Codec = Codec {
    name: "proxy-header",
    parses: |sample| !sample.crc32c,
    writes: |sample| !sample.crc32c,
    read: read::<Digest>,
    parse: |bytes, times| parse_loop(bytes, times, read::<Touch>),
    write: |sample, buffer, times| write_loop(sample, buffer, times, write),
};

fn read<V: Visit>(bytes: &[u8]) -> Option<u64> {
    let (header, consumed) = ProxyHeader::parse(bytes, ParseConfig::default()).ok()?;
    let mut visit = V::default();
    visit.consumed(consumed);
    let ends = header.proxied_address()?;
    visit.addresses(ends.source, ends.destination);
    for tlv in header.tlvs() {
        match tlv.ok()? {
            Tlv::Ssl(ssl) => {
                for sub in ssl.tlvs() {
                    each(&mut visit, &sub.ok()?)?;
                }
            }
            tlv => each(&mut visit, &tlv)?,
        }
    }
    Some(visit.finish())
}

fn each(visit: &mut impl Visit, tlv: &Tlv<'_>) -> Option<()> {
    let value = match tlv {
        Tlv::Alpn(value) | Tlv::UniqueId(value) | Tlv::Custom(_, value) => &**value,
        Tlv::Authority(text)
        | Tlv::Netns(text)
        | Tlv::SslVersion(text)
        | Tlv::SslCn(text)
        | Tlv::SslCipher(text)
        | Tlv::SslSigAlg(text)
        | Tlv::SslKeyAlg(text) => text.as_bytes(),
        _ => return None,
    };
    visit.tlv(tlv.kind(), value);
    Some(())
}

fn write(sample: &Sample, buffer: &mut [u8]) -> Option<usize> {
    let mut header = ProxyHeader::with_address(ProxiedAddress::stream(sample.source, sample.destination));
    if sample.version == Version::V1 {
        return header.encode_to_slice_v1(buffer).ok();
    }
    if let Some(host) = sample.authority {
        header.append_tlv(Tlv::Authority(host.into()));
    }
    if let Some(id) = sample.unique_id {
        header.append_tlv(Tlv::UniqueId(id.into()));
    }
    if let Some(name) = sample.netns {
        header.append_tlv(Tlv::Netns(name.into()));
    }
    if let Some(ssl) = sample.ssl {
        let mut info = SslInfo::new(true, true, false, 0);
        info.append_tlv(Tlv::SslVersion(ssl.version.into()));
        info.append_tlv(Tlv::SslCn(ssl.common_name.into()));
        info.append_tlv(Tlv::SslCipher(ssl.cipher.into()));
        info.append_tlv(Tlv::SslSigAlg(ssl.signature_algorithm.into()));
        info.append_tlv(Tlv::SslKeyAlg(ssl.key_algorithm.into()));
        header.append_tlv(Tlv::Ssl(info));
    }
    header.encode_to_slice_v2(buffer).ok()
}
