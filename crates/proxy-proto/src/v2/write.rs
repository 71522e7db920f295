//! The writer of version 2.

use super::{FIXED_LEN, MAX_LEN, SIGNATURE, SslBuilder, UNIQUE_ID_MAX, field, is_ssl_value};
use crate::addresses::{Addresses, Transport};
use crate::crc32c;
use crate::header::Command;
use crate::out::Out;
use crate::ssl::SslClient;
use crate::tlv::{TlvType, Tlvs};
use crate::write_error::WriteError;

/// Writes a version 2 header into a buffer: addresses, then TLVs in the order of the calls.
///
/// The first thing that cannot be written as asked is kept, and [`Self::finish`] returns it; nothing is cut or left out.
///
/// ```
/// use proxy_proto::{Addresses, Transport, v2};
///
/// let addresses = Addresses::from_socket_addrs(
///     Transport::Stream,
///     "192.0.2.1:56324".parse().unwrap(),
///     "198.51.100.7:443".parse().unwrap(),
/// )?;
/// let mut buf = [0; 128];
/// let len = v2::Builder::proxy(&mut buf, addresses)
///     .authority("example.org")
///     .crc32c()
///     .netns(b"blue")
///     .finish()?;
/// assert_eq!(proxy_proto::parse(&buf[..len]).unwrap().header.netns(), Some(&b"blue"[..]));
/// # Ok::<(), proxy_proto::WriteError>(())
/// ```
#[derive(Debug)]
pub struct Builder<'b> {
    out: Out<'b>,
    /// Where the four bytes of the checksum stand.
    checksum: Option<usize>,
    error: Option<WriteError>,
}

impl<'b> Builder<'b> {
    /// A header with this command, and its addresses.
    #[inline]
    pub fn new(buf: &'b mut [u8], command: Command<'_>) -> Self {
        let mut out = Out::new(buf);
        let (version_command, addresses) = match command {
            Command::Local => (0x20, Addresses::Unspec),
            Command::Proxy(addresses) => (0x21, addresses),
        };
        // In one piece: several small stores are slower, and so are the loads of whoever reads them next.
        let mut fixed = [0; FIXED_LEN];
        let (signature, rest) = fixed.split_at_mut(SIGNATURE.len());
        signature.copy_from_slice(&SIGNATURE);
        // The length is filled in at the end.
        rest.copy_from_slice(&[version_command, family_transport(&addresses), 0, 0]);
        out.put(&fixed);
        match addresses {
            Addresses::Unspec => {}
            Addresses::Inet(_, inet) => {
                out.put_both(inet.source.octets(), &inet.destination.octets());
                out.put_both(
                    inet.source_port.to_be_bytes(),
                    &inet.destination_port.to_be_bytes(),
                );
            }
            Addresses::Inet6(_, inet) => {
                out.put_both(inet.source.octets(), &inet.destination.octets());
                out.put_both(
                    inet.source_port.to_be_bytes(),
                    &inet.destination_port.to_be_bytes(),
                );
            }
            Addresses::Unix(_, unix) => out.put_both(*unix.source, unix.destination),
        }
        Self {
            out,
            checksum: None,
            error: None,
        }
    }

    /// A header for the sender's own connection.
    pub fn local(buf: &'b mut [u8]) -> Self {
        Self::new(buf, Command::Local)
    }

    /// A header for a connection between these addresses.
    #[inline]
    pub fn proxy(buf: &'b mut [u8], addresses: Addresses<'_>) -> Self {
        Self::new(buf, Command::Proxy(addresses))
    }

    /// Adds the application protocol (2.2.1).
    pub fn alpn(&mut self, protocol: &[u8]) -> &mut Self {
        self.checked_tlv(TlvType::ALPN, protocol)
    }

    /// Adds the host name that the client asked for (2.2.2).
    pub fn authority(&mut self, host: &str) -> &mut Self {
        self.checked_tlv(TlvType::AUTHORITY, host.as_bytes())
    }

