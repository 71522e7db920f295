//! TLVs: the typed fields that may follow the addresses of a version 2 header (specification, section 2.2).
//!
//! The chain is checked once, by the parser. A [`Tlvs`] only ever borrows a chain that passed, so iterating has no error
//! to return. Values which a TLV's own rule fixes (length of a checksum, parts of SSL) were checked
//! then as well; text was not (see [`Text`]).

use core::fmt;
use core::iter::FusedIterator;

use crate::ssl::Ssl;
use crate::text::Text;

/// The type byte of a TLV.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TlvType(pub u8);

impl TlvType {
    /// Application protocol, as in the TLS extension (2.2.1).
    pub const ALPN: Self = Self(0x01);
    /// Host name that the client asked for, UTF-8; with TLS the SNI (2.2.2).
    pub const AUTHORITY: Self = Self(0x02);
    /// CRC32C of the whole header (2.2.3).
    pub const CRC32C: Self = Self(0x03);
    /// Padding (2.2.4).
    pub const NOOP: Self = Self(0x04);
    /// Opaque id of the connection, up to 128 bytes (2.2.5).
    pub const UNIQUE_ID: Self = Self(0x05);
    /// What the TLS session of the client is like (2.2.6).
    pub const SSL: Self = Self(0x20);
    /// In SSL: version of TLS, US-ASCII.
    pub const SSL_VERSION: Self = Self(0x21);
    /// In SSL: common name of the client's certificate, UTF-8.
    pub const SSL_CN: Self = Self(0x22);
    /// In SSL: name of the cipher, US-ASCII.
    pub const SSL_CIPHER: Self = Self(0x23);
    /// In SSL: algorithm that signed the proxy's certificate, US-ASCII.
    pub const SSL_SIG_ALG: Self = Self(0x24);
    /// In SSL: algorithm of the key of the proxy's certificate, US-ASCII.
    pub const SSL_KEY_ALG: Self = Self(0x25);
    /// In SSL: group of the key exchange, US-ASCII.
    pub const SSL_GROUP: Self = Self(0x26);
    /// In SSL: signature scheme of the handshake, US-ASCII.
    pub const SSL_SIG_SCHEME: Self = Self(0x27);
    /// In SSL: the client's certificate, DER.
    pub const SSL_CLIENT_CERT: Self = Self(0x28);
    /// Name of the network namespace, US-ASCII (2.2.7).
    pub const NETNS: Self = Self(0x30);

    /// Reserved for applications; never to be given a meaning by the protocol (2.2.8).
    pub const fn is_custom(self) -> bool {
        matches!(self.0, 0xE0..=0xEF)
    }

    /// Reserved for experiments (2.2.8).
    pub const fn is_experimental(self) -> bool {
        matches!(self.0, 0xF0..=0xF7)
    }

    /// Reserved for extensions of the protocol (2.2.8).
    pub const fn is_future(self) -> bool {
        matches!(self.0, 0xF8..=0xFF)
    }

    /// The name in the specification, without its `PP2_` prefix; `None` for a type that it gives no meaning.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::ALPN => "ALPN",
            Self::AUTHORITY => "AUTHORITY",
            Self::CRC32C => "CRC32C",
            Self::NOOP => "NOOP",
            Self::UNIQUE_ID => "UNIQUE_ID",
            Self::SSL => "SSL",
            Self::SSL_VERSION => "SSL_VERSION",
            Self::SSL_CN => "SSL_CN",
            Self::SSL_CIPHER => "SSL_CIPHER",
            Self::SSL_SIG_ALG => "SSL_SIG_ALG",
            Self::SSL_KEY_ALG => "SSL_KEY_ALG",
            Self::SSL_GROUP => "SSL_GROUP",
            Self::SSL_SIG_SCHEME => "SSL_SIG_SCHEME",
            Self::SSL_CLIENT_CERT => "SSL_CLIENT_CERT",
            Self::NETNS => "NETNS",
            _ => return None,
        })
    }
}

impl fmt::Display for TlvType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} (0x{:02x})", self.0),
            None => write!(f, "0x{:02x}", self.0),
        }
    }
}

/// One TLV of a checked chain.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tlv<'a> {
    kind: TlvType,
    value: &'a [u8],
}

