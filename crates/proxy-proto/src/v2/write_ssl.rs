//! The writer of the SSL TLV, which holds TLVs of its own.

use super::Builder;
use crate::ssl::SslClient;
use crate::tlv::TlvType;
use crate::write_error::WriteError;

/// Adds the parts of an SSL TLV, in the order of the calls. [`Builder::ssl`] lends it.
#[derive(Debug)]
pub struct SslBuilder<'a, 'b> {
    header: &'a mut Builder<'b>,
    /// Where the value begins; its length stands in the two bytes before.
    value_at: usize,
    needs_version: bool,
}

impl<'a, 'b> SslBuilder<'a, 'b> {
    pub(super) fn open(header: &'a mut Builder<'b>, client: SslClient, verify: u32) -> Self {
        header.out().put(&[TlvType::SSL.0, 0, 0]);
        let value_at = header.out().len();
        header.out().put(&[client.0]);
        header.out().put(&verify.to_be_bytes());
        Self {
            header,
            value_at,
            needs_version: client.contains(SslClient::SSL),
        }
    }

    /// Adds the version of TLS, such as `TLSv1.3`. It has to be there when [`SslClient::SSL`] is set.
    pub fn version(&mut self, version: &str) -> &mut Self {
        self.needs_version = false;
        self.ascii(TlvType::SSL_VERSION, version)
    }

    /// Adds the common name of the client's certificate.
    pub fn common_name(&mut self, name: &str) -> &mut Self {
        self.tlv(TlvType::SSL_CN, name.as_bytes())
    }

    /// Adds the cipher.
    pub fn cipher(&mut self, cipher: &str) -> &mut Self {
        self.ascii(TlvType::SSL_CIPHER, cipher)
    }

    /// Adds the algorithm that signed the sender's certificate.
    pub fn signature_algorithm(&mut self, algorithm: &str) -> &mut Self {
        self.ascii(TlvType::SSL_SIG_ALG, algorithm)
    }

    /// Adds the algorithm of the key of the sender's certificate.
    pub fn key_algorithm(&mut self, algorithm: &str) -> &mut Self {
        self.ascii(TlvType::SSL_KEY_ALG, algorithm)
    }

    /// Adds the group of the key exchange.
    pub fn group(&mut self, group: &str) -> &mut Self {
        self.ascii(TlvType::SSL_GROUP, group)
    }

    /// Adds the signature scheme of the handshake.
    pub fn signature_scheme(&mut self, scheme: &str) -> &mut Self {
        self.ascii(TlvType::SSL_SIG_SCHEME, scheme)
    }

    /// Adds the client's certificate, DER.
    pub fn client_certificate(&mut self, der: &[u8]) -> &mut Self {
        self.tlv(TlvType::SSL_CLIENT_CERT, der)
    }

    /// Adds a sub-TLV of any type. Text is not checked.
    pub fn tlv(&mut self, kind: TlvType, value: &[u8]) -> &mut Self {
        self.needs_version &= kind != TlvType::SSL_VERSION;
        self.header.checked_tlv(kind, value);
        self
    }

    pub(super) fn close(self) {
        let len = self.header.out().len().saturating_sub(self.value_at);
        if self.needs_version {
            self.header.refuse(WriteError::SslVersionMissing);
        }
        match u16::try_from(len) {
            Ok(len) => {
                let length_at = self.value_at.saturating_sub(2);
                self.header.out().patch(length_at, len.to_be_bytes());
            }
            Err(_) => {
                self.header.refuse(WriteError::TlvTooLong {
                    kind: TlvType::SSL,
                    len,
                });
            }
        }
    }

    fn ascii(&mut self, kind: TlvType, value: &str) -> &mut Self {
        self.header.ascii_tlv(kind, value.as_bytes());
        self
    }
}