    /// Adds the checksum of the finished header (2.2.3), at this place among the TLVs.
    pub fn crc32c(&mut self) -> &mut Self {
        if self.checksum.is_some() {
            return self.refuse(WriteError::ChecksumRepeated);
        }
        self.out.put(&[TlvType::CRC32C.0, 0, 4]);
        self.checksum = Some(self.out.len());
        self.out.put(&[0; crc32c::LEN]);
        self
    }

    /// Adds padding: a TLV with `value_len` zero bytes, three bytes more in all (2.2.4).
    pub fn noop(&mut self, value_len: u16) -> &mut Self {
        let [high, low] = value_len.to_be_bytes();
        self.out.put(&[TlvType::NOOP.0, high, low]);
        self.out.put_zeros(usize::from(value_len));
        self
    }

    /// Pads what is written so far to a multiple of `alignment` bytes, with one NOOP TLV or none (2.2.4).
    ///
    /// A TLV has three bytes at least, so where one or two are missing the next multiple is taken that leaves room. Call it last
    /// to align the payload.
    pub fn pad_to(&mut self, alignment: u16) -> &mut Self {
        let alignment = usize::from(alignment).max(1);
        let end = self.out.len().next_multiple_of(alignment);
        let mut gap = end.saturating_sub(self.out.len());
        while matches!(gap, 1 | 2) {
            gap = gap.saturating_add(alignment);
        }
        match gap.checked_sub(3).map(u16::try_from) {
            None => self,
            Some(Ok(value_len)) => self.noop(value_len),
            Some(Err(_)) => self.refuse(WriteError::TlvTooLong {
                kind: TlvType::NOOP,
                len: gap,
            }),
        }
    }

    /// Adds the id of the connection, at most 128 bytes (2.2.5).
    pub fn unique_id(&mut self, id: &[u8]) -> &mut Self {
        self.tlv(TlvType::UNIQUE_ID, id)
    }

    /// Adds what is known of the client's TLS session (2.2.6). `sub_tlvs` adds the parts.
    ///
    /// `verify` is 0 if the client gave a certificate that was verified, else anything but 0.
    pub fn ssl(
        &mut self,
        client: SslClient,
        verify: u32,
        sub_tlvs: impl FnOnce(&mut SslBuilder<'_, 'b>),
    ) -> &mut Self {
        let mut ssl = SslBuilder::open(self, client, verify);
        sub_tlvs(&mut ssl);
        ssl.close();
        self
    }

    /// Adds the name of the network namespace, which has to be US-ASCII (2.2.7).
    pub fn netns(&mut self, name: &[u8]) -> &mut Self {
        self.ascii_tlv(TlvType::NETNS, name)
    }

    /// Adds a TLV of any type, reserved ones too, with any value that a parser accepts for it; text is not checked.
    ///
    /// The checksum alone cannot be given so: [`Self::crc32c`].
    pub fn tlv(&mut self, kind: TlvType, value: &[u8]) -> &mut Self {
        match kind {
            TlvType::CRC32C => self.refuse(WriteError::ChecksumRaw),
            TlvType::UNIQUE_ID if value.len() > UNIQUE_ID_MAX => {
                self.refuse(WriteError::UniqueIdTooLong { len: value.len() })
            }
            TlvType::SSL if !is_ssl_value(value) => self.refuse(WriteError::SslMalformed),
            _ => self.checked_tlv(kind, value),
        }
    }

    /// Adds the TLVs of a parsed header as they are, in order; only a checksum among them is computed anew.
    pub fn copy_tlvs(&mut self, tlvs: Tlvs<'_>) -> &mut Self {
        for tlv in tlvs {
            match tlv.kind() {
                TlvType::CRC32C => self.crc32c(),
                kind => self.tlv(kind, tlv.value()),
            };
        }
        self
    }