/// What a TLV of the top level means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlvValue<'a> {
    /// Application protocol.
    Alpn(&'a [u8]),
    /// Host name that the client asked for.
    Authority(Text<'a>),
    /// The checksum, already verified.
    Crc32c(u32),
    /// Padding; nothing in it means anything.
    Noop(&'a [u8]),
    /// Id of the connection, at most 128 bytes.
    UniqueId(&'a [u8]),
    /// TLS session of the client.
    Ssl(Ssl<'a>),
    /// Name of the network namespace.
    Netns(Text<'a>),
    /// A type to which the protocol gives no meaning at this level.
    Other(TlvType, &'a [u8]),
}

impl<'a> Tlv<'a> {
    /// The type byte.
    #[inline]
    pub const fn kind(&self) -> TlvType {
        self.kind
    }

    /// The value, raw.
    #[inline]
    pub const fn value(&self) -> &'a [u8] {
        self.value
    }

    /// The value by the meaning that its type has at the top level of a header.
    #[inline]
    pub fn decode(&self) -> TlvValue<'a> {
        match self.kind {
            TlvType::ALPN => TlvValue::Alpn(self.value),
            TlvType::AUTHORITY => TlvValue::Authority(Text::utf8(self.value)),
            TlvType::NOOP => TlvValue::Noop(self.value),
            TlvType::UNIQUE_ID => TlvValue::UniqueId(self.value),
            TlvType::NETNS => TlvValue::Netns(Text::ascii(self.value)),
            TlvType::CRC32C => match self.value.first_chunk() {
                Some(crc) => TlvValue::Crc32c(u32::from_be_bytes(*crc)),
                None => TlvValue::Other(self.kind, self.value),
            },
            TlvType::SSL => match Ssl::new(self.value) {
                Some(ssl) => TlvValue::Ssl(ssl),
                None => TlvValue::Other(self.kind, self.value),
            },
            kind => TlvValue::Other(kind, self.value),
        }
    }
}

impl fmt::Debug for Tlv<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=\"{}\"", self.kind, self.value.escape_ascii())
    }
}

/// The TLVs of a header or of an SSL TLV, in the order in which they stand. Iterating cannot fail.
#[derive(Clone)]
pub struct Tlvs<'a> {
    rest: &'a [u8],
}

impl<'a> Tlvs<'a> {
    /// The TLVs not yet visited, as they stand in the header.
    #[inline]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Tlvs<'a> {
    type Item = Tlv<'a>;

    #[inline]
    fn next(&mut self) -> Option<Tlv<'a>> {
        let (tlv, rest) = split_first(self.rest)?;
        self.rest = rest;
        Some(tlv)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::from(!self.rest.is_empty()), Some(self.rest.len() / 3))
    }
}

impl FusedIterator for Tlvs<'_> {}

impl fmt::Debug for Tlvs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

/// Bytes that [`is_chain`], or [`split_first`] by hand, was seen to take apart without remainder.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chain<'a>(&'a [u8]);

impl<'a> Chain<'a> {
    pub(crate) const EMPTY: Self = Self(&[]);

    #[inline]
    pub(crate) const fn of_checked(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    #[inline]
    pub(crate) const fn iter(self) -> Tlvs<'a> {
        Tlvs { rest: self.0 }
    }

    /// The value of the first TLV of a type.
    #[inline]
    pub(crate) fn find_value(self, kind: TlvType) -> Option<&'a [u8]> {
        self.iter().find(|tlv| tlv.kind() == kind).map(|tlv| tlv.value())
    }
}

impl fmt::Debug for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().fmt(f)
    }
}

/// The first TLV and what follows it; `None` when the bytes do not begin with a whole TLV.
#[inline]
pub(crate) const fn split_first(bytes: &[u8]) -> Option<(Tlv<'_>, &[u8])> {
    let [kind, high, low, rest @ ..] = bytes else {
        return None;
    };
    let len = u16::from_be_bytes([*high, *low]) as usize;
    match rest.split_at_checked(len) {
        Some((value, rest)) => Some((
            Tlv {
                kind: TlvType(*kind),
                value,
            },
            rest,
        )),
        None => None,
    }
}

/// Whether the bytes are TLVs and nothing else.
pub(crate) fn is_chain(mut bytes: &[u8]) -> bool {
    while let Some((_, rest)) = split_first(bytes) {
        bytes = rest;
    }
    bytes.is_empty()
}
