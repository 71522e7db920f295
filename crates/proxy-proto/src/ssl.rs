//! The SSL TLV: what the sender says of the client's TLS session (specification, section 2.2.6).

use core::fmt;

use crate::text::Text;
use crate::tlv::{Chain, TlvType, Tlvs};

/// Length of `client` and `verify`, which come before the sub-TLVs. The structure is packed.
pub(crate) const FIXED_LEN: usize = 5;

/// Contents of an SSL TLV.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Ssl<'a> {
    client: SslClient,
    verify: u32,
    sub_tlvs: Chain<'a>,
}

/// The `client` bits of an SSL TLV.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct SslClient(pub u8);

impl SslClient {
    /// The client is connected over TLS (`PP2_CLIENT_SSL`).
    pub const SSL: Self = Self(0x01);
    /// The client gave a certificate on this connection (`PP2_CLIENT_CERT_CONN`).
    pub const CERT_CONN: Self = Self(0x02);
    /// The client gave a certificate at least once in this TLS session (`PP2_CLIENT_CERT_SESS`).
    pub const CERT_SESS: Self = Self(0x04);

    /// Whether all bits of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits of both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl<'a> Ssl<'a> {
    /// `None` when the value is too short. The caller has checked the chain.
    #[inline]
    pub(crate) fn new(value: &'a [u8]) -> Option<Self> {
        let ([client, verify @ ..], rest) = value.split_first_chunk::<FIXED_LEN>()?;
        Some(Self {
            client: SslClient(*client),
            verify: u32::from_be_bytes(*verify),
            sub_tlvs: Chain::of_checked(rest),
        })
    }

    /// The `client` bits.
    pub const fn client(&self) -> SslClient {
        self.client
    }

    /// The `verify` field, raw: 0 or an error code of the sender's TLS library.
    ///
    /// Senders write 0 when there was no certificate to verify, too. [`Self::is_verified`] asks the right question.
    pub const fn verify(&self) -> u32 {
        self.verify
    }

    /// Whether the client is connected over TLS.
    pub const fn is_tls(&self) -> bool {
        self.client.contains(SslClient::SSL)
    }

    /// Whether the client gave a certificate, on this connection or earlier in its TLS session, and the sender verified it:
    /// `verify` is 0 *and* a certificate bit is set.
    pub const fn is_verified(&self) -> bool {
        self.verify == 0
            && (self.client.contains(SslClient::CERT_CONN) || self.client.contains(SslClient::CERT_SESS))
    }

    /// All sub-TLVs, in order.
    pub const fn sub_tlvs(&self) -> Tlvs<'a> {
        self.sub_tlvs.iter()
    }

    /// Version of TLS, such as `TLSv1.3`.
    pub fn version(&self) -> Option<Text<'a>> {
        self.sub_tlvs.find_value(TlvType::SSL_VERSION).map(Text::ascii)
    }

    /// Common name of the client's certificate.
    pub fn common_name(&self) -> Option<Text<'a>> {
        self.sub_tlvs.find_value(TlvType::SSL_CN).map(Text::utf8)
    }

    /// Cipher, such as `ECDHE-RSA-AES128-GCM-SHA256`.
    pub fn cipher(&self) -> Option<Text<'a>> {
        self.sub_tlvs.find_value(TlvType::SSL_CIPHER).map(Text::ascii)
    }

    /// Algorithm that signed the certificate of the sender's listener, such as `RSA-SHA256`.
    pub fn signature_algorithm(&self) -> Option<Text<'a>> {
        self.sub_tlvs.find_value(TlvType::SSL_SIG_ALG).map(Text::ascii)
    }

    /// Algorithm of the key of the certificate of the sender's listener, such as `RSA2048`.
    pub fn key_algorithm(&self) -> Option<Text<'a>> {
        self.sub_tlvs.find_value(TlvType::SSL_KEY_ALG).map(Text::ascii)
    }

    /// Group of the key exchange, such as `X25519MLKEM768`.
    pub fn group(&self) -> Option<Text<'a>> {
        self.sub_tlvs.find_value(TlvType::SSL_GROUP).map(Text::ascii)
    }

    /// Signature scheme of the handshake, such as `rsa_pss_rsae_sha256`.
    pub fn signature_scheme(&self) -> Option<Text<'a>> {
        self.sub_tlvs.find_value(TlvType::SSL_SIG_SCHEME).map(Text::ascii)
    }

    /// The client's certificate, DER. It was not looked at.
    pub fn client_certificate(&self) -> Option<&'a [u8]> {
        self.sub_tlvs.find_value(TlvType::SSL_CLIENT_CERT)
    }
}

impl fmt::Debug for Ssl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ssl")
            .field("client", &format_args!("{:#04x}", self.client.0))
            .field("verify", &self.verify)
            .field("sub_tlvs", &self.sub_tlvs)
            .finish()
    }
}