    /// The length in bytes of the header as asked for so far, whether there is room for it or not. A builder over an empty
    /// buffer only measures.
    ///
    /// # Errors
    ///
    /// As [`Self::finish`], except for the room.
    pub fn encoded_len(&self) -> Result<usize, WriteError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let len = self.out.len();
        if len > MAX_LEN {
            return Err(WriteError::HeaderTooLong {
                len: len.saturating_sub(FIXED_LEN),
            });
        }
        Ok(len)
    }

    /// Fills in the length and the checksum, and returns the length of the header in bytes.
    ///
    /// # Errors
    ///
    /// What was the first thing not to be written as asked; [`WriteError::HeaderTooLong`];
    /// [`WriteError::BufferTooSmall`]. The contents of the buffer are then unspecified.
    pub fn finish(&mut self) -> Result<usize, WriteError> {
        let len = self.encoded_len()?;
        let block_len =
            u16::try_from(len.saturating_sub(FIXED_LEN)).map_err(|_| WriteError::HeaderTooLong {
                len: len.saturating_sub(FIXED_LEN),
            })?;
        self.out.patch(field::LENGTH, block_len.to_be_bytes());
        if let Some(at) = self.checksum {
            let checksum = crc32c::of_header(self.out.written()?, at);
            self.out.patch(at, checksum.to_be_bytes());
        }
        self.out.written()?;
        Ok(len)
    }

    pub(super) fn ascii_tlv(&mut self, kind: TlvType, value: &[u8]) -> &mut Self {
        if value.is_ascii() {
            self.checked_tlv(kind, value)
        } else {
            self.refuse(WriteError::NotAscii { kind })
        }
    }

    /// A TLV for whose type no rule is left but the length.
    #[inline]
    pub(super) fn checked_tlv(&mut self, kind: TlvType, value: &[u8]) -> &mut Self {
        let Ok(len) = u16::try_from(value.len()) else {
            return self.refuse(WriteError::TlvTooLong {
                kind,
                len: value.len(),
            });
        };
        let [high, low] = len.to_be_bytes();
        self.out.put_both([kind.0, high, low], value);
        self
    }

    #[cold]
    pub(super) fn refuse(&mut self, error: WriteError) -> &mut Self {
        self.error.get_or_insert(error);
        self
    }

    pub(super) const fn out(&mut self) -> &mut Out<'b> {
        &mut self.out
    }
}

/// Writes a header into a new vector. `tlvs` adds the TLVs; it is called twice, to measure and to write, and has to do
/// the same each time.
///
/// ```
/// use proxy_proto::{Command, v2};
///
/// let header = v2::to_vec(Command::Local, |header| {
///     header.unique_id(b"check-1");
/// })?;
/// assert_eq!(header.len(), 26);
/// # Ok::<(), proxy_proto::WriteError>(())
/// ```
///
/// # Errors
///
/// As [`Builder::finish`].
#[cfg(feature = "alloc")]
pub fn to_vec(
    command: Command<'_>,
    tlvs: impl Fn(&mut Builder<'_>),
) -> Result<alloc::vec::Vec<u8>, WriteError> {
    let mut measure = Builder::new(&mut [], command);
    tlvs(&mut measure);
    let mut buf = alloc::vec![0; measure.encoded_len()?];
    let mut header = Builder::new(&mut buf, command);
    tlvs(&mut header);
    let len = header.finish()?;
    buf.truncate(len);
    Ok(buf)
}

const fn family_transport(addresses: &Addresses<'_>) -> u8 {
    match addresses {
        Addresses::Unspec => 0x00,
        Addresses::Inet(Transport::Stream, _) => 0x11,
        Addresses::Inet(Transport::Dgram, _) => 0x12,
        Addresses::Inet6(Transport::Stream, _) => 0x21,
        Addresses::Inet6(Transport::Dgram, _) => 0x22,
        Addresses::Unix(Transport::Stream, _) => 0x31,
        Addresses::Unix(Transport::Dgram, _) => 0x32,
    }
}
