//! The headers that are read and written: the bytes, and the values that they stand for.

use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use proxy_proto::{Addresses, Checksum, Transport, Version, parse};

/// One header.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) name: &'static str,
    pub(super) bytes: Vec<u8>,
    pub(super) version: Version,
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) unique_id: Option<&'static [u8]>,
    pub(super) netns: Option<&'static str>,
    pub(super) authority: Option<&'static str>,
    pub(super) ssl: Option<SslSample>,
    pub(super) crc32c: bool,
    /// What [`Digest`] gives for it.
    pub(super) digest: u64,
}

/// The parts of an SSL TLV, in the order of their types.
#[derive(Debug, Clone, Copy)]
pub(super) struct SslSample {
    pub(super) version: &'static str,
    pub(super) common_name: &'static str,
    pub(super) cipher: &'static str,
    pub(super) signature_algorithm: &'static str,
    pub(super) key_algorithm: &'static str,
}

/// Bits of `client` in the SSL sample: over TLS, with a certificate on this connection. `verify` is 0.
pub(super) const SSL_CLIENT: u8 = 0x03;

/// What is done with what a reader finds; in one number at the end.
pub(super) trait Visit: Default {
    fn consumed(&mut self, len: usize);
    fn v4(&mut self, bits: u32, port: u16);
    fn v6(&mut self, bits: u128, port: u16);
    fn tlv(&mut self, kind: u8, value: &[u8]);
    fn finish(self) -> u64;

    #[inline]
    fn addresses(&mut self, source: SocketAddr, destination: SocketAddr) {
        for address in [source, destination] {
            match address {
                SocketAddr::V4(address) => self.v4(address.ip().to_bits(), address.port()),
                SocketAddr::V6(address) => self.v6(address.ip().to_bits(), address.port()),
            }
        }
    }
}

/// Every byte of it, to be compared: the same for all who read the same, whatever the order of the TLVs.
#[derive(Debug, Default)]
pub(super) struct Digest(u64);

impl Digest {
    fn add(&mut self, bytes: &[u8]) {
        let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        self.0 = self.0.wrapping_add(hash);
    }
}

impl Visit for Digest {
    fn consumed(&mut self, len: usize) {
        self.add(&len.to_be_bytes());
    }

    fn v4(&mut self, bits: u32, port: u16) {
        self.add(&[&bits.to_be_bytes()[..], &port.to_be_bytes()].concat());
    }

    fn v6(&mut self, bits: u128, port: u16) {
        self.add(&[&bits.to_be_bytes()[..], &port.to_be_bytes()].concat());
    }

    fn tlv(&mut self, kind: u8, value: &[u8]) {
        self.add(&[&[kind], value].concat());
    }

    fn finish(self) -> u64 {
        self.0
    }
}

/// A part of each value, to be timed: enough that nothing can be left out, and little beside the reading.
#[derive(Debug, Default)]
pub(super) struct Touch(u64);

impl Visit for Touch {
    #[inline]
    fn consumed(&mut self, len: usize) {
        self.0 = self.0.wrapping_add(len as u64);
    }

    #[inline]
    fn v4(&mut self, bits: u32, port: u16) {
        self.0 = self.0.wrapping_add(u64::from(bits)).wrapping_add(u64::from(port));
    }

    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the halves are taken one after the other"
    )]
    fn v6(&mut self, bits: u128, port: u16) {
        self.0 = self
            .0
            .wrapping_add(bits as u64 ^ (bits >> 64) as u64)
            .wrapping_add(u64::from(port));
    }

    #[inline]
    fn tlv(&mut self, kind: u8, value: &[u8]) {
        let first = value.first().copied().unwrap_or_default();
        self.0 = self
            .0
            .wrapping_add(u64::from(kind))
            .wrapping_add(value.len() as u64)
            .wrapping_add(u64::from(first));
    }

    #[inline]
    fn finish(self) -> u64 {
        self.0
    }
}

/// The six headers.
///
/// # Errors
///
/// Our own reader does not see in them what they were made of.
pub(super) fn all() -> anyhow::Result<Vec<Sample>> {
    const SSL: SslSample = SslSample {
        version: "TLSv1.3",
        common_name: "client.example.org",
        cipher: "TLS_AES_256_GCM_SHA384",
        signature_algorithm: "RSA-SHA256",
        key_algorithm: "RSA2048",
    };
    let inet = ("192.168.0.1:56324", "198.51.100.117:443");
    let inet6 = ("[2001:db8:85a3::8a2e:370:7334]:56324", "[2001:db8:1::2]:443");
    [
        sample("v1-tcp4", Version::V1, inet, |_| {}),
        sample("v1-tcp6", Version::V1, inet6, |_| {}),
        sample("v2-tcp4", Version::V2, inet, |_| {}),
        sample("v2-tcp6-netns-id", Version::V2, inet6, |sample| {
            sample.unique_id = Some(b"7f3c9a52-1b44-4d0e-9c7b-5a0e2f6d8b13");
            sample.netns = Some("tenant-1");
        }),
        sample("v2-crc32c", Version::V2, inet, |sample| {
            sample.unique_id = Some(b"7f3c9a52-1b44-4d0e-9c7b-5a0e2f6d8b13");
            sample.crc32c = true;
        }),
        sample("v2-ssl", Version::V2, inet, |sample| {
            sample.authority = Some("www.example.org");
            sample.ssl = Some(SSL);
        }),
    ]
    .into_iter()
    .collect()
}

fn sample(
    name: &'static str,
    version: Version,
    (source, destination): (&str, &str),
    set: impl FnOnce(&mut Sample),
) -> anyhow::Result<Sample> {
    let mut sample = Sample {
        name,
        bytes: Vec::new(),
        version,
        source: source.parse()?,
        destination: destination.parse()?,
        unique_id: None,
        netns: None,
        authority: None,
        ssl: None,
        crc32c: false,
        digest: 0,
    };
    set(&mut sample);
    let mut buffer = [0; 512];
    let len = super::peers::ours::write(&sample, &mut buffer).context("too long")?;
    sample.bytes = buffer[..len].to_vec();
    sample.digest = digest(&sample)?;
    Ok(sample)
}

/// From the values, not from the bytes: no reader is asked, but for the value of the checksum.
fn digest(sample: &Sample) -> anyhow::Result<u64> {
    let parsed = parse(&sample.bytes)?;
    let addresses = Addresses::from_socket_addrs(Transport::Stream, sample.source, sample.destination)?;
    ensure!(
        parsed.header.addresses() == addresses,
        "{}: the addresses are not read",
        sample.name
    );
    let mut digest = Digest::default();
    digest.consumed(sample.bytes.len());
    digest.addresses(sample.source, sample.destination);
    if let Some(host) = sample.authority {
        digest.tlv(0x02, host.as_bytes());
    }
    if let Some(id) = sample.unique_id {
        digest.tlv(0x05, id);
    }
    if let Some(name) = sample.netns {
        digest.tlv(0x30, name.as_bytes());
    }
    if let Some(ssl) = sample.ssl {
        for (kind, text) in [
            (0x21, ssl.version),
            (0x22, ssl.common_name),
            (0x23, ssl.cipher),
            (0x24, ssl.signature_algorithm),
            (0x25, ssl.key_algorithm),
        ] {
            digest.tlv(kind, text.as_bytes());
        }
    }
    if sample.crc32c {
        ensure!(
            parsed.header.crc32c() == Checksum::Verified,
            "{}: no checksum",
            sample.name
        );
    }
    Ok(digest.finish())
}
